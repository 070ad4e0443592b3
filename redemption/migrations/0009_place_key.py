"""A place is known by its scan and source: a number and an index of its own said nothing more, on every scan."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("redemption", "0008_audit_cautions")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("ALTER TABLE redemption_scanplace DROP COLUMN id", migrations.RunSQL.noop),
                migrations.RunSQL(
                    "ALTER TABLE redemption_scanplace DROP CONSTRAINT scan_has_one_place_per_source",
                    migrations.RunSQL.noop,
                ),
                migrations.RunSQL(
                    "ALTER TABLE redemption_scanplace ADD PRIMARY KEY (scan_id, source)", migrations.RunSQL.noop
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name="scanplace", name="scan_has_one_place_per_source"),
                migrations.RemoveField(model_name="scanplace", name="id"),
                migrations.AddField(
                    model_name="scanplace",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "scan_id", "source", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        )
    ]
