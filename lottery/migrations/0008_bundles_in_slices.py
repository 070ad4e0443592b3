"""A bundle is read in slices while it is sent: kept as it is, PostgreSQL finds a slice without unpacking all before it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lottery", "0007_entries_by_account")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE lottery_bundle ALTER COLUMN data SET STORAGE EXTERNAL",
            "ALTER TABLE lottery_bundle ALTER COLUMN data SET STORAGE EXTENDED",
        )
    ]
