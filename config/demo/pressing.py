"""The demo's printing: a press with a key and an account, and rolls in every state, from asked for to on sale and recalled.

Told to the services as people would: one asks, another approves, the press fetches, the warehouse counts.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyrage
from django.db import transaction

from labels import rolls
from labels.models import Batch, Block, Product, Recall, Roll
from labels.queries import serials_of
from labels.recalls import Scope, recall
from labels.services import activate_ranges, block, generate_batch, order_batch
from printing import accounts, building, lost, services
from printing.models import Handover, Press, PressAccount, PrintJob
from staff import approvals
from staff.models import User
from staff.services import new_password

PRESS, OTHER_PRESS, ACCOUNT = "Hangzhou Colour Press", "Suzhou Label Works", "printer"
ROLL_LABELS, ROLLS = 1_000, 6
_WAIT_S = 20.0


def seed_press(product: Product, kept: dict[str, Any], *, at: datetime) -> None:
    """Tell it once; the press's private key and its sign-in are left in ``kept``, so that its part can be played."""
    press = Press.objects.filter(name=PRESS).first()
    if press is None:
        press = _press(kept, at=at - timedelta(days=30))
    _account(press, kept, at=at - timedelta(days=29))
    batch = order_batch(
        order_key="demo-press",
        product=product,
        count=ROLL_LABELS * ROLLS,
        roll_labels=ROLL_LABELS,
        at=at - timedelta(days=12),
        asked_by="production",
    )
    if batch.state == Batch.State.DRAFT:
        generate_batch(batch.pk, clock=lambda: at - timedelta(days=12))
        batch.refresh_from_db()
    if not PrintJob.objects.filter(batch=batch).exists():
        _tell(batch, press, at=at)


def _press(kept: dict[str, Any], *, at: datetime) -> Press:
    identity = pyrage.x25519.Identity.generate()
    kept["press_key"] = str(identity)
    press = services.create_press(name=PRESS, recipient=str(identity.to_public()), at=at)
    services.check_key(press, read_out=press.fingerprint, at=at + timedelta(hours=2), asked_by="production")
    other = pyrage.x25519.Identity.generate()
    services.create_press(name=OTHER_PRESS, recipient=str(other.to_public()), at=at + timedelta(days=25))
    return press


def _account(press: Press, kept: dict[str, Any], *, at: datetime) -> None:
    """Make the sign-in of the press; where its password is not kept any more, give a new one."""
    known = next((person for person in kept.get("staff", []) if person["username"] == ACCOUNT), None)
    account = PressAccount.objects.select_related("user").filter(press=press).first()
    if account is None:
        _user, password = accounts.create_account(press, username=ACCOUNT, at=at, asked_by="production")
    elif known is None:
        password = new_password(account.user)
    else:
        return
    kept.setdefault("staff", []).append({"role": "press", "username": ACCOUNT, "password": password})


def _tell(batch: Batch, press: Press, *, at: datetime) -> None:
    first = _print(batch, press, 1, 4, at=at - timedelta(days=9))
    for one in first[:3]:
        _fetch(one, at=at - timedelta(days=8))
    lost.report(
        first[3].pk, leaked=False, note="The disk of the press broke.", at=at - timedelta(days=8), asked_by=ACCOUNT
    )
    gone = Handover.objects.select_related("roll__batch", "print_job__press").get(pk=first[3].pk)
    _receive(first[0].roll_id, at=at - timedelta(days=5), spoiled=[(40, 58), (611, 611)])
    _receive(first[1].roll_id, at=at - timedelta(days=5), missing=[(900, 905)])
    parts = [_range(first[0].roll_id), _range(first[1].roll_id)]
    activate_ranges(
        label_ranges=parts,
        product=batch.product,
        lot="L2611",
        market="CN",
        document="AC-0712",
        at=at - timedelta(days=4),
        asked_by="warehouse",
    )
    start = parts[1][0]
    block(
        label_range=(start + 300, start + 340),
        reason=Block.Reason.LOST,
        at=at - timedelta(days=3),
        note="A carton fell off the lorry.",
        asked_by="owner",
    )
    scope = Scope(label_range=(start + 500, start + 560))
    if not Recall.objects.exists():
        recall(scope, at=at - timedelta(days=2), note="Foreign smell in one carton.", asked_by="legal")
    lost.issue_again(gone, by=User.objects.get(username="production"), at=at - timedelta(hours=6))
    _print(batch, press, 5, 5, at=at - timedelta(hours=3))


def _print(batch: Batch, press: Press, first: int, last: int, *, at: datetime) -> Sequence[Handover]:
    """Ask, approve by another person, build; a worker that took the job up is waited for."""
    asker, approver = (User.objects.get(username=name) for name in ("production", "owner"))
    row = services.request(services.NewPrint(batch, first, last, press), by=asker, at=at)
    with transaction.atomic(durable=True):
        approvals.decide(row.approval_id, approved=True, by=approver, at=at + timedelta(minutes=20))
    services.start(row.pk, at=at + timedelta(minutes=25), asked_by=asker.username)
    end = time.monotonic() + _WAIT_S
    while row.handovers.filter(ready_at=None).exists() and time.monotonic() < end:
        building.build(row.pk, clock=lambda: at + timedelta(minutes=26))
    return list(row.handovers.select_related("roll__batch").order_by("roll__number"))


def _fetch(one: Handover, *, at: datetime) -> None:
    services.download(one.pk, at=at, asked_by=ACCOUNT)
    one.refresh_from_db()
    services.acknowledge(one.pk, plain_hash=one.plain_hash, at=at + timedelta(minutes=9))


def _receive(roll_id: int, *, at: datetime, spoiled: rolls.Lines = (), missing: rolls.Lines = ()) -> None:
    first, end = _range(roll_id)
    lost_lines = sum(last - one + 1 for one, last in (*spoiled, *missing))
    rolls.receive(
        roll_id,
        good=end - first - lost_lines,
        spoiled=spoiled,
        missing=missing,
        samples=serials_of([first + 100, first + 500, end - 1]),
        document="DN-2611-04",
        at=at,
        asked_by="warehouse",
    )


def _range(roll_id: int) -> tuple[int, int]:
    part = Roll.objects.values_list("label_range", flat=True).get(pk=roll_id)
    return int(part.lower), int(part.upper)
