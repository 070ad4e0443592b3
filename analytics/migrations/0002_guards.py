from django.db import migrations

from common.db import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial")]

    operations = [
        AppendOnly("analytics_fitrun"),
        AppendOnly("analytics_finding"),
        AppendOnly("analytics_casefinding"),
        AppendOnly("analytics_scanfinding"),
        AppendOnly("analytics_routefinding"),
        AppendOnly("analytics_codefinding"),
        AppendOnly("analytics_verdict"),
        AppendOnly("analytics_tempering"),
    ]
