"""The detector: what it finds, and what must never sway it."""

from dataclasses import replace

import numpy as np
import pytest

from analytics import diversion, files, goods, quality, simulator
from analytics.goods import NONE, Scans, Shipments, Transfers
from tests.analytics.conftest import world_like

WORLD = tuple[files.World, simulator.Truth]


def verdict_of(world: files.World) -> diversion.Verdict:
    return files.score(world).fit.verdict


@pytest.mark.parametrize("setting", simulator.SETTINGS, ids=lambda setting: setting.name)
def test_it_comes_near_the_one_who_knows_all_but_who(setting: simulator.Setting) -> None:
    found = quality.measure(world_like(setting), 3)

    assert found.diverted >= 8
    assert found.ap > 0.85 * found.ap_oracle
    assert found.ap > 1.3 * found.ap_count_rule
    assert found.cases > 0.85 * found.cases_oracle
    assert found.clones > 0.7
    assert found.false_share < 0.3


def test_where_nobody_diverts_hardly_anything_is_alerted() -> None:
    found = quality.measure(world_like(simulator.NOBODY_DIVERTS), 3)

    assert found.diverted == 0
    assert found.alerts <= 2


def test_the_count_rule_is_no_detector(small: WORLD, scored: files.Scored) -> None:
    """Positive control: the same measures tell a poor rule from a good one."""
    truth = small[1].shipment

    assert quality.average_precision(quality.count_rule(scored.problem), truth) < 0.8
    assert quality.average_precision(scored.fit.verdict.shipment, truth) > 0.9
    assert quality.average_precision(truth.astype(float), truth) == 1.0


def test_order_of_rows_numbers_of_devices_and_staff_change_nothing(small: WORLD, scored: files.Scored) -> None:
    world = small[0]
    order = np.random.default_rng(5).permutation(len(world.scans))
    device = np.where(world.scans.device == NONE, NONE, 10_000_000 - world.scans.device)
    shuffled = replace(world, scans=replace(world.scans, device=device).take(order[~world.scans.staff[order]]))

    found = files.score(shuffled)

    assert np.allclose(found.fit.verdict.shipment, scored.fit.verdict.shipment, atol=1e-9)
    assert np.allclose(found.fit.verdict.case, scored.fit.verdict.case, atol=1e-9)
    assert np.allclose(found.suspicion.score, scored.suspicion.score, atol=1e-9)


def test_a_buyer_who_scans_on_is_one_witness(small: WORLD, scored: files.Scored) -> None:
    """A device scans ten more labels of a shipment that it has scanned before: shipments are judged as they were."""
    world = small[0]
    witnesses = scored.problem.witnesses
    row = witnesses.row[0]
    shipment = int(witnesses.case_shipment[witnesses.case[0]])
    unseen = np.setdiff1d(
        np.arange(world.shipments.first[shipment], world.shipments.last[shipment] + 1), world.scans.code
    )[:10]
    more = world.scans.take(np.full(len(unseen), row))
    more = replace(more, code=unseen, at=more.at + 3600)
    both = Scans(
        *(np.concatenate([getattr(world.scans, name), getattr(more, name)]) for name in Scans.__dataclass_fields__)
    )

    found = files.score(replace(world, scans=both))

    assert len(found.problem.witnesses.row) == len(witnesses.row)
    assert np.abs(found.fit.verdict.shipment - scored.fit.verdict.shipment).max() < 0.01


def test_scans_without_a_place_say_nothing(small: WORLD) -> None:
    world = small[0]
    nothing = np.full(len(world.scans), NONE)
    problem, _, _ = files.pose(replace(world, scans=replace(world.scans, gps=nothing, ip=nothing, phone=nothing)))

    cases = diversion.weigh_cases(problem, diversion.first_guess(problem))

    assert np.abs(cases.ratio).max() < 1e-6


def test_a_recorded_transfer_explains_its_cases(small: WORLD, scored: files.Scored) -> None:
    world, truth = small
    number = int(np.flatnonzero((truth.shipment > 0) & (scored.fit.verdict.shipment > 0.95))[0])
    cases = [case for (shipment, case), astray in truth.case.items() if shipment == number and astray]
    count = len(cases)
    transfers = Transfers(
        np.full(count, number), np.array(cases), np.full(count, truth.destination[number]),
        np.full(count, world.shipments.shipped_at[number]),
    )  # fmt: skip

    problem, _, _ = files.pose(replace(world, transfers=transfers))
    explained = diversion.judge(problem, scored.fit.parameters, diversion.weigh_cases(problem, scored.fit.parameters))

    assert explained.log_factor[number].max() < 1 < scored.fit.verdict.log_factor[number].max()


def test_a_fix_in_another_market_speaks_for_it(small: WORLD, scored: files.Scored) -> None:
    """One more scan by GPS in b never makes P(s, b) smaller."""
    world, problem = small[0], scored.problem
    number = int(np.flatnonzero(scored.fit.verdict.shipment < 0.05)[0])
    other = int((problem.distributor[number] + 5) % problem.distributors)
    cells = problem.markets.cells[problem.markets.of[world.epoch[number], other]]
    region = world.region_codes.index(world.geography.codes[int(np.flatnonzero(cells)[0])])
    seen = np.isin(np.arange(world.shipments.first[number], world.shipments.last[number] + 1), world.scans.code)
    label = int(world.shipments.first[number] + np.flatnonzero(~seen)[0])
    one = world.scans.take(np.zeros(1, np.int64))
    one = replace(
        one, code=np.array([label]), at=np.array([world.shipments.shipped_at[number] + 5e6]), gps=np.array([region]),
        ip=np.array([NONE]), phone=np.array([NONE]), device=np.array([NONE]), staff=np.array([False]),
    )  # fmt: skip
    both = Scans(
        *(np.concatenate([getattr(world.scans, name), getattr(one, name)]) for name in Scans.__dataclass_fields__)
    )
    more, _, _ = files.pose(replace(world, scans=both))

    parameters = scored.fit.parameters
    before = diversion.judge(problem, parameters, diversion.weigh_cases(problem, parameters))
    parameters = replace(parameters, week=np.resize(parameters.week, int(more.week.max()) + 1))
    after = diversion.judge(more, parameters, diversion.weigh_cases(more, parameters))

    assert after.by_destination[number, other] > before.by_destination[number, other]


def test_the_list_holds_as_many_as_its_false_share_allows() -> None:
    probability = np.array([0.1, 0.99, 0.95, 0.6, 0.97])

    assert diversion.alert_list(probability).tolist() == [False, True, True, False, True]
    assert diversion.alert_list(probability, 0.2).tolist() == [False, True, True, True, True]
    assert not diversion.alert_list(np.array([0.5, 0.4])).any()


NO_TRANSFERS = Transfers(*(np.zeros(0, np.int64),) * 3, np.zeros(0))


def shipments_of(*rows: tuple[int, float, int, int]) -> Shipments:
    distributor, at, first, last = (np.array(column) for column in zip(*rows, strict=True))
    return Shipments(distributor, at.astype(float), first, last, np.full(len(rows), 10))


def test_a_label_belongs_to_its_latest_shipment_before_the_scan() -> None:
    shipments = shipments_of((0, 100.0, 0, 99), (1, 500.0, 50, 149))
    codes = np.array([10, 60, 60, 60, 120, 120, 400])
    at = np.array([200.0, 99.0, 100.0, 500.0, 499.0, 501.0, 900.0])

    found = goods.attribute(codes, at, shipments, NO_TRANSFERS)

    assert found.shipment.tolist() == [0, NONE, 0, 1, NONE, 1, NONE]
    assert found.before_shipping.tolist() == [False, True, False, False, True, False, False]
    assert found.never_shipped.tolist() == [False] * 6 + [True]


def test_no_scan_at_all_alerts_nobody(small: WORLD) -> None:
    world = replace(small[0], scans=small[0].scans.take(np.zeros(0, np.int64)))

    found = files.score(world)

    assert not diversion.alert_list(found.fit.verdict.shipment).any()
    assert (found.fit.verdict.destination == NONE).all()
