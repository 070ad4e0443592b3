"""Derive anew all that is derived from other rows, and say what had been otherwise; with --check only compare."""

from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django.db import connection
from django_tenants.utils import tenant_context

from analytics.rollups import compare_days, compare_hours
from brands.models import Brand
from brands.queries import brands_named
from channel.custody import compare_custody
from channel.papers import InProgress
from common.clock import now
from common.derived import Compare, Compared
from common.models import Job
from common.periodic import advisory_lock
from redemption.routes import compare_routes

KIND = "rebuild_all"
# Each is derived from those before it.
PARTS: dict[str, Compare] = {
    "custody": compare_custody,
    "routes of scans": compare_routes,
    "scans by hour": compare_hours,
    "scans by day": compare_days,
}
TRIES = 30


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose the brand, and whether to mend."""
        parser.add_argument("--schema", help="the brand's schema; every brand, if it is left out")
        parser.add_argument("--check", action="store_true", help="compare only; exit 1 if anything differs")
        parser.add_argument(
            "--anew", action="store_true", help="begin at the start, though a run before was broken off"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the parts, slice by slice; a run that was broken off goes on where it stood."""
        connection.set_schema_to_public()
        brands = brands_named(options["schema"])
        if not brands:
            raise CommandError("there is no such brand")
        wrong = 0
        for brand in brands:
            with tenant_context(brand), advisory_lock(KIND) as free:
                if not free:
                    raise CommandError(f"{brand.schema_name}: another {KIND} is at work")
                wrong += self._check(brand) if options["check"] else self._mend(brand, anew=options["anew"])
        if wrong and options["check"]:
            raise CommandError(f"{wrong} rows differ", returncode=1)

    def _check(self, brand: Brand) -> int:
        wrong = 0
        for name, compare in PARTS.items():
            upto: int | None = 0
            rows = differ = 0
            while upto is not None:
                one = _compared(compare, upto, mends=False)
                upto, rows, differ = one.upto, rows + one.rows, differ + one.wrong
                self._tell_sample(brand, name, one)
            self.stdout.write(f"{brand.schema_name}: {name}: {rows} compared, {differ} differ")
            wrong += differ
        return wrong

    def _mend(self, brand: Brand, *, anew: bool) -> int:
        job = _job(anew=anew)
        for place, (name, compare) in enumerate(PARTS.items()):
            if place < job.done:
                continue
            where = job.detail.get(name, {"upto": 0, "rows": 0, "wrong": 0})
            while where["upto"] is not None:
                one = _compared(compare, where["upto"], mends=True)
                where = {"upto": one.upto, "rows": where["rows"] + one.rows, "wrong": where["wrong"] + one.wrong}
                job.detail[name], job.beat_at = where, now()
                job.save(update_fields=["detail", "beat_at"])
                self._tell_sample(brand, name, one)
            job.done = place + 1
            job.save(update_fields=["done"])
            self.stdout.write(f"{brand.schema_name}: {name}: {where['rows']} compared, {where['wrong']} mended")
        job.state, job.ended_at = Job.State.DONE, now()
        job.save(update_fields=["state", "ended_at"])
        return sum(int(one["wrong"]) for one in job.detail.values())

    def _tell_sample(self, brand: Brand, name: str, one: Compared) -> None:
        if one.sample:
            self.stderr.write(f"{brand.schema_name}: {name}: {one.wrong} differ, the first: {one.sample}")


def _job(*, anew: bool) -> Job:
    """Return the run that was broken off, or a new one."""
    open_ones = Job.objects.filter(kind=KIND, state=Job.State.RUNNING)
    if anew:
        open_ones.update(state=Job.State.CANCELLED, ended_at=now())
    job = open_ones.order_by("-id").first()
    at = now()
    return job or Job.objects.create(
        kind=KIND, subject="rebuild_all", state=Job.State.RUNNING, total=len(PARTS), created_at=at, started_at=at,
        resumed_at=at, beat_at=at,
    )  # fmt: skip


def _compared(compare: Compare, after: int, *, mends: bool) -> Compared:
    """Compare a slice; where documents of goods are written at that moment, ask again."""
    for _ in range(TRIES - 1):
        try:
            return compare(after, mends=mends)
        except InProgress:
            continue
    return compare(after, mends=mends)
