from django.db import migrations

from common.db import AppendOnly, Audited


class Migration(migrations.Migration):
    dependencies = [("channel", "0003_goods"), ("staff", "0001_initial")]

    operations = [
        AppendOnly("channel_line"),
        AppendOnly("channel_movement"),
        Audited("channel_contract"),
        Audited("channel_territory"),
        Audited("channel_productline"),
        Audited("channel_document"),
    ]
