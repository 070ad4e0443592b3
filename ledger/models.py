"""The rows of the ledger: accounts, transfers between them, lots that expire, and holds.

An account does not know its holder: members, partners and campaigns point at accounts.
"""

from functools import partial

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.db import Xid8Field
from common.ids import new_public_id
from ledger.lots import NEVER

MAX_AMOUNT = 2**53 - 1  # the largest whole number that JSON readers keep exactly


class Kind(models.IntegerChoices):
    """Why value moves. The code tells which sides are people's, and with it which indexes hold the row.

    Below 10 a system account pays a holder, from 10 both sides may be holders, from 20 a holder pays a system
    account, from 30 no holder takes part. A name may be added, a code never reused.
    """

    AWARD = 1, _("award")
    PRIZE = 2, _("prize")
    GRANT = 3, _("grant")
    RECHARGE = 4, _("recharge")
    MOVE = 10, _("move")
    REVERSAL = 11, _("reversal")
    CLAWBACK = 12, _("clawback")
    ADJUSTMENT = 13, _("adjustment")
    SPEND = 20, _("spend")
    EXPIRE = 21, _("expiry")
    PAYOUT = 22, _("payout")
    FORFEIT = 23, _("forfeit")
    BUDGET = 30, _("budget")


class Cause(models.IntegerChoices):
    """What a transfer answers to; with the number of that row it is the transfer's idempotency key."""

    REDEMPTION = 1, _("redemption")
    HOLD = 2, _("hold")
    TRANSFER = 3, _("transfer")
    LOT = 4, pgettext_lazy("points", "lot")
    CAMPAIGN = 5, _("campaign")
    MEMBER = 6, _("member")
    PLAY = 7, _("scratch game")
    DRAW = 8, _("draw")
    CLAIM = 9, _("claim")
    ORDER = 10, _("order")
    PURCHASE = 11, _("purchase")
    PARTNER = 12, _("partner")
    SETTLEMENT = 13, _("settlement")
    MANUAL = 14, _("entry by staff")


class Account(models.Model):
    """Whole units of one thing: points, or money in its smallest coin, or a count.

    Holders keep ``posted`` and ``held`` in the row and never fall below their floor. System accounts keep no balance
    in the row, which every redemption would lock: theirs is the sum of their transfers. A clawback account is what
    one holder owes after a reversal; later awards pay it first.
    """

    class Kind(models.TextChoices):
        HOLDER = "holder", _("holder")
        CLAWBACK = "clawback", _("owed after reversal")
        SYSTEM = "system", _("system")

    class Party(models.TextChoices):
        CONSUMER = "consumer", _("consumer")
        RETAILER = "retailer", _("retailer")
        PROMOTER = "promoter", _("promoter")
        DISTRIBUTOR = "distributor", _("distributor")
        STAFF = "staff", _("staff")
        PENDING = "pending", _("not yet claimed")
        BRAND = "brand", _("brand")

    class Role(models.TextChoices):
        ISSUANCE = "issuance", _("issued")
        REDEEMED = "redeemed", _("spent")
        EXPIRED = "expired", _("expired")
        PAYOUT = "payout", _("paid out")
        CLEARING = "clearing", _("clearing")
        ADJUSTMENT = "adjustment", _("adjustments")
        BUDGET = "budget", _("prize budget")

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("account", "open")
        FROZEN = "frozen", pgettext_lazy("account", "frozen")
        CLOSED = "closed", pgettext_lazy("account", "closed")

    posted = models.BigIntegerField(_("posted"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    floor = models.BigIntegerField(
        _("floor"), null=True, blank=True, help_text=_("lowest balance; below zero for credit")
    )
    clawback_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, db_index=False, related_name="clawbacks"
    )
    created_at = models.DateTimeField(_("opened at"), db_default=Now())
    public_id = models.CharField(max_length=26, default=partial(new_public_id, "acc"), editable=False)
    unit = models.CharField(_("unit"), max_length=12, default="points")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.HOLDER)
    party = models.CharField(_("party"), max_length=11, choices=Party.choices)
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, blank=True, default="")
    status = models.CharField(_("status"), max_length=6, choices=Status.choices, default=Status.OPEN)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(floor=None) | Q(posted__gte=F("floor") + F("held")), name="account_keeps_its_floor"
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="account_holds_nothing_negative"),
            models.CheckConstraint(
                condition=Q(kind="holder", floor__isnull=False, floor__lte=0, clawback_of=None, role="")
                | Q(kind="clawback", floor=None, posted__lte=0, held=0, clawback_of__isnull=False, role="")
                | Q(kind="system", floor=None, posted=0, held=0, clawback_of=None, status="open") & ~Q(role=""),
                name="account_is_holder_clawback_or_system",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "frozen", "closed"]), name="account_status_is_known"
            ),
            models.CheckConstraint(condition=~Q(status="closed") | Q(posted=0, held=0), name="closed_account_is_empty"),
            models.UniqueConstraint(fields=["public_id"], name="account_public_id_is_unique"),
            models.UniqueConstraint(
                fields=["unit", "role"],
                condition=Q(kind="system") & ~Q(role="budget"),
                name="system_account_exists_once",
            ),
            models.UniqueConstraint(
                fields=["clawback_of"], condition=Q(clawback_of__isnull=False), name="holder_has_one_clawback"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def name(self) -> str:
        """What people call it: its role, or whose account it is."""
        return str(self.get_role_display() if self.role else self.get_party_display())

    @property
    def available(self) -> int:
        """How much may leave a holder's account now."""
        return self.posted - self.held - (self.floor or 0)


class Transfer(models.Model):
    """One movement of value, written once and never changed.

    Balanced by construction: a single amount leaves one account and enters another. A mistake is answered by a second
    transfer of kind reversal, whose cause is the first. Kinds are small numbers, for there are three rows to each
    redemption; columns stand widest first.
    """

    debit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    credit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    amount = models.BigIntegerField(_("amount"), help_text=_("whole units, above zero"))
    cause_id = models.BigIntegerField(_("number of the cause"))
    posted_at = models.DateTimeField(_("posted at"))
    xact = Xid8Field(db_default=Func(function="pg_current_xact_id"), editable=False)
    expires_on = models.DateField(
        _("expires on"), null=True, blank=True, help_text=_("the one lot that the credited holder received")
    )
    kind = models.SmallIntegerField(_("kind"), choices=Kind.choices)
    cause_kind = models.SmallIntegerField(_("cause"), choices=Cause.choices)
    linked = models.SmallIntegerField(
        _("linked"), default=1, help_text=_("how many transfers of this cause were posted together, all or none")
    )
    recorded_by = models.CharField(_("recorded by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="transfer_amount_is_positive_and_exact"
            ),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_moves_between_two_accounts"),
            models.UniqueConstraint(
                fields=["cause_id", "cause_kind", "kind", "debit", "credit"], name="transfer_has_one_cause"
            ),
            models.UniqueConstraint(
                fields=["cause_id"], condition=Q(kind=Kind.REVERSAL), name="transfer_is_reversed_once"
            ),
        ]
        indexes = [
            models.Index(fields=["debit", "id"], condition=Q(kind__gte=10, kind__lt=30), name="transfer_from_holder"),
            models.Index(fields=["credit", "id"], condition=Q(kind__lt=20), name="transfer_to_holder"),
            BrinIndex(fields=["posted_at"], autosummarize=True, name="transfer_by_time"),
        ]


class Lot(models.Model):
    """The points of one account that expire together, at the end of one day in the brand's time zone."""

    pk = models.CompositePrimaryKey("account_id", "expires_on")
    account = models.ForeignKey(Account, models.PROTECT, related_name="lots", db_constraint=False, db_index=False)
    left = models.BigIntegerField(_("left"))
    expires_on = models.DateField(_("expires on"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(left__gte=0) | Q(expires_on=NEVER), name="lot_is_overdrawn_only_if_it_never_expires"
            )
        ]
        indexes = [models.Index(fields=["expires_on"], condition=Q(expires_on__lt=NEVER), name="lot_by_day")]


class LotUse(models.Model):
    """What one transfer took from a lot of its debit side, or (below zero) gave back to a lot of its credit side."""

    pk = models.CompositePrimaryKey("transfer_id", "expires_on")
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="lot_uses", db_index=False)
    amount = models.BigIntegerField(_("amount"))
    expires_on = models.DateField(_("expires on"))

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="lot_use_takes_or_gives_back")]


class Hold(models.Model):
    """An amount reserved for one purpose: settled once, whole or in part; or void; or expired."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("hold", "open")
        SETTLED = "settled", pgettext_lazy("hold", "settled")
        VOID = "void", pgettext_lazy("hold", "void")
        EXPIRED = "expired", pgettext_lazy("hold", "expired")

    account = models.ForeignKey(Account, models.PROTECT, related_name="holds", db_index=False)
    amount = models.BigIntegerField(_("amount"))
    settled = models.BigIntegerField(_("settled"), default=0)
    cause_id = models.BigIntegerField(_("number of the cause"))
    cause_kind = models.SmallIntegerField(_("cause"), choices=Cause.choices)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, help_text=_("empty: never by itself"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="hold_amount_is_positive_and_exact"
            ),
            models.CheckConstraint(
                condition=Q(state="settled", settled__gt=0, settled__lte=F("amount"))
                | Q(state__in=["open", "void", "expired"], settled=0),
                name="hold_is_settled_once_within_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None) | ~Q(state="open") & Q(ended_at__isnull=False),
                name="hold_ends_once",
            ),
            models.UniqueConstraint(fields=["account", "cause_id", "cause_kind"], name="hold_has_one_cause"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(state="open"), name="hold_to_expire")]


class Anchor(models.Model):
    """A hash that the next seal covers: whoever has that seal can prove when the hash was known. Append-only."""

    class Kind(models.TextChoices):
        RULES = "rules", _("rules of a campaign")
        DRAW_RULES = "draw_rules", _("rules of a draw")
        DRAW_ROOT = "draw_root", _("entries of a draw")
        COMMITMENT = "commitment", _("commitment of an instant game")
        AUDIT = "audit", _("audit")
        ERASURE = "erasure", _("erasure of a person")
        EVIDENCE = "evidence", _("evidence of an investigation")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    subject = models.CharField(_("subject"), max_length=60)
    hash = models.BinaryField(_("hash"), max_length=32)
    at = models.DateTimeField(_("at"))
    xact = Xid8Field(db_default=Func(function="pg_current_xact_id"), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject", "hash"], name="anchor_is_written_once"),
        ]


class Seal(models.Model):
    """A signature over all transfers and anchors of the transactions ``xact_from`` ≤ xact < ``xact_to``. Append-only.

    Every transaction below ``xact_to`` had ended when the seal was made, so nothing can come to it later. ``upcoming``:
    the first transaction that had not begun; ``seen_transfer``, ``seen_anchor``: the highest ids then written, below
    which a transaction that began later has no row. A restore into a new cluster begins a new ``era``: PostgreSQL
    counts its transactions from the start again.
    """

    n = models.BigIntegerField(_("seal"), primary_key=True)
    era = models.PositiveSmallIntegerField(default=1)
    xact_from = models.BigIntegerField()
    xact_to = models.BigIntegerField()
    upcoming = models.BigIntegerField()
    seen_transfer = models.BigIntegerField()
    seen_anchor = models.BigIntegerField()
    transfers = models.BigIntegerField(_("transfers"))
    first_transfer = models.BigIntegerField(null=True)
    last_transfer = models.BigIntegerField(null=True)
    anchors = models.BigIntegerField(_("anchors"))
    first_anchor = models.BigIntegerField(null=True)
    last_anchor = models.BigIntegerField(null=True)
    root = models.BinaryField(_("root"), max_length=32)
    previous = models.BinaryField(_("seal before"), max_length=32)
    hash = models.BinaryField(_("hash"), max_length=32, unique=True)
    key = models.BinaryField(_("public key"), max_length=32)
    signature = models.BinaryField(_("signature"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed at"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(n__gte=1), name="seals_count_from_one"),
            models.CheckConstraint(condition=Q(xact_from__lte=F("xact_to")), name="seal_covers_a_closed_range"),
        ]

    def __str__(self) -> str:
        return f"{self.n}"


class SealCopy(models.Model):
    """That a day's last seal was sent out of the house: where to, and what. Append-only."""

    seal = models.ForeignKey(Seal, models.PROTECT, related_name="copies", db_index=False)
    day = models.DateField(_("day"))
    place = models.CharField(_("sent to"), max_length=200)
    hash = models.BinaryField(_("hash of the file"), max_length=32)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "place"], name="seal_is_copied_once_a_day_and_place")]
