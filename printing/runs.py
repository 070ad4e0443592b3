"""Prints of packs, shelf talkers, cards and coupons: a row says what, the files are made from it whenever asked.

An SSCC is the next of its company's counter, under a lock and an exclusion constraint, and is never given out again, not
even when a run is cancelled. The seam for what comes to know packs as goods: `pack_at` and `packs_of`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from common.db import inside_transaction
from common.errors import Conflict, Invalid
from labels import keys, queries
from labels.codes.encode import cipher, encode
from labels.codes.forms import R12
from labels.identifiers import check_digit_is_right
from labels.models import Batch
from printing import cards, designs, gs1, record_proof, records, zpl
from printing.cards import CardRecord
from printing.models import Run, SsccCounter, TemplateVersion
from printing.records import Record
from printing.template import Template as Layout
from staff.keys import brand_uuid, root_key

MOST_PIECES = 20_000
FIRST_COUPON = 1


class NotToRun(Invalid):
    """That cannot be printed so."""

    code = "not_to_run"


class NoPrefix(Conflict):
    """The brand has no GS1 company prefix yet: give it under Settings."""

    code = "no_prefix"


class InAPackAlready(Conflict):
    """Some of these labels are in a pack of this kind already: cancel that print first."""

    code = "in_a_pack_already"


class KeyUsed(Conflict):
    """Something else was printed under this key."""

    code = "key_used"


@dataclass(frozen=True, slots=True)
class NewPacks:
    """Packs of one kind for labels ``first`` … ``last`` of a batch (counted from 1), ``per_pack`` in each."""

    batch: Batch
    first: int
    last: int
    per_pack: int
    lot: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack: its SSCC and the half-open range of labels inside."""

    run: Run
    seq: int
    sscc: str
    first: int
    end: int

    @property
    def count(self) -> int:
        """Units inside."""
        return self.end - self.first

    @property
    def from_label(self) -> int:
        """The place of the first label in its batch, from 1."""
        return self.first - int(self.run.batch.label_range.lower) + 1 if self.run.batch else 0

    @property
    def to_label(self) -> int:
        """The place of the last label in its batch."""
        return self.from_label + self.count - 1

    def places(self) -> dict[str, str | int]:
        """Return its labels as forms of ranges name them: a batch, and places in it."""
        batch = self.run.batch.public_id if self.run.batch else ""
        return {"batch": batch, "first": self.from_label, "last": self.to_label}


def order_packs(
    version: TemplateVersion, new: NewPacks, *, order_key: str, note: str = "", at: datetime, asked_by: str = ""
) -> Run:
    """Number packs and bind each to its part of the labels. The same key and content again is the same run.

    Locks the brand's SSCC counter. Raises `NotToRun`, `NoPrefix`, `InAPackAlready`, `KeyUsed`.
    """
    kind = version.template.kind
    prefix = connection.tenant.gs1_prefix
    if kind not in Run.PACKS:
        raise NotToRun(_("This template is not one of packs."))
    if not prefix:
        raise NoPrefix(_("The brand has no GS1 company prefix yet: give it under Settings."))
    if not 1 <= new.first <= new.last <= new.batch.count or new.per_pack < 1:
        raise NotToRun(_("The batch has no such labels."))
    if new.batch.state in {Batch.State.DRAFT, Batch.State.VOID}:
        raise NotToRun(_("The labels of this batch are not made yet, or are void."))
    count = -(-(new.last - new.first + 1) // new.per_pack)
    _refuse_many(count)
    start = new.batch.label_range.lower
    row = Run(
        order_key=order_key,
        version=version,
        kind=kind,
        count=count,
        batch=new.batch,
        label_range=NumericRange(start + new.first - 1, start + new.last),
        per_pack=new.per_pack,
        lot=new.lot,
        note=note,
        created_at=at,
        created_by=asked_by,
    )

    def number() -> None:
        row.numbers = take_ssccs(prefix, count)

    return _kept(row, number)


def order_coupons(
    version: TemplateVersion, count: int, *, order_key: str, note: str = "", at: datetime, asked_by: str = ""
) -> Run:
    """Take the next numbers for coupons. Raises `NotToRun`, `KeyUsed`."""
    if version.template.kind != "coupon":
        raise NotToRun(_("This template is not one of coupons."))
    _refuse_many(count)
    row = Run(
        order_key=order_key, version=version, kind="coupon", count=count, note=note, created_at=at, created_by=asked_by
    )

    def number() -> None:
        newest = Run.objects.filter(kind="coupon").order_by("-numbers").values_list("numbers", flat=True).first()
        start = newest.upper if newest else FIRST_COUPON
        row.numbers = NumericRange(start, start + count)

    return _kept(row, number)


def order_for(
    version: TemplateVersion,
    subjects: Sequence[str],
    *,
    order_key: str,
    note: str = "",
    at: datetime,
    asked_by: str = "",
) -> Run:
    """Print one shelf talker or card for each of these public ids. Raises `NotToRun`, `KeyUsed`."""
    kind = version.template.kind
    if kind not in {"talker", "card"}:
        raise NotToRun(_("This template is neither of shelf talkers nor of cards."))
    if len(set(subjects)) != len(subjects):
        raise NotToRun(_("Somebody is in the list twice."))
    _refuse_many(len(subjects))
    row = Run(
        order_key=order_key,
        version=version,
        kind=kind,
        count=len(subjects),
        subjects=list(subjects),
        note=note,
        created_at=at,
        created_by=asked_by,
    )
    return _kept(row, lambda: None)


def cancel(run: Run, *, at: datetime) -> Run:
    """Give up a run: its labels can go into other packs, its numbers stay used. Raises `NotToRun` for one with outer packs."""
    with transaction.atomic():
        if run.outer.filter(cancelled_at=None).exists():
            raise NotToRun(_("Other packs hold these: cancel those first."))
        Run.objects.filter(pk=run.pk, cancelled_at=None).update(cancelled_at=at)
    run.refresh_from_db()
    return run


def _refuse_many(count: int) -> None:
    if not 1 <= count <= MOST_PIECES:
        raise NotToRun(_("A print has from 1 to {most} pieces.").format(most=f"{MOST_PIECES:,}"))


def _kept(row: Run, number: Callable[[], None]) -> Run:
    """Insert a run with its numbers, or return the one that this key made before."""
    try:
        with transaction.atomic():
            _lock()
            before = Run.objects.filter(order_key=row.order_key).first()
            if before is not None:
                if _content(before) != _content(row):
                    raise KeyUsed(_("Something else was printed under this key."))
                return before
            number()
            row.save(force_insert=True)
    except IntegrityError as error:
        if "no_label_lies" not in str(error):
            raise
        raise InAPackAlready(
            _("Some of these labels are in a pack of this kind already: cancel that print first.")
        ) from error
    return row


def _content(row: Run) -> tuple[Any, ...]:
    held = row.label_range and (row.label_range.lower, row.label_range.upper)
    return row.version_id, row.count, row.batch_id, held, row.per_pack, row.lot, list(row.subjects), row.note


@inside_transaction
def _lock() -> None:
    """Let one run after the other take its numbers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/printing_run', 0))")


@inside_transaction
def take_ssccs(prefix: str, count: int) -> NumericRange:
    """Return the next numbers of a company, all with one extension digit. Raises `NotToRun`."""
    SsccCounter.objects.bulk_create([SsccCounter(prefix=prefix)], ignore_conflicts=True)
    counter = SsccCounter.objects.select_for_update().get(prefix=prefix)
    room = gs1.references(prefix)
    if counter.next % room + count > room:
        counter.next += room - counter.next % room
    try:
        start = gs1.first_number(prefix, counter.next)
    except ValueError:
        raise NotToRun(_("The company prefix has no SSCC left.")) from None
    counter.next += count
    counter.save(update_fields=["next"])
    return NumericRange(start, start + count)


# --- packs, as whoever knows them as goods will ask ------------------------------------------------------------------


def pack_at(run: Run, seq: int) -> Pack:
    """Return the ``seq``-th pack of a run, from 1; the last may hold fewer units."""
    units = run.per_pack or 0
    first = run.label_range.lower + (seq - 1) * units
    end = min(first + units, run.label_range.upper)
    return Pack(run, seq, gs1.sscc(run.numbers.lower + seq - 1), first, end)


def packs(run: Run) -> Iterator[Pack]:
    """Yield the packs of a run, in order."""
    for seq in range(1, run.count + 1):
        yield pack_at(run, seq)


def pack_of(sscc: str) -> Pack | None:
    """Return the pack of an SSCC of ours; None for another's, or one that is none."""
    return packs_of([sscc]).get(sscc)


def packs_of(ssccs: Sequence[str]) -> dict[str, Pack]:
    """Return the packs of SSCCs of ours, those of cancelled prints among them; nothing for another's, or what is none."""
    found: dict[str, Pack] = {}
    known: list[Run] = []
    for sscc in ssccs:
        if len(sscc) != gs1.BODY + 1 or not sscc.isdecimal() or not check_digit_is_right(sscc):
            continue
        number = int(sscc[:-1])
        run = next((one for one in known if one.numbers.lower <= number < one.numbers.upper), None)
        if run is None:
            of_it = Run.objects.filter(kind__in=Run.PACKS, numbers__contains=number)
            run = of_it.select_related("batch__product").first()
            known += [run] if run else []
        if run is not None:
            found[sscc] = pack_at(run, number - run.numbers.lower + 1)
    return found


# --- files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom a shelf talker is: a partner's number, name, and the address that names it at a redemption."""

    number: str
    name: str
    link: str


def layout_of(run: Run) -> Layout:
    """Return the run's template with everything filled in that is the same on all its pieces."""
    product = run.batch.product if run.batch else None
    return run.version.as_template(designs.values_for(product, lot=run.lot))


def records_of(run: Run, subjects: Sequence[Subject] = ()) -> list[Record]:
    """Return what differs from piece to piece. ``subjects``: those of shelf talkers, in the order of ``run.subjects``."""
    host = str(connection.tenant.get_primary_domain().domain)
    if run.kind == "talker":
        return [Record({"partner": one.name, "partner_no": one.number}, one.link) for one in subjects]
    if run.kind == "coupon":
        numbers = coupon_numbers(run.numbers.lower, run.numbers.upper)
        prefix = connection.tenant.gs1_prefix or designs.SAMPLE_PREFIX
        return [gs1.coupon_record(number=number, prefix=prefix, seq=seq) for seq, number in enumerate(numbers, 1)]
    found = list(packs(run))
    ends = [label for one in found for label in (one.first, one.end - 1)]
    serials = dict(zip(ends, queries.serials_of(ends), strict=True))
    return [
        gs1.pack_record(
            host=host,
            sscc=one.sscc,
            gtin=run.batch.gtin_printed if run.batch else "",
            count=one.count,
            lot=run.lot,
            first=serials[one.first],
            last=serials[one.end - 1],
            seq=one.seq,
        )
        for one in found
    ]


def coupon_numbers(first: int, end: int) -> list[str]:
    """Return the numbers of coupons ``first`` … ``end − 1``: 12 digits, under a key of their own, so that none is guessed."""
    key = keys.derive(root_key(), brand_uuid(), purpose="coupon", form=R12.name)
    permutation = cipher(key, R12, 0, 0)
    return [encode(R12, 0, permutation, place) for place in range(first, end)]


def pdf(run: Run, made: Sequence[Record] | Sequence[CardRecord]) -> bytes:
    """Return the run's PDF, proved. Raises `printing.symbols.ProofFailed`, `NotToRun` where a piece does not fit."""
    template, file = layout_of(run), BytesIO()
    try:
        if run.kind == "card":
            people = [one for one in made if isinstance(one, CardRecord)]
            cards.write(template, people, file, deflate=True)
            record_proof.check_cards(file.getvalue(), template, people)
        else:
            pieces = [one for one in made if isinstance(one, Record)]
            records.write(template, pieces, file, deflate=True)
            record_proof.check(file.getvalue(), template, pieces)
    except ValueError as error:
        raise NotToRun(_("A piece does not fit its template: {fault}").format(fault=error)) from error
    return file.getvalue()


def zpl_of(run: Run, made: Sequence[Record]) -> bytes:
    """Return the run's ZPL: packs and coupons only, cards and shelf talkers go to other printers. Raises `NotToRun`."""
    if run.kind in {"card", "talker"}:
        raise NotToRun(_("Cards and shelf talkers are not printed by label printers."))
    return zpl.of_records(layout_of(run), made)
