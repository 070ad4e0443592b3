from django.db import migrations

from common.db import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("redemption", "0001_initial")]

    operations = [
        AppendOnly("redemption_scan"),
        AppendOnly("redemption_redemption"),
        AppendOnly("redemption_reversal"),
        AppendOnly("redemption_failedinput"),
        AppendOnly("redemption_wasthatyou"),
    ]
