from django.db import migrations

from common.db import Audited


class Migration(migrations.Migration):
    dependencies = [("channel", "0001_initial"), ("staff", "0001_initial")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE channel_partner_number START 100", "DROP SEQUENCE channel_partner_number"),
        Audited("channel_partner"),
    ]
