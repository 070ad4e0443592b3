"""The record of each draw on the console: how far it is, what was fixed when, who was picked, and what became of it."""

from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_safe

from common.clock import now
from common.tables import csv_response, keyset_page, wants_csv
from ledger.models import Anchor
from lottery import proofs
from lottery.models import BeaconValue, ClaimMove, Draw, Entry, Pick
from lottery.services import readings
from lottery.value_views import PasteForm
from staff.models import Audit
from staff.permissions import allowed, staff_view

MOST_ROWS = 200


@staff_view("lottery.read")
@require_safe
def draw_list(request: HttpRequest) -> HttpResponse:
    """List the draws of all campaigns by their close."""
    state = request.GET.get("state", "")
    found = Draw.objects.filter(rules__isnull=False).select_related("campaign")
    chosen = found.filter(state=state) if state in Draw.State.values else found
    if wants_csv(request):
        return csv_response(
            chosen.order_by("-close_at", "-id"),
            [
                (_("Draw"), "public_id"),
                (_("Campaign"), lambda draw: draw.campaign.display_name),
                (_("Number"), "number"),
                (_("State"), lambda draw: draw.get_state_display()),
                (_("Closes"), "close_at"),
                (_("Round"), "round"),
            ],
            "draws",
        )
    counts = dict(found.order_by().values_list("state").annotate(n=Count("pk")))
    chips = [(name, label, counts[name]) for name, label in Draw.State.choices if counts.get(name)]
    page = keyset_page(chosen, request, order=("-close_at", "-id"))
    return render(
        request, "lottery/draws.html", {"page": page, "chips": chips, "state": state, "total": sum(counts.values())}
    )


@staff_view("lottery.read")
@require_safe
def draw_record(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one draw: steps with their times, entries, picks, claims, editions of the proof, and the log."""
    draw = get_object_or_404(Draw.objects.select_related("campaign"), public_id=public_id, rules__isnull=False)
    picks = _picks(draw)
    if wants_csv(request):
        return csv_response(
            picks,
            [
                (_("Pick"), "pick_no"),
                (_("Tier"), "tier"),
                (pgettext("prize", "Unit"), "unit"),
                (_("Role"), lambda pick: pick.get_role_display()),
                (_("Entry"), "entry_id"),
                (_("Tries"), "tries"),
                (_("Claim"), lambda pick: pick.claim.get_state_display() if hasattr(pick, "claim") else ""),
            ],
            f"draw-{public_id}",
        )
    context = {**_context(draw), "may_type": allowed(request.user, "lottery.approve"), "paste": PasteForm()}
    return render(request, "lottery/draw.html", {"draw": draw, "picks": picks[:MOST_ROWS], **context})


def _picks(draw: Draw) -> QuerySet[Pick]:
    return draw.picks.select_related("entry", "claim", "claim__member").order_by("pick_no")


def _context(draw: Draw) -> dict[str, Any]:
    at, beacon = now(), proofs.beacon_of(draw.campaign)
    value = BeaconValue.objects.filter(source=beacon.source, chain=beacon.chain, round=draw.round or 0).first()
    entries = draw.entries.order_by().values("source", "state").annotate(n=Count("pk"), weight=Sum("weight"))
    sources = dict(Entry.Source.choices)
    states = dict(Entry.State.choices)
    due = proofs.moment_of(beacon, draw.round)
    moves = ClaimMove.objects.filter(claim__pick__draw=draw).select_related("claim__pick").order_by("-id")
    return {
        "steps": proofs.draw_steps(draw, at=at),
        "entries": [
            (sources[row["source"]], states[row["state"]], row["n"], row["weight"])
            for row in sorted(entries, key=lambda row: (row["state"], row["source"]))
        ],
        "editions": list(proofs.editions(draw=draw)),
        "value": value,
        "due": due,
        "waiting": draw.state == Draw.State.LISTED,
        "manual": beacon.source == "manual",
        "event": draw.campaign.terms.get("beacon_event", ""),
        "awaits_typing": readings.awaits_typing(draw, at=at),
        "typed": readings.typed_values(draw) if value is not None else [],
        "overdue": due is not None and draw.state == Draw.State.LISTED and at >= due,
        "anchors": Anchor.objects.filter(subject=draw.uuid.hex).order_by("id"),
        "moves": moves[:MOST_ROWS],
        "trail": Audit.objects.filter(table_name="lottery_campaign", row_id=str(draw.campaign_id)).order_by("-id")[:50],
        "more_picks": max(0, draw.picks.count() - MOST_ROWS),
    }
