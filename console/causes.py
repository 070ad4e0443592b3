"""What the ledger's pages say of causes that only the floors above it know (settings.LEDGER_CAUSES)."""

from django.utils.translation import gettext as _

from labels.queries import receipt_no


def redemption(scan_id: int) -> tuple[str, str]:
    """Return the receipt of a redemption as text and page."""
    number = receipt_no(scan_id)
    shown = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    return _("Receipt %(number)s") % {"number": shown}, f"/console/receipts/{number}"
