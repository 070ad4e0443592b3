import base64
import uuid

from django.db import migrations
from django.utils import timezone

ROLES = ("issuance", "redeemed", "expired", "payout", "clearing", "adjustment")


def open_system_accounts(apps, schema_editor):
    """Open the brand's own accounts for points; those of other units are opened on first need."""
    account = apps.get_model("ledger", "Account")
    for role in ROLES:
        symbols = base64.b32encode(uuid.uuid4().bytes).decode().lower()[:20]
        account.objects.create(
            public_id=f"acc_{symbols}", kind="system", party="brand", role=role, created_at=timezone.now()
        )


def close_system_accounts(apps, schema_editor):
    """Remove them again; a transfer that names one keeps it, and the migration stops."""
    apps.get_model("ledger", "Account").objects.filter(kind="system", unit="points", role__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]

    operations = [migrations.RunPython(open_system_accounts, close_system_accounts)]
