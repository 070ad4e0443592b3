"""Findings that wait for somebody, as Today tells them."""

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _, ngettext

from analytics.models import Case
from analytics.services import newest_run
from common.templatetags.show import num
from console.diversion.listing import newest
from console.diversion.scope import seen_by
from console.events import Alarm
from staff.models import User
from staff.permissions import allowed


def finding_alarms(user: User) -> list[Alarm]:
    """Return how many shipments stand on the list without a file, to those who may read findings."""
    run = newest_run() if allowed(user, "diversion.read") else None
    if run is None:
        return []
    files = Case.objects.filter(shipment_id=OuterRef("shipment_id"))
    waiting = seen_by(user, newest(run)).filter(~Exists(files), alert=True).count()
    if not waiting:
        return []
    title = ngettext(
        "{n} shipment may have been diverted, and has no file",
        "{n} shipments may have been diverted, and have no file",
        waiting,
    )
    detail = _("About one in ten of the list is expected to be a false alarm.")
    return [Alarm("wait", "map", title.format(n=num(waiting)), detail, "/console/diversion?state=none")]
