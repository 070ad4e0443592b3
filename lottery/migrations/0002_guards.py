from django.db import migrations

from common.db import Audited


class Migration(migrations.Migration):
    dependencies = [("lottery", "0001_initial"), ("staff", "0002_guards")]

    operations = [
        Audited("lottery_campaign"),
        Audited("lottery_award"),
        Audited("lottery_budget"),
    ]
