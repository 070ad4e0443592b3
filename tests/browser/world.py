"""A brand with something on every page: for looking at."""

from datetime import UTC, datetime, timedelta

import pyrage
from django.db import connection, transaction

from brands.models import Brand
from common.models import Job
from labels.queries import scan_id_of
from labels.recalls import Scope, recall
from labels.rolls import receive
from labels.services import activate, block
from ledger.models import Transfer
from lottery.models import Claim, Payout
from lottery.services import NewTier, claiming, halt, papers
from members.models import Member
from printing import starters
from printing.accounts import create_account
from printing.building import build
from printing.designs import create_template
from printing.runs import NewPacks, order_for, order_packs
from printing.samples import sign_off
from printing.services import NewPrint, acknowledge, check_key, create_press, download, request as request_print, start
from redemption.models import Scan
from redemption.reports import Told, file_report
from redemption.rules import Attempt, Door, Place
from redemption.services import add_place, answer_was_that_you, redeem, reverse_redemption, verify
from staff import approvals
from staff.apikeys import create_key
from staff.models import User
from tests.lottery.pictures import photograph
from tests.lottery.prizes import ADDRESS, plant
from tests.makers import (
    labels_of,
    make_active_batch,
    make_batch,
    make_campaign,
    make_partner,
    make_product,
    secret_of,
    serial_of,
)
from tests.printing.versions import make_version

PHONES = ("+8613800138000", "+8613900139000", "+8613700137000")
CHENGDU, HANGZHOU = Place(30.66, 104.06, 40.0), Place(30.27, 120.15, 12.0)


def populate(at: datetime | None = None) -> dict[str, str]:
    """Fill the brand's schema; return what the pages' addresses need."""
    at = at or datetime.now(UTC)
    people(at)
    tea = make_product(name="Mist Ridge Oolong 250 g", name_zh="雾岭乌龙250克", at=at - timedelta(days=90))
    green = make_product(name="Spring Jade Green Tea, gift box of twelve tins", name_zh="春玉绿茶十二罐礼盒装", at=at)
    retailer = make_partner("retailer", number="R1001", name="Bluestone Street Tea", at=at)
    promoter = make_partner("promoter", number="P2002", name="Lin Wei", at=at)
    campaign = make_campaign(
        product=tea, consumer=120, retailer=18, promoter=5, budget=2000, name="Spring Tea", name_zh="春茶积分", at=at
    )
    draft = make_campaign(
        name="Autumn harvest thanks for our most loyal tea friends", name_zh="秋收谢礼", opened=False, at=at
    )
    halted = make_campaign(name="Old offer", name_zh="旧活动", product=green, at=at - timedelta(days=30))
    halt(halted.pk, reason="A mistake in the rules. Points already given stay.", at=at)
    batch = make_active_batch(40, product=tea, at=at - timedelta(days=20))
    asleep = make_batch(product=green, count=12, at=at - timedelta(days=2))
    numbers = labels_of(batch)
    _week_ago(numbers[20:], at - timedelta(days=7, hours=1))
    told = numbers[0]
    first = verify(_attempt(at - timedelta(hours=3), serial=serial_of(told), cookie="first", place=HANGZHOU))
    redeem(
        _attempt(
            at - timedelta(hours=2, minutes=59),
            code=secret_of(told),
            phone=PHONES[0],
            retailer="R1001",
            promoter="P2002",
            place=HANGZHOU,
        )
    )
    repeat = verify(_attempt(at - timedelta(hours=1), serial=serial_of(told), cookie="other", place=CHENGDU))
    answer_was_that_you(scan_id_of(repeat.receipt_no or "") or 0, yes=False, at=at)
    for index, number in enumerate(numbers[1:12]):
        redeem(
            _attempt(
                at - timedelta(minutes=50 - index),
                code=secret_of(number),
                phone=PHONES[index % 3],
                door=Door.API if index % 3 else Door.SMS,
                retailer="R1001" if index % 2 else None,
            )
        )
    reverse_redemption(numbers[3], at=at, asked_by="ada", reason="Scanned by shop staff for a display pack")
    redeem(_attempt(at - timedelta(minutes=9), code=secret_of(numbers[2]), phone=PHONES[2], cookie="thief"))
    redeem(_attempt(at - timedelta(minutes=8), code="3074118592604411", cookie="guess", phone=PHONES[1]))
    verify(_attempt(at - timedelta(minutes=7), serial=serial_of(labels_of(asleep)[0]), cookie="early", place=CHENGDU))
    block(label_range=(numbers[-2], numbers[-1] + 1), reason="stolen", at=at, note="Van broken into", asked_by="ada")
    file_report(
        Told(
            request_id="r1",
            kind="fake",
            label=serial_of(told),
            bought_at="A stall at the night market",
            note="The print is blurred.",
        ),
        at=at,
    )
    design = create_template(name="Oolong 50 × 30", kind="unit", layout=starters.layout("unit"), at=at, asked_by="ada")
    talkers = create_template(name="Shelf", kind="talker", layout=starters.layout("talker"), at=at, asked_by="ada")
    run = order_for(talkers, [retailer.public_id, promoter.public_id], order_key="shelf", at=at, asked_by="ada")
    job = Job.objects.create(
        kind="labels.generate",
        subject="Batch 2611-C, 1,000,000 labels",
        state="running",
        done=620_000,
        total=1_000_000,
        asked_by="ada",
        created_at=at,
        started_at=at - timedelta(seconds=40),
        beat_at=at,
    )
    Job.objects.create(
        kind="labels.generate",
        subject="Batch 2611-B",
        state="failed",
        done=3,
        total=10,
        error="The disk is full: free some space and start it again.",
        created_at=at - timedelta(hours=2),
        ended_at=at - timedelta(hours=1),
        detail={"batch": "2611-B"},
    )
    return {
        "serial": serial_of(told),
        "asleep": serial_of(labels_of(asleep)[1]),
        "receipt": first.receipt_no or "",
        "campaign": campaign.public_id,
        "draft": draft.public_id,
        "halted": halted.public_id,
        "job": str(job.public_id),
        "batch": batch.public_id,
        "product": tea.public_id,
        "retailer": retailer.public_id,
        "promoter": promoter.public_id,
        "account": retailer.account.public_id,
        "transfer": str(Transfer.objects.order_by("pk").values_list("pk", flat=True).first()),
        "member": Member.objects.order_by("pk").values_list("public_id", flat=True).first() or "",
        "template": design.template.public_id,
        "run": run.public_id,
        "key": create_key("Till system of the flagship store", ["check", "redeem", "read"], at=at)[0].prefix,
        "scans": str(Scan.objects.count()),
        **prizes(at),
    }


def prizes(at: datetime) -> dict[str, str]:
    """Let the first member have won a prize for each state that a claim can be in; return their names by state."""
    member = Member.objects.order_by("pk")[0]
    ada, sam = (User.objects.get(username=name) for name in ("ada", "sam"))
    given = {**ADDRESS, "payee": "wang@example.com"}

    def won(state: str, *, kind: str = "goods", level: int = 1, price: int = 88_800) -> Claim:
        tier = NewTier(
            use="draw", tier=1, kind=kind, name="Yixing teapot of purple clay", name_zh="宜兴紫砂壶", quantity=3,
            unit_cost=price, market_price=price, currency="CNY", id_level=level,
        )  # fmt: skip
        claim = plant(member, at=at, tier=tier, name=f"Lucky draw, {state}", name_zh=f"幸运抽奖 {state}")
        if state != "won":
            claim = claiming.claim_prize(claim.pk, member=member, given=given, at=at)
        return claim

    claims = {state: won(state) for state in ("won", "checkable", "checked", "approved", "sent")}
    claims["claimed"] = won("claimed", level=2)
    claims["unpaid"] = won("unpaid", kind="cash", level=0)
    claims["voucher"] = won("voucher", kind="voucher", level=0)
    papers.add(claims["claimed"].pk, "identity", photograph((600, 400)), by="winner", at=at)
    for state in ("checked", "approved", "sent"):
        claiming.check(claims[state].pk, by=sam, seen="claimed", at=at)
    for state in ("approved", "sent"):
        claiming.approve(claims[state].pk, by=ada, seen="checked", at=at)
    claiming.send(claims["sent"].pk, courier="顺丰速运", tracking_no="SF1098765432109", by=sam, seen="approved", at=at)
    Payout.objects.filter(claim=claims["unpaid"]).update(state="failed", problem="no_such_account", tries=1)
    return {state: claim.public_id for state, claim in claims.items()} | {"drawn": claims["sent"].campaign.public_id}


def people(at: datetime) -> None:
    ada = User.objects.create_user("ada", password="x", role="owner")
    bo = User.objects.create_user("bo.the.second.owner.of.a.long.name@example", password="x", role="owner")
    sam = User.objects.create_user("sam", password="x", role="support", failures=100)
    User.objects.create_user("kim", password="x", role="auditor", is_active=False)
    create_key("Mini-program", ["check"], at=at, is_test=True, expires_at=at - timedelta(days=1), created_by=ada)
    approvals.request("staff.owner", {"user": sam.pk, "username": "sam"}, by=bo, at=at)


def _attempt(at: datetime, *, door: Door = Door.WEB, place: Place | None = None, **values: str | None) -> Attempt:
    return Attempt(door=door, at=at, place=place, language="en", ip_prefix="203.0.113.0/24", **values)  # type: ignore[arg-type]


def _week_ago(numbers: list[int], at: datetime) -> None:
    for index, number in enumerate(numbers[:10]):
        seen = verify(_attempt(at - timedelta(minutes=30 * index), serial=serial_of(number), cookie=f"week{index}"))
        add_place(scan_id_of(seen.receipt_no or "") or 0, HANGZHOU, at=at)


def printed(at: datetime) -> dict[str, str]:
    """Print a batch in rolls, for a press with an account of its own; return what the pages' addresses need.

    Its four rolls: received and on sale in part; handed to nobody yet; fetched; without a file. Packs, a leak, and a recall.
    """
    ada, bo = User.objects.order_by("pk")[:2]
    batch = make_batch(
        product=make_product(gtin="9506000134352", name="Green", name_zh="绿茶"), count=80, roll_labels=20
    )
    press = create_press(
        name="Riverside Security Printing and Packaging Company",
        recipient=str(pyrage.x25519.Identity.generate().to_public()),
        at=at,
    )
    check_key(press, read_out=press.fingerprint, at=at, asked_by="ada")
    create_account(press, username="ren", at=at, asked_by="ada")
    row = request_print(NewPrint(batch, 1, 3, press, output="pdf", version=make_version(at)), by=ada, at=at)
    sign_off(row, by=ada, at=at)
    with transaction.atomic():
        approvals.decide(row.approval_id, approved=True, by=bo, at=at)
    start(row.pk, at=at)
    build(row.pk, clock=lambda: at)
    done, ready, fetched = row.handovers.select_related("roll").order_by("roll__number")
    for one in (done, fetched):
        download(one.pk, at=at, asked_by="ren")
    acknowledge(done.pk, plain_hash=done.plain_hash, at=at)
    receive(done.roll_id, good=17, spoiled=[(7, 9)], document="LS-2611-07", at=at, asked_by="ada")
    first = int(batch.label_range.lower)
    activate(label_range=(first + 3, first + 13), product=batch.product, lot="2611A", market="CN-53", at=at)
    make_partner("retailer", number="R1001", name="Bluestone Street Tea", at=at)
    redeem(_attempt(at, code=secret_of(first + 4), phone=PHONES[0], retailer="R1001"))
    recalled = recall(Scope(label_range=(first + 3, first + 9)), at=at, note="Foreign smell", asked_by="ada")
    Brand.objects.filter(pk=connection.tenant.pk).update(gs1_prefix="9501101")
    connection.tenant.gs1_prefix = "9501101"
    cases = create_template(name="Case of 8", kind="case", layout=starters.layout("case"), at=at, asked_by="ada")
    packs = order_packs(cases, NewPacks(batch, 1, 80, 8, "2611A"), order_key="cases", at=at, asked_by="ada")
    wanting = request_print(NewPrint(batch, 4, 4, press, output="pdf", version=row.version), by=ada, at=at)
    return {
        "rolled": batch.public_id,
        "roll": str(ready.roll_id),
        "press": press.public_id,
        "print": row.public_id,
        "unsigned": wanting.public_id,
        "ready": ready.public_id,
        "fetched": fetched.public_id,
        "done": done.public_id,
        "recall": str(recalled.pk),
        "slot": str(batch.secret_slot_id),
        "packs": packs.public_id,
    }
