"""The stock of voucher codes: uploaded once, encrypted, each handed to one claim for ever."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from common.db import inside_transaction
from lottery.errors import BadStock
from lottery.models import Claim, PrizeTier, VoucherCode
from lottery.models.claim import CODE_FIELD
from staff import vault

log = logging.getLogger(__name__)
LONGEST = 100
MOST_LINES = 20_000
NAMED = 20  # lines that an error names
SHOWN = 50
LOW = 0.1  # of the quantity: the stock is low


@dataclass(frozen=True, slots=True)
class Stock:
    """How the codes of a prize stand. ``low``: fewer are left than prizes still to give, or than a tenth of them."""

    total: int
    left: int
    waiting: int
    low: bool


def codes_of(text: str) -> list[tuple[int, str]]:
    """Return line and code of an uploaded file: the first column of each line; a heading and empty lines are left out.

    Raises `BadStock`, which names the lines that hold a code twice, or none that can be read.
    """
    rows = [
        (line, row.split(",")[0].strip().strip('"')) for line, row in enumerate(text.lstrip("\ufeff").splitlines(), 1)
    ]
    found = [(line, code) for line, code in rows if code]
    if found and found[0][1].lower() in {"code", "codes", "voucher", "券码", "兑换码", "卡密"}:
        found = found[1:]
    if not found:
        raise BadStock(_("The file holds no codes."))
    if len(found) > MOST_LINES:
        raise BadStock(_("Upload at most %(most)s codes at once.") % {"most": f"{MOST_LINES:,}"})
    bad = [line for line, code in found if len(code) > LONGEST or not code.isprintable()]
    if bad:
        raise BadStock(_("These lines hold no code that can be read: %(lines)s") % {"lines": _named(bad)}, lines=bad)
    seen: dict[str, int] = {}
    twice = [line for line, code in found if seen.setdefault(code, line) != line]
    if twice:
        raise BadStock(
            _("These lines repeat a code of the same file: %(lines)s") % {"lines": _named(twice)}, lines=twice
        )
    return found


def _named(lines: Sequence[int]) -> str:
    more = ["…"] if len(lines) > NAMED else []
    return ", ".join([*(str(line) for line in lines[:NAMED]), *more])


def add(tier_id: int, text: str, *, by: str, at: datetime) -> int:
    """Take a file of codes into the stock of a voucher prize, all or none; return how many.

    Raises `BadStock`: a line repeats another one, or a code that the stock holds already.
    """
    found = codes_of(text)
    indexes = vault.blind_indexes([code for _line, code in found], purpose="voucher")
    tier = PrizeTier.objects.filter(pk=tier_id, kind=PrizeTier.Kind.VOUCHER).first()
    if tier is None:
        raise BadStock(_("Only a prize of vouchers has a stock of codes."))
    rows = []
    for (_line, code), index in zip(found, indexes, strict=True):
        row = uuid.uuid4()
        cipher = vault.seal(code, field=CODE_FIELD, row=row)
        rows.append(VoucherCode(tier=tier, uuid=row, cipher=cipher, index=index, uploaded_at=at, uploaded_by=by))
    rows.sort(key=lambda row: bytes(row.index))  # two uploads of the same codes wait for each other, and never deadlock
    with transaction.atomic(durable=True):
        VoucherCode.objects.bulk_create(rows, ignore_conflicts=True)
        ours = VoucherCode.objects.filter(uuid__in=[row.uuid for row in rows])
        kept = {bytes(index) for index in ours.values_list("index", flat=True)}
        there = [line for (line, _code), index in zip(found, indexes, strict=True) if index not in kept]
        if there:
            raise BadStock(
                _("These lines hold codes that are in the stock already: %(lines)s") % {"lines": _named(there)},
                lines=there,
            )
    return len(rows)


@inside_transaction
def take(claim: Claim, *, at: datetime) -> bool:
    """Give the next code of the tier's stock to a claim; return whether there was one. Nobody waits for anybody."""
    row = (
        VoucherCode.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(tier=claim.tier_id, claim=None)
        .order_by("id")
        .first()
    )
    if row is None:
        log.error("the stock of vouchers is empty", extra={"claim": claim.public_id, "tier": claim.tier.tier})
        return False
    row.claim, row.taken_at = claim, at
    row.save(update_fields=["claim", "taken_at"])
    return True


def code_of(claim: Claim) -> str:
    """Return the code that a claim was given, decrypted; empty if none."""
    row = VoucherCode.objects.filter(claim=claim).first()
    return vault.unseal(bytes(row.cipher), field=CODE_FIELD, row=row.uuid) if row else ""


def stock_of(tier: PrizeTier) -> Stock:
    """Return how the codes of a prize stand."""
    counts = VoucherCode.objects.filter(tier=tier).aggregate(total=Count("pk"), left=Count("pk", filter=Q(claim=None)))
    claims = Claim.objects.filter(tier=tier)
    given = claims.filter(state__in=[Claim.State.SENT, Claim.State.DONE]).count()
    waiting = claims.filter(state=Claim.State.APPROVED).count()
    owed = max(0, tier.quantity - given)
    low = bool(owed) and counts["left"] < max(waiting + 1, min(owed, round(tier.quantity * LOW) or 1))
    return Stock(counts["total"], counts["left"], waiting, low)


def stocks() -> list[tuple[PrizeTier, Stock]]:
    """Return the voucher prizes of published campaigns, the newest first, with how their codes stand."""
    tiers = PrizeTier.objects.filter(kind=PrizeTier.Kind.VOUCHER, campaign__published_at__isnull=False)
    found = tiers.select_related("campaign").order_by("-campaign__created_at", "tier")
    return [(tier, stock_of(tier)) for tier in found[:SHOWN]]


def low_ones() -> list[tuple[PrizeTier, Stock]]:
    """Return those of `stocks` that run low: somebody should upload codes."""
    return [(tier, kept) for tier, kept in stocks() if kept.low]
