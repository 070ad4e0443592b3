"""Slots, the key spaces of codes: which one an order takes, and how a root key ends.

Locks: the counter's row, before any other row.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from brands.models import SlotLease
from common.db import inside_transaction
from common.errors import Conflict, NotFound
from labels import keys, queries
from labels.codes.forms import Form
from labels.models import LabelCounter, Slot
from staff.keys import destroy_key
from staff.models import BrandKey

HARD_MAX_ODDS = 1e-4  # Commission Delegated Regulation (EU) 2016/161, Article 4 (c)
ROOT_OF_NEW_SLOTS = 1


class OddsTooHigh(Conflict):
    """So many labels would make codes too easy to guess."""

    code = "odds_too_high"


class FormsClash(Conflict):
    """A brand uses either N16 or B16, since the length of a code must tell its form."""

    code = "forms_clash"


class SlotsInUse(Conflict):
    """Labels of this root key are still in use."""

    code = "slots_in_use"


@inside_transaction
def lock_counter() -> LabelCounter:
    LabelCounter.objects.bulk_create([LabelCounter(version=uuid4())], ignore_conflicts=True)
    return LabelCounter.objects.select_for_update().get()


def max_odds_of_brand(asked: float | None = None) -> float:
    """Return the highest guess odds that an order may reach: the lowest of platform, brand, request and law."""
    limits: list[float] = [HARD_MAX_ODDS, settings.LABELS_MAX_ODDS, connection.tenant.labels_max_odds]
    return min([*limits, asked] if asked is not None else limits)


def odds(form: Form, live: int) -> float:
    """Return the chance that one well-formed guess hits a live label of a slot."""
    return live / form.space


@dataclass(frozen=True, slots=True)
class Quote:
    """Where an order of secrets would go: ``slot`` None is a new one. ``fits``: within ``limit``."""

    slot: Slot | None
    live: int
    odds: float
    limit: float
    fits: bool


def quote(form: Form, count: int, *, at: datetime) -> Quote:
    """Return what an order would come to, without ordering."""
    return _choose(Slot.Purpose.SECRET, form, count, max_odds_of_brand(), at)


def _choose(purpose: str, form: Form, count: int, limit: float, at: datetime) -> Quote:
    """Return the slot with room and fewest live labels, else a new one if there can be one."""
    live = queries.live_labels(purpose, form.name, at)
    open_slots = Slot.objects.filter(purpose=purpose, form=form.name, number__gte=1, state=Slot.State.OPEN)
    slot = min(open_slots, key=lambda slot: (live[slot.pk], slot.pk), default=None)
    is_full = slot is None or odds(form, live[slot.pk] + count) > limit
    can_be_new = is_full and _free_number(purpose, form, live) is not None
    if can_be_new:
        slot = None
    after = count + (live[slot.pk] if slot else 0)
    fits = odds(form, after) <= limit and (slot is not None or can_be_new)
    return Quote(slot, after, odds(form, after), limit, fits)


def take_slot(purpose: str, form: Form, count: int, limit: float, *, test_series: bool, at: datetime) -> Slot:
    """Return the slot for ``count`` more labels. Raises `OddsTooHigh`, `FormsClash`."""
    _refuse_clash(form)
    if test_series:
        return _test_slot(purpose, form, at)
    choice = _choose(purpose, form, count, limit, at)
    if not choice.fits:
        raise OddsTooHigh(
            _("One guess in %(one_in)s would hit; the limit is one in %(limit)s. Choose a longer code or fewer labels.")
            % {"one_in": f"{round(1 / choice.odds):,}", "limit": f"{round(1 / limit):,}"},
            odds=choice.odds,
            limit=limit,
        )
    return choice.slot or _new_slot(purpose, form, at)


def _refuse_clash(form: Form) -> None:
    other = {"N16": "B16", "B16": "N16"}.get(form.name)
    if other and Slot.objects.filter(form=other).exists():
        raise FormsClash(_("A brand uses either N16 or B16, since the length of a code must tell its form."))


def _test_slot(purpose: str, form: Form, at: datetime) -> Slot:
    slot, _made = Slot.objects.get_or_create(
        purpose=purpose,
        form=form.name,
        number=0,
        generation=0,
        defaults={"root_version": ROOT_OF_NEW_SLOTS, "created_at": at},
    )
    return slot


def _new_slot(purpose: str, form: Form, at: datetime) -> Slot:
    """Make the slot that `_free_number` names; a platform-wide number is leased first, and another brand may be faster."""
    live = queries.live_labels(purpose, form.name, at)
    found = _free_number(purpose, form, live)
    while found and form.platform_wide and not _lease(form, found[0], at):
        found = _free_number(purpose, form, live)
    if found is None:
        raise OddsTooHigh(_("All slots of this form are full. Choose another form of code."))
    number, generation = found
    Slot.objects.filter(purpose=purpose, form=form.name, number=number).update(state=Slot.State.DECRYPT_ONLY)
    return Slot.objects.create(
        purpose=purpose,
        form=form.name,
        number=number,
        generation=generation,
        root_version=_newest_root(),
        created_at=at,
    )


def _free_number(purpose: str, form: Form, live: dict[int, int]) -> tuple[int, int] | None:
    """Return number and generation of a slot that can be made: of a number never used, else of one all ended."""
    slots = Slot.objects.filter(purpose=purpose, form=form.name, number__gte=1).order_by("generation")
    newest = {slot.number: slot for slot in slots}
    taken = set(newest)
    if form.platform_wide:
        taken = set(SlotLease.objects.filter(form=form.name, ended_at=None).values_list("number", flat=True))
    number = next((number for number in range(1, form.slots) if number not in taken), None)
    if number is not None:
        return number, newest[number].generation + 1 if number in newest else 0
    if form.platform_wide or purpose == Slot.Purpose.SERIAL:
        return None
    alive = {slot.number for slot in slots if live[slot.pk]}
    ended = next((slot for slot in newest.values() if slot.number not in alive), None)
    return None if ended is None else (ended.number, ended.generation + 1)


def _newest_root() -> int:
    roots = BrandKey.objects.filter(kind=BrandKey.Kind.ROOT, version__gte=1, destroyed_at=None)
    return roots.order_by("-version").values_list("version", flat=True)[0]


def _lease(form: Form, number: int, at: datetime) -> bool:
    """Lease a number of a platform-wide form to this brand; False where another was first."""
    try:
        with transaction.atomic():
            SlotLease.objects.create(form=form.name, number=number, brand=connection.tenant, leased_at=at)
    except IntegrityError:
        return False
    return True


def shred_root(version: int, *, at: datetime) -> None:
    """Destroy a root key for ever, once every slot under it is closed: its codes become "retired".

    Raises `SlotsInUse`, and `NotFound` for version 0, which serves no slot and stays.
    """
    with transaction.atomic(durable=True):
        counter = lock_counter()
        if version < 1:
            raise NotFound
        if Slot.objects.filter(root_version=version).exclude(state=Slot.State.CLOSED).exists():
            raise SlotsInUse(_("Labels of this root key are still in use."))
        destroy_key(BrandKey.Kind.ROOT, version=version, at=at)
        counter.version = uuid4()
        counter.save()
    keys.forget()
    queries.forget_tables()
