"""Prizes that wait for somebody: codes that run out, payments that were refused, winners to be checked or approved."""

from django.utils.translation import gettext as _, ngettext

from common.templatetags.show import num
from console.events import Alarm
from lottery.models import Claim, Payout
from lottery.services.stock import low_ones

_MOST = 3


def prize_alarms() -> list[Alarm]:
    """Return what somebody should look at."""
    rows = [
        Alarm(
            "wait",
            "key",
            _("Few codes are left for “{prize}”").format(prize=tier.display_name),
            ngettext("{n} code is in the stock", "{n} codes are in the stock", kept.left).format(n=num(kept.left)),
            "/console/prize-codes",
        )
        for tier, kept in low_ones()[:_MOST]
    ]
    refused = Payout.objects.filter(state=Payout.State.FAILED, claim__state=Claim.State.APPROVED).count()
    if refused:
        title = ngettext("{n} prize could not be paid", "{n} prizes could not be paid", refused)
        detail = _("The payer refused: ask again, or pay by hand.")
        rows.append(
            Alarm("wait", "coin", title.format(n=num(refused)), detail, "/console/claims?state=approved&kind=cash")
        )
    waiting = Claim.objects.filter(state__in=[Claim.State.CLAIMED, Claim.State.CHECKED]).count()
    if waiting:
        title = ngettext("{n} winner waits for us", "{n} winners wait for us", waiting)
        rows.append(
            Alarm("wait", "gift", title.format(n=num(waiting)), _("To be checked or approved."), "/console/claims")
        )
    return rows
