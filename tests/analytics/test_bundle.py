"""An evidence bundle: the same each time, nothing of consumers in it, and every change to it is found."""

import io
import zipfile
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest
from django.core.management import call_command

from analytics import bundle, bundling, case_evidence, casework
from analytics.bundle import NoBundle, check, check_seal
from analytics.bundle_content import plain
from analytics.case_evidence import Seen
from analytics.models import CaseEntry, EvidenceBundle, ScanFinding
from analytics.photos import Spot
from brands.models import Brand
from common.errors import NotFound
from common.models import Job
from ledger.models import Anchor
from ledger.seals import seal
from lottery.verify_draw import pack
from redemption.models import Scan, ScanPlace
from redemption.rules import Act, Door, Outcome
from staff.keys import sign_key
from tests.analytics.files import Filed, make_file, photo
from tests.conftest import NOW
from tests.environment import BRAND

KEY = bytes(range(32))
FILES = {"data/scans.csv": b"on,label\r\n", "evidence-en.pdf": b"%PDF-1.7"}
# What a bundle must not hold: of consumers, and of the moment at which they scanned.
DEVICE, ADDRESS, POINT, SECOND = 918_273_645_546, "203.0.113.77", (30.271_834, 120.155_926), "T07:41:23"
PHONE = "13912345678"


def packed() -> bytes:
    return bundle.pack(FILES, {"file": "cas_x"}, key=KEY)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- the container -----------------------------------------------------------------------------------------------------


def test_what_was_not_changed_holds() -> None:
    report = check(packed(), keys=[bundle.public_of(KEY)])

    assert (report.faults, report.lacking) == ([], [])
    assert len(report.holds) == 2
    assert packed() == packed()


@pytest.mark.parametrize("name", sorted([*FILES, "manifest.json", "manifest.sig"]))
def test_one_byte_of_any_member_is_found(name: str) -> None:
    held = members(packed())
    held[name] = held[name][:-1] + bytes([held[name][-1] ^ 1])

    try:
        faults = check(pack(held)).faults
    except NoBundle as error:
        faults = [str(error)]

    said = "manifest.json" if name.startswith("manifest") else name
    assert faults
    assert faults[0].startswith((f"{said} was changed", "manifest.json was changed"))


def test_every_single_byte_counts() -> None:
    data = packed()
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        try:
            found = check(changed).faults
        except NoBundle as error:
            found = [str(error)]
        assert found, f"byte {place} was changed, and nothing was said"


def test_a_member_more_or_less_is_found() -> None:
    held = members(packed())
    less = {name: data for name, data in held.items() if name != "data/scans.csv"}

    assert check(pack({**held, "data/more.csv": b""})).faults == [
        "data/more.csv was added: the manifest does not list it."
    ]
    assert check(pack(less)).faults == [
        "data/scans.csv was taken out: the manifest lists it, the bundle does not hold it."
    ]
    unsigned = pack({name: data for name, data in held.items() if name != "manifest.sig"})
    assert "manifest.sig was taken out." in check(unsigned).faults
    with pytest.raises(NoBundle, match="manifest was taken out"):
        check(pack({name: data for name, data in held.items() if name != "manifest.json"}))


def test_a_manifest_that_was_made_to_fit_is_not_signed_by_the_brand() -> None:
    forged = bundle.pack({**FILES, "data/scans.csv": b"on,label\r\n2026-01-01,X\r\n"}, {"file": "cas_x"}, key=bytes(32))

    assert check(packed(), keys=[bundle.public_of(KEY)]).faults == []
    assert "another key" in check(forged, keys=[bundle.public_of(KEY)]).faults[0]
    assert check(forged).lacking  # nobody said which key is the brand's


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", pack({"manifest.json": b"[]", "a": b""})])
def test_what_is_no_bundle_is_said_so(data: bytes) -> None:
    with pytest.raises(NoBundle):
        check(data)


# --- a file of an investigation ----------------------------------------------------------------------------------------


@pytest.fixture
def filed(brand: Brand) -> Filed:
    return make_evidence()


@pytest.fixture
def committed(real_commits: Brand) -> Filed:
    """The same, committed: a seal covers what is."""
    return make_evidence()


def make_evidence() -> Filed:
    """Make a file with scans, a check in a shop, a question and an answer."""
    found = make_file()
    at = (NOW - timedelta(days=2)).replace(hour=7, minute=41, second=23)
    for place, label_no in enumerate(found.goods.labels(0)):
        scan = Scan.objects.create(
            pk=8_100_000_000 + place, at=at, label_no=label_no, asker=DEVICE + place, act=Act.CHECK, door=Door.WEB,
            outcome=Outcome.GENUINE_FIRST,
        )  # fmt: skip
        ScanPlace.objects.create(
            scan_id=scan.pk, source="gps", region="CN-ZJ", lat=POINT[0], lon=POINT[1], accuracy_m=12, at=at
        )
        ScanFinding.objects.create(finding=found.finding, scan_id=scan.pk, score=1.68)
    seen = Seen(
        label="NOT-OURS-1", shop="北京路茶城 3 号", invoice="INV-77", price=Decimal("88.50"), note=f"Owner said: {PHONE}",
        spot=Spot(39.9, 116.4, 8), photos=(photo("red"),),
    )  # fmt: skip
    case_evidence.field_check(found.case.pk, uuid=UUID(int=7), seen=seen, at=NOW, by="ina")
    question = case_evidence.ask(
        found.case.pk,
        partner_id=found.goods.a.pk,
        text="How did these cases come to Hangzhou?",
        released=[{"kind": "case", "sscc": "0" * 18, "product": "Tea", "product_zh": "茶", "packs": 4}],
        at=NOW,
        by="ina",
    )
    case_evidence.answer(question.pk, text=f"=Ask our driver, {PHONE}", at=NOW + timedelta(hours=1), by="portal.a")
    return found


def made(filed: Filed) -> tuple[EvidenceBundle, bytes]:
    row = bundling.ask_for(filed.case.pk, at=NOW, by="lea")
    bundling.make(row.pk)
    row.refresh_from_db()
    return row, bundling.fetch(row, at=NOW)


def text_of(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("django.conf.settings.VAR_DIR", tmp_path)
    return tmp_path


def test_a_bundle_is_made_kept_encrypted_and_anchored(filed: Filed, var: Path) -> None:
    row, data = made(filed)

    digest = sha256(data).digest()
    assert (bytes(row.sha256 or b""), row.size) == (digest, len(data))
    assert Job.objects.get(pk=row.job_id).state == Job.State.DONE
    assert Anchor.objects.get(kind="evidence").hash == digest
    assert filed.case.entries.get(kind=CaseEntry.Kind.EXPORTED).data["sha256"] == digest.hex()
    [stored] = list(var.glob("evidence/*/*.bin"))
    assert b"manifest.json" in data
    assert b"manifest.json" not in stored.read_bytes()
    held = members(data)
    assert {name for name in held if name.endswith(".pdf")} == {"evidence-en.pdf", "evidence-zh.pdf"}
    assert held[next(name for name in held if name.startswith("photos/"))] == photo("red").data
    said = held["data/scans.csv"].decode()
    assert said.splitlines()[1].startswith((NOW - timedelta(days=2)).date().isoformat())
    english, chinese = text_of(held["evidence-en.pdf"]), text_of(held["evidence-zh.pdf"])
    for text in (english, chinese):
        assert "北京路茶城" in text
        assert "94.0 %" in text
    assert "What a list at 10 % means" in english
    assert "How did these cases come to Hangzhou?" in english
    assert "证据" in chinese


def test_the_same_state_makes_the_same_bytes(filed: Filed, var: Path) -> None:
    _row, first = made(filed)
    _again, second = made(filed)

    casework.note(filed.case.pk, text="One line more", at=NOW + timedelta(hours=2), by="ina")
    _later, third = made(filed)

    assert first == second
    assert Anchor.objects.filter(kind="evidence").count() == 2
    assert third != first


def test_nothing_of_a_consumer_is_in_a_bundle(filed: Filed, var: Path) -> None:
    _row, data = made(filed)
    held = members(data)
    texts = {name: text_of(body) if name.endswith(".pdf") else body.decode("utf-8", "replace")
             for name, body in held.items()}  # fmt: skip
    planted = [
        str(DEVICE),
        str(DEVICE + 1),
        ADDRESS,
        "30.2718",
        "120.1559",
        SECOND,
        "07:41",
        "15:41",
        PHONE,
        "8100000000",
    ]

    leaks = [(name, word) for name, text in texts.items() for word in planted if word in text]

    assert leaks == []
    assert "139****5678" in texts["data/checks.csv"]  # what somebody wrote is there, with its middle struck out
    assert "'=Ask our driver, 139****5678" in texts["data/answers.csv"]  # and is no formula in a spreadsheet
    assert [word for word in planted if word in texts["data/checks.csv"] + str(POINT)] == ["30.2718", "120.1559"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13912345678", "139****5678"),
        ("+86 139 1234 5678", "+86 139****5678"),
        ("SSCC 395210001900000017", "SSCC 395210001900000017"),
        ("order 2139123456789", "order 2139123456789"),
    ],
)
def test_numbers_of_telephones_are_struck_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_seal_proves_when_a_bundle_was_made(committed: Filed, var: Path) -> None:
    row, data = made(committed)
    with pytest.raises(bundling.NotSealedYet):
        bundling.proof(row)
    seal(key=sign_key(at=NOW), at=NOW)

    proof = bundling.proof(row)

    keys = bundling.brand_keys()
    assert check_seal(data, proof, keys=keys).faults == []
    assert check_seal(data, proof, keys=keys).holds[0].startswith("The bundle is as it was when seal 1 was made")
    assert "another bundle" in check_seal(data + b" ", proof, keys=keys).faults[0]
    broken = proof.replace(b'"n":1,', b'"n":2,')
    assert broken != proof
    assert "was changed" in check_seal(data, broken, keys=keys).faults[0]
    assert "another key" in check_seal(data, proof, keys=[bytes(32)]).faults[0]
    with pytest.raises(NoBundle):
        check_seal(data, b"{}")


def test_one_waiting_bundle_is_enough_and_an_unknown_file_has_none(filed: Filed, var: Path) -> None:
    first = bundling.ask_for(filed.case.pk, at=NOW, by="lea")

    assert bundling.ask_for(filed.case.pk, at=NOW, by="lea") == first
    with pytest.raises(bundling.NotMadeYet):
        bundling.fetch(first, at=NOW)
    with pytest.raises(NotFound):
        bundling.ask_for(0, at=NOW, by="lea")


def test_the_command_says_what_differs(committed: Filed, var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row, data = made(committed)
    seal(key=sign_key(at=NOW), at=NOW)
    file, proof = var / "bundle.zip", var / "proof.json"
    file.write_bytes(data)
    proof.write_bytes(bundling.proof(row))
    [key] = [one.hex() for one in bundling.brand_keys()]

    call_command("verify_bundle", str(file), seal=proof, key=[key])
    assert "The bundle is as it was made." in capsys.readouterr().out

    call_command("verify_bundle", str(file), schema=BRAND)
    assert "The bundle is as it was made." in capsys.readouterr().out

    with pytest.raises(SystemExit) as unsealed:
        call_command("verify_bundle", str(file), key=[key])
    assert unsealed.value.code == 3

    held = members(data)
    held["data/scans.csv"] = held["data/scans.csv"].replace(b"CN-ZJ", b"CN-GD", 1)
    file.write_bytes(pack(held))
    with pytest.raises(SystemExit) as changed:
        call_command("verify_bundle", str(file), seal=proof, key=[key])
    said = capsys.readouterr().out
    assert changed.value.code == 1
    assert "data/scans.csv was changed" in said
    assert "The anchor is of another bundle" in said

    with pytest.raises(SystemExit) as missing:
        call_command("verify_bundle", str(var / "none.zip"))
    assert missing.value.code == 2
