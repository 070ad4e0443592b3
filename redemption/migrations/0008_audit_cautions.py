from django.db import migrations

from common.db import Audited


class Migration(migrations.Migration):
    dependencies = [("redemption", "0007_places")]

    operations = [Audited("redemption_caution")]
