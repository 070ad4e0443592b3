"""What authorities want by a day: tasks that begin with the publication of the rules."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from common.db import inside_transaction
from lottery import law
from lottery.errors import BadCampaign, NoSuchCampaign
from lottery.models import Campaign, Filing


def due_on(item: law.Item, campaign: Campaign) -> datetime | None:
    """Return by when an item is due, in the campaign's zone: so many days before the start or after the end, or None."""
    zone = ZoneInfo(campaign.zone)
    if item.before_days is not None:
        return campaign.opens_at.astimezone(zone) - timedelta(days=item.before_days)
    if item.due_days is not None and campaign.closes_at is not None:
        return campaign.closes_at.astimezone(zone) + timedelta(days=item.due_days)
    return None


@inside_transaction
def write_filings(campaign: Campaign, items: Iterable[law.Item], *, at: datetime) -> None:
    """Make a task of each item that has a day; one whose paper is there already is done."""
    rows = []
    for item in items:
        due = due_on(item, campaign) if item.applies else None
        if due is not None:
            is_done = item.before_days is not None
            rows.append(
                Filing(
                    campaign=campaign,
                    item=item.id,
                    due_on=due.date(),
                    done_at=at if is_done else None,
                    done_by=item.by if is_done else "",
                )
            )
    Filing.objects.bulk_create(rows)


def file_done(filing_id: int, *, note: str, by: str, at: datetime) -> Filing:
    """Say that something was filed. Raises `NoSuchCampaign`, `BadCampaign` if it was said before."""
    with transaction.atomic():
        filing = Filing.objects.select_for_update().filter(pk=filing_id).first()
        if filing is None:
            raise NoSuchCampaign
        if filing.done_at is not None:
            raise BadCampaign(_("This was filed before."))
        filing.done_at, filing.done_by, filing.note = at, by, note.strip()[:200]
        filing.save(update_fields=["done_at", "done_by", "note"])
    return filing
