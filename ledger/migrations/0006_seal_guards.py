from django.db import migrations

from common.db import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_seals")]

    operations = [AppendOnly("ledger_anchor"), AppendOnly("ledger_seal"), AppendOnly("ledger_sealcopy")]
