"""A bundle that was asked for stays; its hash is filled in once."""

from django.db import migrations

from common.db import AppendOnly

STAYS = (
    "CREATE TRIGGER evidence_stays BEFORE UPDATE ON analytics_evidencebundle"
    " FOR EACH ROW EXECUTE FUNCTION keep_evidence('{}', '{sha256,size,made_at}')"
)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0009_bundles")]

    operations = [
        AppendOnly("analytics_evidencebundle", updatable=("sha256", "size", "made_at")),
        migrations.RunSQL(STAYS, "DROP TRIGGER evidence_stays ON analytics_evidencebundle"),
    ]
