"""The world of the races: labels on sale, an offer, partners, API keys; and what the database says when all is over."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from channel.models import Partner
from channel.services import create_partner
from common.clock import now
from labels.models import Batch, Product
from labels.queries import receipt_nos, secrets_of, serials_of
from labels.services import activate, create_product, generate_batch, order_batch
from ledger.models import Account, Cause, Transfer
from lottery.models import Budget, Campaign, Claim, Entry, Play
from lottery.services import NewAward, NewTier, create_campaign, open_campaign
from members.queries import members_at
from redemption.models import Redemption, Scan
from staff.apikeys import create_key
from tests.history import Call, History, Paid, Redemption as Redeemed, Scan as Looked
from tests.lottery import world as games

GTIN = "06901234567892"
POINTS, RETAILER_POINTS, PROMOTER_POINTS = 100, 10, 5
PARTIES = {"retailer": RETAILER_POINTS, "promoter": PROMOTER_POINTS}


@dataclass
class World:
    """Labels that can be redeemed, and all that a redemption may name. ``labels``: secret → label_no."""

    product: Product
    batch: Batch
    campaign: Campaign
    labels: dict[str, int]
    serials: dict[str, str]
    partners: dict[str, Partner]
    token: str
    key_id: int
    phones: list[str] = field(default_factory=lambda: [phone(n) for n in range(32)])

    @property
    def secrets(self) -> list[str]:
        """The hidden codes, in the order of their labels."""
        return list(self.labels)


def phone(number: int) -> str:
    """Return the n-th number of the world: Chinese mobile, E.164."""
    return f"+861380000{number:04d}"


def make_world(
    *, labels: int = 100, budget: int | None = None, prizes: Sequence[NewTier] = (), enters: bool = False
) -> World:
    """Make a product, a batch on sale, an open campaign that pays three parties, one retailer, one promoter, a key.

    With ``prizes`` every label plays an instant game for them; if it ``enters``, it is in a draw too.
    """
    at = now() - timedelta(days=1)
    product = create_product(gtin=GTIN, name="Spring tea", name_zh="春茶", at=at)
    batch = order_batch(order_key="races", product=product, count=labels, at=at)
    generate_batch(batch.pk)
    batch.refresh_from_db()
    first, end = batch.label_range.lower, batch.label_range.upper
    activate(label_range=(first, end), product=product, at=at)
    numbers = list(range(first, end))
    key, token = create_key("races", ["read", "check", "redeem", "goods"], at=at)
    if prizes:
        games.game_now(batch, *prizes, at=now())
    if enters:
        games.draw_now(games.tier(1, 3, use="draw"), at=now(), terms={"enter": {"label": 1, "losing_play": 1}})
    return World(
        product=product,
        batch=batch,
        campaign=_campaign(at, budget),
        labels=dict(zip(secrets_of(numbers), numbers, strict=True)),
        serials=dict(zip(secrets_of(numbers), serials_of(numbers), strict=True)),
        partners={kind: create_partner(kind=kind, name=kind, at=at) for kind in PARTIES},
        token=token,
        key_id=key.pk,
    )


def _campaign(at: object, budget: int | None) -> Campaign:
    awards = [NewAward(party="consumer", points=POINTS)]
    awards += [NewAward(party=party, points=points) for party, points in PARTIES.items()]
    campaign = create_campaign(name="Spring", name_zh="春", opens_at=at, awards=awards, budget=budget, at=at)
    return open_campaign(campaign.pk, at=at)


def history_of(world: World, calls: Sequence[Call], *, due: dict[str, int] | None = None) -> History:
    """Read what the database holds now, in the words of the checker. Parties: phones, and "retailer", "promoter"."""
    code_of = {label_no: secret for secret, label_no in world.labels.items()}
    accounts = {partner.account_id: kind for kind, partner in world.partners.items()}
    accounts |= {holder.account_id: number for number, holder in members_at(world.phones).items()}
    scans = list(Scan.objects.order_by("pk"))
    receipts = dict(zip([s.pk for s in scans], receipt_nos([s.pk for s in scans]), strict=True))
    transfers = Transfer.objects.filter(cause_kind=Cause.REDEMPTION)
    return History(
        calls=tuple(calls),
        scans=tuple(
            Looked(
                number=scan.pk, receipt=receipts[scan.pk], code=code_of.get(scan.label_no or 0), outcome=scan.outcome
            )
            for scan in scans
        ),
        redemptions=tuple(
            Redeemed(code=code_of[row.label_no], receipt=receipts[row.scan_id]) for row in Redemption.objects.all()
        ),
        paid=tuple(
            Paid(receipt=receipts.get(row.cause_id), holder=accounts[row.credit_id], amount=row.amount)
            for row in transfers
        ),
        balances={
            accounts[row.pk]: row.posted for row in Account.objects.filter(kind=Account.Kind.HOLDER).exclude(posted=0)
        },
        due=PARTIES if due is None else due,
        points=POINTS,
    )


def outcomes_kept() -> Counter[str]:
    """Return how many scans were told each outcome."""
    return Counter(str(outcome) for outcome in Scan.objects.values_list("outcome", flat=True))


def ledger_sum() -> int:
    """Return the sum of all accounts by their transfers: 0, by construction or not at all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(posted), 0) - coalesce((SELECT sum(amount) FROM ledger_transfer t"
            " JOIN ledger_account d ON d.id = t.debit_id WHERE d.kind = 'system'), 0)"
            " + coalesce((SELECT sum(amount) FROM ledger_transfer t JOIN ledger_account c ON c.id = t.credit_id"
            " WHERE c.kind = 'system'), 0) FROM ledger_account"
        )
        return int(cursor.fetchone()[0])


def unused(codes: Iterable[str], world: World) -> list[str]:
    """Return the codes whose labels have no redemption."""
    spent = set(Redemption.objects.values_list("label_no", flat=True))
    return [code for code in codes if world.labels[code] not in spent]


def play_faults() -> list[str]:
    """Return what is wrong with plays and entries, whatever happened: each redemption played and entered exactly once."""
    redeemed = Counter(Redemption.objects.values_list("label_no", "scan_id"))
    plays = Counter(Play.objects.values_list("label_no", "scan_id"))
    entered = Counter(Entry.objects.filter(source=Entry.Source.LABEL).values_list("source_id", flat=True))
    found = [f"{len(redeemed - plays)} redemptions played nothing, {len(plays - redeemed)} plays are of none"]
    found = found if redeemed != plays else []
    if entered and entered != Counter(label_no for label_no, _scan in redeemed):
        found.append("entries are not those of the redemptions")
    if Play.objects.filter(over_budget=True).exists():
        found.append("a prize is over budget")
    won = Play.objects.filter(outcome=Play.Outcome.WON)
    if Counter(won.values_list("pk", flat=True)) != Counter(Claim.objects.values_list("play_id", flat=True)):
        found.append("claims are not those of the winners")
    points = Counter(
        {play.pk: play.tier.points for play in won.select_related("tier") if play.tier and play.tier.points}
    )
    paid: Counter[int] = Counter()
    for cause, amount in Transfer.objects.filter(cause_kind=Cause.PLAY).values_list("cause_id", "amount"):
        paid[cause] += amount
    if points != paid:
        found.append("points paid are not those won")
    for budget in Budget.objects.filter(tier__isnull=False).prefetch_related("slots"):
        taken = budget.total - sum(slot.left for slot in budget.slots.all())
        if taken != won.filter(tier=budget.tier_id).count():
            found.append(f"tier {budget.tier_id}: {taken} units taken")
    return found
