"""`manage.py score_diversion`: a folder in, a folder out."""

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from analytics import files, simulator
from tests.analytics.test_diversion import WORLD


@pytest.fixture
def folder(tmp_path: Path, small: WORLD) -> Path:
    simulator.write_world(tmp_path / "in", small[0])
    return tmp_path


def run(folder: Path) -> dict[str, dict[str, int]]:
    told = StringIO()
    call_command("score_diversion", "--in", str(folder / "in"), "--out", str(folder / "out"), stdout=told)
    return dict(json.loads(told.getvalue()))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as source:
        return list(csv.DictReader(source))


def test_files_tell_what_arrays_tell(folder: Path, small: WORLD, scored: files.Scored) -> None:
    found = run(folder)

    shipments = rows(folder / "out/shipments.csv")
    assert [row["shipment_id"] for row in shipments] == list(small[0].shipment_ids)
    scores = [float(row["score"]) for row in shipments]
    assert scores == pytest.approx(scored.fit.verdict.shipment.tolist(), abs=2e-6)
    assert sum(int(row["alert"]) for row in shipments) == found["counts"]["alerts"] > 5
    cases = rows(folder / "out/cases.csv")
    assert len(cases) == len({(row["shipment_id"], row["case_no"]) for row in cases}) > 1000
    codes = rows(folder / "out/codes.csv")
    assert len(codes) == len(scored.suspicion.code)
    assert sum(float(row["score"]) > 40 for row in codes) >= 2, "codes never shipped stand above all"


def test_marks_and_line_ends_of_other_systems_are_fine(folder: Path) -> None:
    before = run(folder)
    for path in (folder / "in").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert run(folder)["counts"] == before["counts"]


def cell(file: str, line: int, column: int, value: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "in" / file
        lines = path.read_text().split("\n")
        cells = lines[line - 1].split(",")
        cells[column] = value
        lines[line - 1] = ",".join(cells)
        path.write_text("\n".join(lines))

    return change


def give(folder: Path, territory: str) -> None:
    (folder / "in/territories.csv").write_text(f"distributor_id,region_code,valid_from,valid_to\n{territory}\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (cell("scans.csv", 4, 1, "12x"), "scans.csv, line 4, column code"),
        (cell("scans.csv", 7, 2, "2025-03-01T10:00:00"), "scans.csv, line 7, column scanned_at"),
        (cell("scans.csv", 7, 2, "yesterday"), "scans.csv, line 7, column scanned_at"),
        (cell("scans.csv", 5, 8, "2"), "scans.csv, line 5, column staff"),
        (cell("scans.csv", 1, 1, "label"), "scans.csv, line 1, column code"),
        (cell("scans.csv", 1, 1, "scan_id"), "scans.csv, line 1, column scan_id: the column is there twice"),
        (cell("scans.csv", 1, 4, "gps"), "scans.csv, line 1, column gps_region: the column is missing"),
        (cell("scans.csv", 4, 1, "５"), "scans.csv, line 4, column code"),
        (lambda folder: give(folder, "D000,C-0000,2025-02-01,2025-01-31"), "territories.csv, line 2, column valid_to"),
        (cell("shipments.csv", 3, 1, "D999"), "shipments.csv, line 3, column distributor_id"),
        (cell("shipments.csv", 3, 0, "S00000"), "shipments.csv, line 3, column shipment_id"),
        (cell("shipments.csv", 3, 5, "0"), "shipments.csv, line 3, column labels_per_case"),
        (cell("shipments.csv", 3, 4, "1"), "shipments.csv, line 3, column label_last"),
        (cell("labels.csv", 2, 1, "-1"), "labels.csv, line 2, column label_last"),
        (cell("territories.csv", 2, 1, "nowhere"), "territories.csv, line 2, column region_code"),
        (cell("regions.csv", 4, 4, "91"), "regions.csv, line 4, column lat"),
        (lambda folder: (folder / "in/shipments.csv").unlink(), "shipments.csv, line 0"),
        (lambda folder: (folder / "in/regions.csv").write_bytes(b"\xff\xfe"), "regions.csv, line 0"),
    ],
)
def test_a_bad_file_is_told_by_line_and_column(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], None], told: str
) -> None:
    change(folder)

    with pytest.raises(SystemExit) as ended:
        run(folder)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(told)
    assert not (folder / "out").exists()


def test_an_unknown_region_is_a_missing_one(folder: Path) -> None:
    cell("scans.csv", 4, 4, "atlantis")(folder)

    assert run(folder)["ignored"]["unknown region"] == 1


def test_a_line_keeps_its_number_behind_blank_and_repeated_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "in/scans.csv"
    header, first, second, *rest = path.read_text().splitlines()
    broken = second.replace(second.split(",")[1], "x", 1)
    path.write_text("\n".join([header, first, "", first, broken, *rest]))

    with pytest.raises(SystemExit):
        run(folder)

    assert "scans.csv, line 5, column" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("score_diversion", "--in", str(tmp_path / "nowhere"), "--out", str(tmp_path))

    assert ended.value.code == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err
