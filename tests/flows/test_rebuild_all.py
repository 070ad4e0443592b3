"""`manage.py rebuild_all`: what is derived is compared and made anew; a wrong row of each kind is found and mended."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import F

from analytics.models import RegionDay, ScanHour, Touched
from brands.models import Brand
from channel.models import Custody, Territory
from common.derived import Compared
from common.models import Job
from config.management.commands import rebuild_all
from redemption.models import Scan, ScanPlace, ScanRoute
from redemption.services import redeem
from tests.channel.goods import NOW, ago, make_goods, make_region, send
from tests.makers import make_attempt, make_campaign, secret_of


class Run:
    def __init__(self, brand: Brand) -> None:
        self.brand = brand
        self.errors = ""

    def __call__(self, **options: Any) -> str:
        out, errors = StringIO(), StringIO()
        try:
            call_command("rebuild_all", schema=self.brand.schema_name, stdout=out, stderr=errors, **options)
        finally:
            self.errors = errors.getvalue()
            connection.set_tenant(self.brand)
        return out.getvalue()


@pytest.fixture
def run(brand: Brand) -> Run:
    """A brand with goods shipped and redeemed, of which all that is derived is right."""
    make_campaign(at=ago(days=5))
    goods = make_goods()
    Territory.objects.create(
        partner=goods.a, region=make_region("CN-GD", kind="country"), valid_from=ago(days=90).date()
    )
    send(goods, goods.a, 0, at=ago(days=3))
    send(goods, goods.b, 1, at=ago(days=3))
    for label_no in (goods.labels(0)[0], goods.labels(1)[1]):
        redeem(make_attempt(secret_of(label_no), at=ago(days=1)))
        scan = Scan.objects.latest("id")
        ScanPlace.objects.create(scan_id=scan.pk, source="ip", region="CN-GD", at=scan.at)
    run = Run(brand)
    run()
    return run


def plant_custody() -> None:
    Custody.objects.filter(pk=Custody.objects.earliest("pk").pk).update(state="held")


def plant_custody_lost() -> None:
    Custody.objects.latest("pk").delete()


def plant_custody_of_nothing() -> None:
    one = Custody.objects.earliest("pk")
    one.pk, one.label_range = None, NumericRange(10**12, 10**12 + 5)
    one.save(force_insert=True)


def plant_route() -> None:
    ScanRoute.objects.filter(pk=ScanRoute.objects.earliest("pk").pk).update(distributor_id=10**6)


def plant_route_lost() -> None:
    ScanRoute.objects.latest("pk").delete()


def plant_route_of_nothing() -> None:
    one = ScanRoute.objects.latest("pk")
    one.pk += 1000
    one.save(force_insert=True)


def plant_hour() -> None:
    ScanHour.objects.update(scans=F("scans") + 1)


def plant_hour_lost() -> None:
    ScanHour.objects.all().delete()


def plant_day() -> None:
    RegionDay.objects.update(owner_id=10**6)


PLANTS = [
    (plant_custody, "custody"),
    (plant_custody_lost, "custody"),
    (plant_custody_of_nothing, "custody"),
    (plant_route, "routes of scans"),
    (plant_route_lost, "routes of scans"),
    (plant_route_of_nothing, "routes of scans"),
    (plant_hour, "scans by hour"),
    (plant_hour_lost, "scans by hour"),
    (plant_day, "scans by day"),
]


def test_a_wrong_row_of_each_kind_is_found_and_mended(run: Run) -> None:
    assert ScanHour.objects.count() == RegionDay.objects.count() == ScanRoute.objects.count() == 2
    run(check=True)
    for plant, part in PLANTS:
        plant()

        with pytest.raises(CommandError) as refused:
            run(check=True)
        assert refused.value.returncode == 1
        assert f"{part}: " in run.errors, plant.__name__
        with pytest.raises(CommandError):
            run(check=True)  # it had only looked

        said = run()
        assert f"{part}: " in run.errors
        assert " 0 mended" in said
        run(check=True)


def test_what_waits_to_be_counted_is_not_wrong_yet(run: Run) -> None:
    plant_hour()
    for hour in ScanHour.objects.values_list("hour", flat=True):
        Touched.objects.get_or_create(grain="hour", start=hour)

    run(check=True)


def test_a_territory_corrected_for_days_past_counts_from_then(run: Run) -> None:
    Territory.objects.update(valid_from=NOW.date() - timedelta(days=1))

    run()

    assert not Custody.objects.filter(market=["CN-GD"]).exists()
    assert not ScanRoute.objects.filter(market=["CN-GD"]).exists()


def test_a_run_that_was_broken_off_goes_on_where_it_stood(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    broken = True

    def part(name: str) -> Callable[..., Compared]:
        def compare(after: int, *, mends: bool) -> Compared:
            if broken and name == "second" and after == 2:
                raise RuntimeError("the power is cut")
            seen.append((name, after))
            return Compared(after + 1 if after < 3 else None, 10, 1, "one")

        return compare

    monkeypatch.setattr(rebuild_all, "PARTS", {name: part(name) for name in ("first", "second")})
    with pytest.raises(RuntimeError):
        run()
    broken = False

    said = run()

    assert seen == [(name, after) for name in ("first", "second") for after in range(4)]
    assert "second: 40 compared, 4 mended" in said
    assert Job.objects.filter(kind="rebuild_all", state="running").count() == 0


def test_a_brand_that_does_not_exist_is_refused(run: Run) -> None:
    with pytest.raises(CommandError, match="no such brand"):
        call_command("rebuild_all", schema="nobody")


def test_goods_are_what_they_were(run: Run) -> None:
    before = sorted(map(str, Custody.objects.values_list("label_range", "during", "partner", "market")))

    run()

    assert sorted(map(str, Custody.objects.values_list("label_range", "during", "partner", "market"))) == before
