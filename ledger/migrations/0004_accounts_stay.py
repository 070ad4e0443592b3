from django.db import migrations

# Transfers and lots carry no foreign key to their accounts (docs/algorithms/ledger.md): posting locks the accounts that
# it names, and here the other half is kept, that no account goes away under its transfers.
KEEP = "CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON ledger_account EXECUTE FUNCTION refuse_change()"
LET_GO = "DROP TRIGGER accounts_stay ON ledger_account"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_system_accounts")]

    operations = [migrations.RunSQL(KEEP, LET_GO)]
