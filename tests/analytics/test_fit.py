"""The night's fit: what files tell and what rows tell is one; one shipment judged again is the fit's own E step."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from django.db import DatabaseError, connection, transaction

from analytics import diversion, files, simulator
from analytics.models import (
    CaseFinding,
    CodeFinding,
    Finding,
    FitRun,
    FitState,
    RouteFinding,
    ScanFinding,
    ShipmentScore,
    Tempering,
    Verdict,
)
from analytics.rescoring import from_bytes, to_bytes
from analytics.services import ETAS, decide, fit, from_state, level_of, rescore
from brands.models import Brand
from channel.models import Custody, Document, UnitRange
from common.errors import NotFound
from redemption.routes import reattribute
from tests.analytics.rows import load_goods, load_land, load_scans, moment

YEARS = timedelta(days=900)


@dataclass
class Loaded:
    world: files.World
    scored: files.Scored
    documents: dict[int, int]
    run: FitRun


TINY = simulator.Setting(
    "tiny", provinces=6, cities=5, distributors=8, shipments=60, scan_rate=0.06, diverters=0.4, copied=0.004
)


@pytest.fixture(scope="module")
def tiny() -> tuple[files.World, files.Scored]:
    world, _truth = simulator.simulate(TINY, 3)
    return world, files.score(world)


@pytest.fixture
def loaded(brand: Brand, tiny: tuple[files.World, files.Scored]) -> Loaded:
    world, scored = tiny
    documents = load_goods(world, load_land(world))
    load_scans(world)
    run = fit(at=moment(world.scans.at.max() + 1), over=YEARS)
    assert run is not None
    return Loaded(world, scored, documents, run)


def test_rows_tell_what_files_tell(loaded: Loaded) -> None:
    verdict = loaded.scored.fit.verdict
    scores = {row.shipment_id: row for row in ShipmentScore.objects.all()}

    told = np.array([scores[loaded.documents[place]].probability for place in range(len(loaded.world.shipment_ids))])

    assert len(scores) == len(loaded.world.shipment_ids)
    assert told == pytest.approx(verdict.shipment, abs=1e-6)
    assert verdict.shipment.max() > 0.9
    assert {name: loaded.run.counts[name] for name in loaded.scored.counts} == loaded.scored.counts
    alerted = diversion.alert_list(verdict.shipment)
    assert set(Finding.objects.filter(alert=True).values_list("shipment_id", flat=True)) == {
        loaded.documents[place] for place in np.flatnonzero(alerted).tolist()
    }
    suspicion = loaded.scored.suspicion
    assert {row.label_no: row.score for row in CodeFinding.objects.all()} == pytest.approx(
        {int(suspicion.code[place]): suspicion.score[place] for place in np.flatnonzero(suspicion.score > 0)}
    )
    assert CodeFinding.objects.filter(score__gt=50).exists()


def test_findings_hold_what_the_pages_show_and_stay(loaded: Loaded) -> None:
    finding = Finding.objects.order_by("-probability", "pk")[0]
    place = {paper: number for number, paper in loaded.documents.items()}[finding.shipment_id]
    verdict, witnesses = loaded.scored.fit.verdict, loaded.scored.problem.witnesses
    mine = witnesses.case_shipment == place

    assert finding.expected_cases == pytest.approx(verdict.case[mine].sum(), abs=1e-4)
    assert sorted(CaseFinding.objects.filter(finding=finding).values_list("probability", flat=True)) == pytest.approx(
        sorted(verdict.case[mine]), abs=1e-4
    )
    assert finding.scan_findings.count() == finding.scans == np.isin(witnesses.case, np.flatnonzero(mine)).sum()
    assert finding.first_scan_at <= finding.last_scan_at
    assert set(finding.without) == {"gps", "ip", "phone", "device", "travelled", "online", "border", "away"}
    assert finding.without["device"] <= finding.probability + 1e-9
    assert finding.shipped_labels == Document.objects.get(pk=finding.shipment_id).labels
    routes = RouteFinding.objects.filter(run=loaded.run)
    assert sum(routes.values_list("expected_shipments", flat=True)) == pytest.approx(verdict.shipment.sum(), rel=0.1)
    for model in (FitRun, Finding, CaseFinding, ScanFinding, RouteFinding, CodeFinding):
        assert model.objects.exists()
        with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():
            connection.cursor().execute(f"DELETE FROM {model._meta.db_table}")


def test_a_finding_tells_whether_it_stands(loaded: Loaded) -> None:
    problem, parameters = loaded.scored.problem, loaded.scored.fit.parameters
    place = {paper: number for number, paper in loaded.documents.items()}
    witnesses = problem.witnesses

    for finding in Finding.objects.filter(alert=True):
        rows = witnesses.case_shipment[witnesses.case] == place[finding.shipment_id]
        assert finding.scans_away == finding.scan_findings.filter(score__gt=0).count()
        assert finding.expected_away == pytest.approx(diversion.trips(problem, parameters)[rows].sum(), abs=1e-3)
        assert finding.priority == pytest.approx(finding.probability * finding.expected_units)
        for name in ("travelled", "online", "border", "away"):  # more of what is honest accuses nobody
            assert finding.without[name] <= finding.probability + 0.01, name
    told = Finding.objects.filter(alert=True).order_by("probability").values_list("probability", "without")
    assert any(without["online"] < p - 1e-4 for p, without in told)


def test_rescoring_without_news_is_the_fit_itself(loaded: Loaded) -> None:
    before = dict(ShipmentScore.objects.values_list("shipment_id", "probability"))
    findings = Finding.objects.count()

    after = {shipment_id: rescore(shipment_id, at=loaded.run.scans_until) for shipment_id in before}

    assert {pk: score.probability for pk, score in after.items() if score} == pytest.approx(before, abs=2e-5)
    assert Finding.objects.count() == findings


def test_a_late_transfer_explains_its_cases_at_the_next_rescore(loaded: Loaded) -> None:
    accused = Finding.objects.filter(alert=True, dest_id__isnull=False).order_by("-probability")[0]
    strayed = accused.case_findings.filter(probability__gt=0.3).values("unit_id")
    ranges = UnitRange.objects.filter(unit_id__in=strayed).order_by("label_range")
    custody = Custody.objects.get(shipment_id=accused.shipment_id)
    paper = Document.objects.create(
        kind="transfer", number="T1", content_hash=bytes(32), status="ACCEPTED", destination_id=accused.dest_id,
        happened_at=custody.shipped_at, recorded_at=loaded.run.scans_until,
    )  # fmt: skip
    values = {"during": custody.during, "movement": custody.movement, "state": "held", "shipped_at": custody.shipped_at}
    Custody.objects.filter(pk=custody.pk).delete()
    end = custody.label_range.lower
    for part in ranges:
        if end < part.label_range.lower:
            Custody.objects.create(
                label_range=(end, part.label_range.lower), shipment_id=custody.shipment_id,
                partner_id=custody.partner_id, distributor_id=custody.distributor_id, **values,
            )  # fmt: skip
        Custody.objects.create(
            label_range=part.label_range, shipment=paper, partner_id=accused.dest_id,
            distributor_id=accused.dest_id, **values,
        )  # fmt: skip
        end = part.label_range.upper

    changed = reattribute(accused.shipment_id, at=loaded.run.scans_until)
    score = rescore(accused.shipment_id, at=loaded.run.scans_until)

    assert changed
    assert score is not None
    assert score.probability < accused.probability / 2


def test_the_state_survives_as_bytes(loaded: Loaded) -> None:
    state = from_state(loaded.run)

    again = from_bytes(to_bytes(state))

    assert again.parameters.tau == pytest.approx(state.parameters.tau)
    assert again.geography.codes == state.geography.codes
    assert FitState.objects.count() == 1
    assert fit(at=loaded.run.scans_until, over=YEARS) is not None
    assert FitState.objects.count() == 1
    assert FitRun.objects.count() == 2
    assert len(set(FitRun.objects.values_list("data_hash", flat=True))) == 1


def test_nothing_to_judge_is_no_fault(brand: Brand) -> None:
    from tests.conftest import NOW

    assert fit(at=NOW) is None
    assert rescore(1, at=NOW) is None
    with pytest.raises(NotFound):
        decide(1, decision="confirmed", at=NOW, by="maker")


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ({"labels": 3, "devices": 3, "cases": 2, "sources": [False, True]}, "accusable"),
        ({"labels": 2, "devices": 3, "cases": 2, "sources": [True]}, "watch"),
        ({"labels": 3, "devices": 2, "cases": 2, "sources": [True]}, "watch"),
        ({"labels": 3, "devices": 3, "cases": 1, "sources": [True]}, "watch"),
        ({"labels": 9, "devices": 9, "cases": 9, "sources": [False] * 9}, "watch"),
    ],
)
def test_who_may_be_accused(values: dict, level: str) -> None:
    assert level_of(**values) == level


def test_verdicts_set_the_tempering_from_fifty_on(loaded: Loaded) -> None:
    ids = list(ShipmentScore.objects.order_by("-probability").values_list("pk", flat=True))
    for place, shipment_id in enumerate(ids[:49]):
        decide(shipment_id, decision="confirmed" if place < 2 else "rejected", at=loaded.run.ended_at, by="maker")
    fit(at=loaded.run.scans_until, over=YEARS)
    assert not Tempering.objects.exists()
    decide(ids[49], decision="explained", at=loaded.run.ended_at, by="maker")

    fit(at=loaded.run.scans_until, over=YEARS)

    set_now = Tempering.objects.get()
    assert set_now.eta in ETAS
    assert set_now.eta < 0.8, "the evidence had claimed too much"
    assert set_now.verdicts == 50
    again = fit(at=loaded.run.scans_until + timedelta(hours=1), over=YEARS)
    assert again is not None
    assert again.eta == set_now.eta
    assert Verdict.objects.count() == 50
