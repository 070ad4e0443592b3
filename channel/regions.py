"""Loading the tree of regions from the file that `channel.gazetteer` made."""

import gzip
from collections.abc import Collection, Iterator
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from channel.gazetteer import FILE, Row
from channel.models import Region
from common.errors import NotFound

_KINDS = ("country", "province", "city", "county")


class UnknownCountry(NotFound):
    """There is no such country."""

    code = "unknown_country"


def load(countries: Collection[str]) -> int:
    """Bring countries and all below them up to the file; return how many regions that are. Raises `UnknownCountry`.

    A region that the file has no more is kept; a territory or an old scan may name it.
    """
    wanted = list(_below(set(countries)))
    if missing := set(countries) - {row.code for row in wanted if row.kind == "country"}:
        raise UnknownCountry(_("There is no country {code}.").format(code=", ".join(sorted(missing))))
    with transaction.atomic(durable=True):
        known: dict[str, int] = dict(Region.objects.values_list("code", "id"))
        for kind in _KINDS:
            rows = [_region(row, known) for row in wanted if row.kind == kind]
            fields = ["kind", "parent", "name", "name_zh", "lat", "lon", "population", "valid_to"]
            Region.objects.bulk_create(
                rows, batch_size=1_000, update_conflicts=True, unique_fields=["code"], update_fields=fields
            )
            known = dict(Region.objects.values_list("code", "id"))
        for row in wanted:
            if row.replaced_by in known:
                Region.objects.filter(code=row.code).update(replaced_by_id=known[row.replaced_by])
    return len(wanted)


def _below(countries: set[str]) -> Iterator[Row]:
    within = set(countries)
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = Row(*line.rstrip("\n").split("\t"))
            if row.code in countries and row.kind == "country":
                yield row
            elif row.parent in within:
                within.add(row.code)
                yield row


def _region(row: Row, known: dict[str, int]) -> Region:
    return Region(
        code=row.code,
        kind=row.kind,
        parent_id=known[row.parent] if row.parent else None,
        name=row.name,
        name_zh=row.name_zh,
        lat=float(row.lat) if row.lat else None,
        lon=float(row.lon) if row.lon else None,
        population=int(row.population) if row.population else None,
        valid_to=date.fromisoformat(row.valid_to) if row.valid_to else None,
    )
