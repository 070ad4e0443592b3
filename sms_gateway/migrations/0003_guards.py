from django.db import migrations

from common.db import AppendOnly, Audited


class Migration(migrations.Migration):
    dependencies = [("sms_gateway", "0002_inbound_calls_and_money"), ("staff", "0002_guards")]

    operations = [
        AppendOnly("sms_gateway_deliveryreport"),
        AppendOnly("sms_gateway_sendtry"),
        Audited("sms_gateway_spendingbudget"),
        Audited("sms_gateway_countryrate"),
        Audited("sms_gateway_suppression", leave_out=("to_index",)),
    ]
