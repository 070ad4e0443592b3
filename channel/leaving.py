"""What leaves leaves what it was in: a case its pallet, a pack its case. Units keep what remains, and their history."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q

from channel.chain import merged, without
from channel.items import Target
from channel.models import UnitParent, UnitRange
from common.db import inside_transaction


@inside_transaction
def leave(targets: Sequence[Target], *, at: datetime) -> None:
    """Take units and labels out of units that do not go along, from a moment on."""
    along = {unit_id for one in targets for unit_id in one.units}
    roots = {one.unit.pk for one in targets if one.unit is not None}
    links = UnitParent.objects.filter(_open_at(at), child_id__in=roots).exclude(parent_id__in=along)
    links.update(closed_at=at)
    take_out([part for one in targets if one.unit is None for part in one.parts], along, at=at)


@inside_transaction
def take_out(parts: Iterable[tuple[int, int]], along: Iterable[int] = (), *, at: datetime) -> None:
    """Take ranges of labels out of the units that they are in, but for those that go ``along``."""
    for first, end in merged(parts):
        met = UnitRange.objects.filter(_open_at(at), label_range__overlap=NumericRange(first, end))
        for row in met.exclude(unit_id__in=list(along)).order_by("label_range"):
            was_closed_at, row.closed_at = row.closed_at, at
            row.save(update_fields=["closed_at"])
            UnitRange.objects.bulk_create(
                UnitRange(unit_id=row.unit_id, label_range=NumericRange(*rest), opened_at=at, closed_at=was_closed_at)
                for rest in without((row.label_range.lower, row.label_range.upper), [(first, end)])
            )


def _open_at(at: datetime) -> Q:
    return Q(opened_at__lte=at) & (Q(closed_at=None) | Q(closed_at__gt=at))
