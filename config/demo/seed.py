"""The demo's story told to the services, so that the demo is made as a brand would make it.

Running it again changes nothing: every order, name and request id is the same, and gets its first answer.
"""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import transaction

from analytics import rollups
from analytics.models import FitRun, Touched
from analytics.services import fit
from channel.models import Partner
from channel.services import create_partner
from config.demo import story
from config.demo.designs import seed_templates
from config.demo.games import seed_games
from config.demo.goods import seed_goods
from config.demo.investigations import seed_files
from config.demo.pressing import seed_press
from config.demo.story import BatchPlan, BrandPlan, Event
from labels import queries as labels
from labels.models import Activation, Batch, Block, Product
from labels.queries import Typed
from labels.services import activate, block, create_product, generate_batch, order_batch
from ledger.models import Kind, Transfer
from ledger.services import NewTransfer, post, system_account
from lottery.models import Campaign
from lottery.services import NewAward, close_due, create_campaign, open_campaign
from members.models import Member
from portal.services import accept, invite
from redemption.models import Redemption, Reversal
from redemption.rules import Attempt, Door, Place
from redemption.services import redeem_each, reverse_redemption, verify_each
from staff.apikeys import create_key
from staff.models import ApiKey, Role, User
from staff.permissions import OUTSIDE
from staff.services import create_staff, new_password

BY = "owner"
_UNKNOWN_DRAWS = 1_500
_TOLD_TOGETHER_MIN = 360  # what is sent together is entered in the books at one moment
Say = Callable[[str], None]


def seed_people(kept: dict[str, Any], *, at: datetime) -> None:
    """Make one member of staff for each role and one more owner, and an API key; what is missing in ``kept`` anew."""
    known = {person["username"]: person for person in kept.get("staff", [])}
    users = {user.username: user for user in User.objects.all()}
    owner = users.get(BY) or User.objects.create_user(BY, role=Role.OWNER)
    people = [(role.value, role.value) for role in Role if role not in OUTSIDE]
    people.insert(1, ("owner2", Role.OWNER.value))
    for username, role in people:
        if username in known and username in users:
            continue
        if username in users or username == BY:
            password = new_password(users.get(username, owner))
        else:
            _user, password = create_staff(username=username, role=role, by=owner, at=at)
        known[username] = {"role": role, "username": username, "password": password}
    others = [person for person in kept.get("staff", []) if person["username"] not in dict(people)]
    kept["staff"] = [*(known[username] for username, _role in people), *others]
    if not kept.get("api_key") or not ApiKey.objects.filter(prefix=kept["api_key"][:14], revoked_at=None).exists():
        _key, kept["api_key"] = create_key("Demo client", ["read", "check", "redeem", "goods"], at=at, created_by=owner)


def seed_portal(plan: BrandPlan, kept: dict[str, Any], *, at: datetime) -> None:
    """Let people of some partners into the portal; what is missing in ``kept`` gets a new password."""
    known = {person["username"]: person for person in kept.get("portal", [])}
    people = []
    for username, name in plan.portal:
        partner = Partner.objects.get(name=name)
        user = User.objects.filter(username=username).first()
        if user is None:
            password = secrets.token_urlsafe(12)
            _row, token = invite(partner, username=username, at=at, asked_by=BY)
            accept(token, password=password, at=at)
        else:
            password = known[username]["password"] if username in known else new_password(user)
        people.append({"kind": partner.kind, "partner": name, "username": username, "password": password})
    kept["portal"] = people


def seed_brand(plan: BrandPlan, kept: dict[str, Any], *, at: datetime, scale: float, seed: str, say: Say) -> None:
    """Make the brand's goods and tell its story, from ``kept["began"]`` to ``at``; leave in ``kept`` where labels are."""
    began = datetime.fromisoformat(kept["began"])
    products = {product.key: _product(product, began) for product in plan.products}
    partners = [_partner(partner, began) for partner in plan.partners]
    seed_portal(plan, kept, at=at)
    seed_templates(began=began)
    say("Printing labels")
    batches = {batch.key: _batch(batch, products[batch.product], began) for batch in plan.batches}
    seed_press(next(iter(products.values())), kept, at=at)
    say("Sending goods on their way")
    seed_goods(plan, batches, partners, began, at=at)
    for campaign in plan.campaigns:
        _campaign(campaign, products, began)
    say("Telling three months of scans and redemptions")
    teller = _Telling(batches, partners, began, kept["api_key"])
    events = [event for event in story.events(plan, seed, scale) if began + event.after <= at]
    blocks = sorted(((b.day, key, b) for key, made in _blocks(plan) for b in made), key=lambda entry: entry[0])
    for hours, together in groupby(events, key=lambda event: event.minute // _TOLD_TOGETHER_MIN):
        day = hours * _TOLD_TOGETHER_MIN // 1440
        while blocks and blocks[0][0] <= day:
            on_day, key, planned = blocks.pop(0)
            _block(batches[key], planned, began + timedelta(days=on_day, hours=1))
        teller.tell(list(together))
    if not Transfer.objects.filter(kind=Kind.SPEND, recorded_by=BY).exists():  # once: games bring members later
        _spend_some(began)
        _take_some_back(began)
    close_due(at=at)
    if plan.game:
        say("Making games and a draw")
        seed_games(batches[plan.game], plan, began, at=at)
    if not FitRun.objects.exists():
        say("Judging where the goods surfaced")
        fit(at=at - timedelta(days=1))
    for grain in Touched.Grain:  # so that maps and reports have their figures at once
        rollups.refresh(grain)
    if plan.cartons:
        say("Opening files of investigations")
        seed_files(batches[plan.cartons], at=at)
    kept["labels"] = _label_ranges(plan, batches)


def _product(plan: story.ProductPlan, began: datetime) -> Product:
    found = Product.objects.filter(gtin=plan.gtin.zfill(14)).first()
    return found or create_product(
        gtin=plan.gtin,
        name=plan.name,
        name_zh=plan.name_zh,
        sku=plan.sku,
        description=plan.description,
        description_zh=plan.description_zh,
        at=began - timedelta(days=20),
    )


def _partner(plan: story.PartnerPlan, began: datetime) -> Partner:
    found = Partner.objects.filter(kind=plan.kind, name=plan.name).first()
    return found or create_partner(
        kind=plan.kind, name=plan.name, name_zh=plan.name_zh, region=plan.region, at=began - timedelta(days=18)
    )


def _batch(plan: BatchPlan, product: Product, began: datetime) -> Batch:
    at = began + timedelta(days=plan.ordered_on)
    batch = order_batch(
        order_key=f"demo-{plan.key}",
        product=product,
        count=plan.labels,
        at=at,
        asked_by=BY,
        test_series=plan.test_series,
    )
    if batch.state == Batch.State.DRAFT:
        generate_batch(batch.pk)
        batch.refresh_from_db()
    if plan.active_on is not None and not Activation.objects.filter(batch=batch).exists():
        on_sale = began + timedelta(days=plan.active_on, minutes=-5)
        activate(
            label_range=_whole(batch),
            product=product,
            at=on_sale,
            lot=plan.lot,
            market="CN",
            valid_until=(on_sale + timedelta(days=plan.valid_days)).date() if plan.valid_days else None,
            asked_by=BY,
        )
    return batch


def _whole(batch: Batch) -> tuple[int, int]:
    return batch.label_range.lower, batch.label_range.upper


def _blocks(plan: BrandPlan) -> Iterator[tuple[str, tuple[story.BlockPlan, ...]]]:
    for batch in plan.batches:
        if batch.blocks:
            yield batch.key, batch.blocks


def _block(batch: Batch, plan: story.BlockPlan, at: datetime) -> None:
    first = batch.label_range.lower
    if not Block.objects.filter(batch=batch, reason=plan.reason).exists():
        block(
            label_range=(first + plan.first, first + plan.end),
            reason=plan.reason,
            at=at,
            note=plan.note,
            asked_by=BY,
        )


def _campaign(plan: story.CampaignPlan, products: dict[str, Product], began: datetime) -> None:
    if Campaign.objects.filter(name=plan.name).exists():
        return
    bound: list[int | None] = [products[key].pk for key in plan.products] or [None]
    campaign = create_campaign(
        name=plan.name,
        name_zh=plan.name_zh,
        opens_at=began + timedelta(days=plan.opens_on),
        closes_at=began + timedelta(days=plan.closes_on) if plan.closes_on else None,
        awards=[
            NewAward(party=party, points=points, product_id=product, expires_after_months=plan.months)
            for product in bound
            for party, points in plan.points
        ],
        budget=plan.budget,
        at=began + timedelta(days=plan.opens_on - 3),
        asked_by=BY,
    )
    open_campaign(campaign.pk, at=began + timedelta(days=plan.opens_on - 1))


class _Telling:
    """Turns events into attempts and sends them."""

    def __init__(self, batches: dict[str, Batch], partners: Sequence[Partner], began: datetime, token: str) -> None:
        self.batches = batches
        self.began = began
        self.client_id = ApiKey.objects.get(prefix=token[:14]).pk
        self.numbers = {
            kind: [partner.number for partner in partners if partner.kind == kind] for kind in ("retailer", "promoter")
        }
        self.unknown, self.typos = _codes_that_are_none()

    def tell(self, events: Sequence[Event]) -> None:
        """Send the attempts of some hours: first the checks, then the redemptions."""
        label_nos = [self._label_no(event) for event in events]
        serials = dict(zip(label_nos, labels.serials_of(label_nos), strict=True))
        secrets = dict(zip(label_nos, labels.secrets_of(label_nos), strict=True))
        attempts = [
            (event.act, self._attempt(event, serials[label_no], secrets[label_no]))
            for event, label_no in zip(events, label_nos, strict=True)
        ]
        for act in ("check", "redeem"):
            chosen = [attempt for kind, attempt in attempts if kind == act]
            send = redeem_each if act == "redeem" else verify_each
            for answer in send(chosen):
                if isinstance(answer, Exception):
                    raise answer

    def _label_no(self, event: Event) -> int:
        return int(self.batches[event.batch].label_range.lower) + event.place_in_batch

    def _attempt(self, event: Event, serial: str, secret: str) -> Attempt:
        phone = story.phone_of(event.person)
        anonymous = event.act == "check" and event.door == "web"
        by_client = event.door == "api"
        asker = f"shopper-{event.person}" if by_client and event.person % 5 else None
        code = {"secret": secret, "unknown": self._draw(self.unknown, event), "typo": self._draw(self.typos, event)}
        scanned = event.typed == "serial" or (event.typed == "secret" and event.door == "web")
        return Attempt(
            door=Door(event.door),
            at=self.began + event.after,
            request_id=f"demo-{event.number}",
            code=code.get(event.typed),
            serial=serial if scanned else None,
            gtin=self.batches[event.batch].gtin_printed if scanned else None,
            phone=None if anonymous or asker else phone,
            asker=asker,
            client_id=self.client_id if by_client else None,
            cookie=f"demo-visitor-{event.person}" if anonymous else None,
            retailer=self._number("retailer", event.retailer),
            promoter=self._number("promoter", event.promoter),
            place=_place(event),
            language="en" if event.english else "zh-hans",
        )

    @staticmethod
    def _draw(codes: Sequence[str], event: Event) -> str:
        return codes[event.number % len(codes)]

    def _number(self, kind: str, place: int | None) -> str | None:
        return None if place is None else self.numbers[kind][place]


def _place(event: Event) -> Place | None:
    if event.city is None:
        return None
    lat, lon = event.jitter
    return Place(round(event.city.lat + lat, 4), round(event.city.lon + lon, 4), event.accuracy_m)


def _codes_that_are_none() -> tuple[list[str], list[str]]:
    """Return codes that are well formed and were never issued, and codes with a wrong check digit."""
    drawn = [f"{number * 7_046_029_254_386_353_131 % 10**16:016d}" for number in range(1, _UNKNOWN_DRAWS)]
    found = labels.resolve_many([Typed(code=code, purpose="secret") for code in drawn])
    by_status: dict[str, list[str]] = defaultdict(list)
    for code, resolution in zip(drawn, found, strict=True):
        by_status[resolution.status].append(code)
    return by_status[labels.Status.UNKNOWN], by_status[labels.Status.TYPO]


def _spend_some(began: datetime) -> None:
    """Let one member in twenty spend at the brand's gift counter, once."""
    at = began + timedelta(days=story.DAYS - 3)
    with transaction.atomic(durable=True):
        counter = system_account("redeemed")
        post(
            [
                NewTransfer(
                    debit=account, credit=counter, amount=60, kind="spend", cause_kind="manual", cause_id=member
                )
                for member, account in _members_with(100, every=20)
            ],
            at=at,
            recorded_by=BY,
        )


def _members_with(points: int, *, every: int) -> Iterable[tuple[int, int]]:
    rows = Member.objects.filter(account__posted__gte=points).order_by("pk").values_list("pk", "account_id")
    return [row for row in rows if row[0] % every == 0]


def _take_some_back(began: datetime) -> None:
    """Take back six redemptions: goods returned to the shop."""
    if Reversal.objects.exists():
        return
    for redemption in Redemption.objects.order_by("pk")[200:1400:200]:
        reverse_redemption(
            redemption.pk, at=began + timedelta(days=story.DAYS - 2), asked_by=BY, reason="Returned to the shop"
        )


def _label_ranges(plan: BrandPlan, batches: dict[str, Batch]) -> dict[str, Any]:
    """Return where `demo_labels` finds labels of each state: ranges, or single numbers for redeemed ones."""
    ranges: dict[str, Any] = {
        state: [
            [batches[key].label_range.lower + first, batches[key].label_range.lower + end] for key, first, end in found
        ]
        for state, found in story.handed_out(plan).items()
    }
    redeemed = Redemption.objects.filter(label_no__lt=batches[plan.batches[0].key].label_range.upper)
    ranges["redeemed"] = [[no, no + 1] for no in redeemed.order_by("-pk").values_list("label_no", flat=True)[:500]]
    return ranges
