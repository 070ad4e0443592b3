"""An answer is named by its sender; a decision has words for the partner. Both tables are as new as this."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0007_case_guards")]

    operations = [
        migrations.AddField(
            "caseanswer", "uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
        ),
        migrations.AddField(
            "casedecision",
            "told",
            models.CharField(
                blank=True, db_default="", default="", max_length=2_000, verbose_name="words for the partner"
            ),
        ),
    ]
