"""A request is known by its door, client and id: a number and an index of its own said nothing more, on every attempt."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("redemption", "0010_beside_a_border")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("ALTER TABLE redemption_request DROP COLUMN id", migrations.RunSQL.noop),
                migrations.RunSQL(
                    "ALTER TABLE redemption_request DROP CONSTRAINT request_id_is_used_once", migrations.RunSQL.noop
                ),
                migrations.RunSQL(
                    "ALTER TABLE redemption_request ADD CONSTRAINT request_id_is_used_once"
                    " PRIMARY KEY (door, client_id, request_id)",
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name="request", name="request_id_is_used_once"),
                migrations.RemoveField(model_name="request", name="id"),
                migrations.AddField(
                    model_name="request",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "door", "client_id", "request_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        )
    ]
