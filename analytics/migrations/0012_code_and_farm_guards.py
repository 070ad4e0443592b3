from django.db import migrations

from common.db import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("analytics", "0011_how_it_stands")]

    operations = [AppendOnly("analytics_codeverdict"), AppendOnly("analytics_farmfinding")]
