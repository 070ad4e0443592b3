from django.db import migrations

from common.db import AppendOnly

# Balances and lots change in place with every redemption: free room on the page keeps those updates heap-only.
ROOM = "ALTER TABLE {} SET (fillfactor = 80)"
NO_ROOM = "ALTER TABLE {} RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        AppendOnly("ledger_transfer"),
        AppendOnly("ledger_lotuse"),
        migrations.RunSQL(ROOM.format("ledger_account"), NO_ROOM.format("ledger_account")),
        migrations.RunSQL(ROOM.format("ledger_lot"), NO_ROOM.format("ledger_lot")),
    ]
