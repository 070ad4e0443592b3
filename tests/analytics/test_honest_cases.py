"""What looks like diversion and is none: each innocent story, told to the detector, and beside it the guilty one.

The world's parameters are learned once; then an honest distributor's shipment is given the scans of a story and is
judged again. A story in which nothing is diverted must stay off the list; goods that a rival's market sold must come on.
"""

from dataclasses import replace

import numpy as np
import pytest

from analytics import clones, diversion, files, judging
from analytics.diversion import Parameters
from analytics.geography import Ints
from analytics.goods import DAY_S, NONE, WEEK_S, Scans
from tests.analytics.test_diversion import WORLD

CASES = 14


class Stage:
    """One honest shipment of a small world, of which only what a story tells was seen."""

    def __init__(self, world: files.World, scored: files.Scored) -> None:
        problem, verdict = scored.problem, scored.fit.verdict
        self.world, self.scored = world, scored
        self.parameters = scored.fit.parameters
        self.alert_from = verdict.shipment[diversion.alert_list(verdict.shipment)].min()
        sent = world.shipments
        long = (sent.last - sent.first + 1) // sent.labels_per_case >= CASES
        quiet = (verdict.shipment < 0.02) & (verdict.distributor[problem.distributor] < 0.1) & long
        self.number = int(np.flatnonzero(quiet)[0])
        self.who = int(sent.distributor[self.number])
        markets, epoch = problem.markets, world.epoch[self.number]
        self.home = markets.cells[markets.of[epoch, self.who]]
        land = world.geography
        self.own = self.biggest(self.home, 3)
        self.km = land.distances[:, self.home].min(axis=1)
        wide = [b for b in range(problem.distributors) if markets.cells[markets.of[epoch, b]].sum() >= 3]
        others = [b for b in wide if b != self.who and markets.of[epoch, b] != NONE]
        self.rival = max(others, key=lambda b: self.km[markets.cells[markets.of[epoch, b]]].min())
        self.away = self.biggest(markets.cells[markets.of[epoch, self.rival]], 3)
        owned = land.owners[epoch] >= 0
        self.over_border = int(np.argmin(np.where(self.home | ~owned, np.inf, self.km)))

    def biggest(self, cells: np.ndarray, count: int) -> Ints:
        inside = np.flatnonzero(cells)
        return inside[np.argsort(-self.world.geography.population[inside])][:count]

    def tell(
        self, cells: list[int], *, device: int | None = None, staff: bool = False, one_label: bool = False,
        at: float | None = None, home: int = NONE, border: bool = False,
    ) -> Scans:  # fmt: skip
        """Return scans by fix, one a case (or all of one label), by as many people, or by one ``device``."""
        sent, count = self.world.shipments, len(cells)
        per_case, first = int(sent.labels_per_case[self.number]), int(sent.first[self.number])
        step = (
            np.zeros(count, np.int64) if one_label else np.arange(count) % CASES * per_case + np.arange(count) // CASES
        )
        times = (sent.shipped_at[self.number] + 20 * DAY_S if at is None else at) + 3600.0 * np.arange(count)
        silent, people = np.full(count, NONE), 10_000_000 + np.arange(count)
        return Scans(
            code=first + step, at=times, gps=np.array(cells, np.int64), ip=silent, phone=silent,
            home=np.full(count, home), device=people if device is None else np.full(count, device),
            staff=np.full(count, staff), gps_accuracy_m=np.full(count, 30.0), at_border=np.full(count, border),
        )  # fmt: skip

    def facts(self, *told: Scans, sells_online: bool = False) -> judging.Facts:
        world, sent = self.world, self.world.shipments
        code = world.scans.code
        others = world.scans.take((code < sent.first[self.number]) | (code > sent.last[self.number]))
        parts = [others, *told]
        names = Scans.__dataclass_fields__
        scans = Scans(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
        online = world.sells_online.copy()
        online[self.who] = sells_online
        return files.facts_of(replace(world, scans=scans, sells_online=online))

    def judge(self, *told: Scans, sells_online: bool = False, parameters: Parameters | None = None) -> float:
        """Return P(s) of the shipment after the story."""
        known = parameters or self.parameters
        problem, _, _ = judging.pose(self.facts(*told, sells_online=sells_online))
        known = replace(known, week=np.resize(known.week, int(problem.week.max()) + 1))
        if sells_online:
            known = replace(known, online=np.where(np.arange(len(known.online)) == self.who, 0.5, known.online))
        return float(diversion.judge(problem, known, diversion.weigh_cases(problem, known)).shipment[self.number])

    def sold_at_home(self, count: int = CASES - 5) -> Scans:
        return self.tell([int(self.own[place % len(self.own)]) for place in range(count)])


@pytest.fixture(scope="module")
def stage(small: WORLD, scored: files.Scored) -> Stage:
    return Stage(small[0], scored)


def test_goods_sold_by_a_rival_come_on_the_list(stage: Stage) -> None:
    """The guilty story: without it the others would prove nothing."""
    strayed = stage.tell([int(cell) for cell in (*stage.away, *stage.away[:2])])

    assert stage.judge(stage.sold_at_home()) < 0.02
    assert stage.judge(stage.sold_at_home(), later(strayed, 9)) > max(stage.alert_from, 0.9)


def later(scans: Scans, cases: int) -> Scans:
    """Move scans to the cases after the first ``cases``, and to other people."""
    return replace(scans, code=scans.code + cases * _per_case(scans), device=scans.device + 1000)


def _per_case(scans: Scans) -> int:
    return int(scans.code[1] - scans.code[0])


def test_staff_who_scan_elsewhere_are_no_evidence(stage: Stage) -> None:
    strayed = [int(cell) for cell in stage.away] * 3

    told = stage.judge(stage.sold_at_home(), stage.tell(strayed, device=77, staff=True))

    assert told == pytest.approx(stage.judge(stage.sold_at_home()), abs=1e-12)


def test_a_code_that_was_photographed_and_posted_is_one_witness_and_a_copy(stage: Stage) -> None:
    everywhere = [int(cell) for cell in stage.biggest(np.ones(len(stage.home), bool) & ~stage.home, 30)]
    posted = stage.tell(everywhere, one_label=True)

    suspicion = judging.suspect_codes(stage.facts(stage.sold_at_home(), posted))

    assert suspicion.score[suspicion.code == posted.code[0]][0] > 0
    assert stage.judge(stage.sold_at_home(), posted) < 0.02
    assert len(clones.KINDS) == 8


def test_unsold_codes_scanned_in_the_shop_of_the_right_area_are_one_witness(stage: Stage) -> None:
    shop = stage.tell([int(stage.own[0])] * 40, device=88)
    problem, _, _ = judging.pose(stage.facts(shop))

    mine = problem.witnesses.case_shipment[problem.witnesses.case] == stage.number

    assert mine.sum() == 1
    assert stage.judge(shop) < 0.02


def test_a_retailer_who_harvests_neighbours_elsewhere_is_one_witness(stage: Stage) -> None:
    """Even a farm in a rival's area is no diversion: it is one device, and its rewards are held (test_farms)."""
    farm = stage.tell([int(stage.away[0])] * 20, device=99)

    assert stage.judge(stage.sold_at_home(), farm) < stage.alert_from


def test_what_border_towns_buy_stays_off_the_list(stage: Stage) -> None:
    across = later(stage.tell([stage.over_border, stage.over_border]), 9)

    told = stage.judge(stage.sold_at_home(), across)

    assert stage.km[stage.over_border] < 250
    assert told < stage.alert_from
    far = later(stage.tell([int(stage.away[0]), int(stage.away[1])]), 9)
    assert told < stage.judge(stage.sold_at_home(), far), "the same far away is worse"


def test_near_a_border_a_fix_counts_half(stage: Stage) -> None:
    cells = [stage.over_border] * 5
    sure, unsure = (later(stage.tell(cells, border=border), 9) for border in (False, True))

    assert stage.judge(stage.sold_at_home(), unsure) < stage.judge(stage.sold_at_home(), sure)


def test_who_may_sell_online_scatters_goods_over_the_nation(stage: Stage) -> None:
    nation = stage.biggest(~stage.home, CASES)
    scattered = stage.tell([int(cell) for cell in nation])

    assert stage.judge(scattered, sells_online=True) < stage.alert_from
    assert stage.judge(scattered, sells_online=True) < stage.judge(scattered)


def test_travellers_in_holidays_raise_no_alarm(stage: Stage) -> None:
    met = [int(stage.away[0]), int(stage.away[1]), int(stage.over_border)]
    at = float(stage.world.shipments.shipped_at[stage.number]) + 20 * DAY_S
    home, trip = stage.sold_at_home(), later(stage.tell(met, at=at), 9)
    problem, _, _ = judging.pose(stage.facts(home, trip))
    start = problem.scans.at.min()
    weeks = np.ones(int(problem.week.max()) + 1)
    holiday = weeks.copy()
    holiday[int((at - start) // WEEK_S)] = 3.0

    plain = stage.judge(home, trip, parameters=replace(stage.parameters, week=weeks))
    told = stage.judge(home, trip, parameters=replace(stage.parameters, week=holiday))

    assert told < plain
    assert told < stage.alert_from


def test_a_member_at_home_in_a_rivals_area_bought_on_a_journey(stage: Stage) -> None:
    cells = [int(stage.away[0])] * 2
    stranger, member = (later(stage.tell(cells, home=home), 9) for home in (NONE, int(stage.away[0])))

    told = stage.judge(stage.sold_at_home(), member)

    assert told < stage.judge(stage.sold_at_home(), stranger)
    assert told < stage.alert_from
