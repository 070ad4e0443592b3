"""Files that are drawn: asked for with a template, signed off by their sample sheet, built encrypted and proved."""

import json
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pyrage
import pytest
import zxingcpp
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from brands.models import Brand
from common.clock import now
from common.models import Job
from labels.models import Batch
from labels.queries import secrets_of, serials_of
from printing import building, handover as files, samples, services, starters
from printing.labels import Roll
from printing.models import Handover, Press, PrintJob, SignOff, TemplateVersion
from printing.source import BulkSource
from staff.models import Audit, User
from tests.environment import BRAND
from tests.makers import make_batch
from tests.printing.makers import template_json
from tests.printing.test_handover import KEY, OTHER_KEY, approve, asked, client, plain
from tests.printing.versions import make_version

drawn = pytest.mark.parametrize("output", ["pdf", "pdf_raw", "zpl"])
STRIPS = 12


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)


@pytest.fixture(autouse=True)
def _unhurried(brand: Brand) -> None:
    """Drawing and decoding stand inside the transaction of these tests, which real code keeps them out of."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def batch(brand: Brand, at: datetime) -> Batch:
    return make_batch(count=50, roll_labels=20, at=at)


@pytest.fixture
def press(brand: Brand, at: datetime) -> Press:
    made = services.create_press(name="Red Press", recipient=str(KEY.to_public()), at=at)
    return services.check_key(made, read_out=made.fingerprint, at=at, asked_by="pia")


@pytest.fixture
def pia(brand: Brand) -> User:
    return User.objects.create_user("pia", role="production")


@pytest.fixture
def ola(brand: Brand) -> User:
    return User.objects.create_user("ola", role="owner")


@pytest.fixture
def version(brand: Brand, at: datetime) -> TemplateVersion:
    return make_version(at)


def built(row: PrintJob, pia: User, ola: User, at: datetime) -> list[Handover]:
    samples.sign_off(row, by=pia, at=at)
    services.start(approve(row, ola, at).pk, at=at)
    building.build(row.pk, clock=lambda: at)
    return list(row.handovers.order_by("roll__number"))


@drawn
def test_a_drawn_file_holds_the_roll_between_its_strips(
    output: str, batch: Batch, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    row = asked(batch, press, pia, at, output=output, version=version, proof="full")

    one = built(row, pia, ola, at)[1]

    first, end = one.canary_range.lower, one.canary_range.upper
    numbers = [*range(first, first + 6), *range(21, 41), *range(first + 6, end)]
    data = plain(one)
    if output == "zpl":
        said = data.decode()
    else:
        said = "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data))
    places = [said.index(serial) for serial in serials_of(numbers)]
    assert places == sorted(places)
    for code in secrets_of(numbers):
        assert f"{code[:4]} {code[4:8]} {code[8:12]} {code[12:]}" in said
    facts = json.loads(bytes(one.manifest))
    assert facts["template"] == row.template.sha256
    assert (facts["file"], facts["columns"]) == (output, [])
    report = facts["proof"]
    assert report == one.report
    assert (report["labels"], report["texts"], report["failures"]) == (32, 32, [])
    assert report["decoded"] >= 32
    assert report["tools"]["zxing-cpp"]
    assert report["sha256"] == one.plain_hash


def test_without_full_proof_a_sample_of_each_roll_is_decoded(
    brand: Brand, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    batch = make_batch(count=300, roll_labels=150, at=at)
    row = asked(batch, press, pia, at, 1, 2, output="pdf", version=version)

    first, second = built(row, pia, ola, at)

    assert first.report["decoded"] == 162  # a thousand, if the roll had as many
    assert 32 <= second.report["decoded"] <= 32 + 2 * 15  # whole pages
    assert second.report["labels"] == 162


def test_what_is_drawn_needs_a_template_that_shows_both_codes(
    batch: Batch, press: Press, pia: User, version: TemplateVersion, at: datetime
) -> None:
    elements = template_json()["elements"]
    bare = [one for one in elements if one["type"] != "serial"]
    dumb = [one for one in elements if one["type"] not in {"qr", "datamatrix"}]

    assert asked(batch, press, pia, at, output="pdf", version=version).pk
    for wrong in (bare, dumb):
        with pytest.raises(samples.BadForBatch):
            asked(batch, press, pia, at, output="pdf", version=make_version(at, elements=wrong))
    for output, given in (("pdf", None), ("zpl", None), ("csv", version), ("bmp", version)):
        with pytest.raises(services.NotToPrint):
            asked(batch, press, pia, at, output=output, version=given)
    with pytest.raises(IntegrityError, match="what_is_drawn_has_a_template"), transaction.atomic():
        PrintJob.objects.update(version=None)


def test_a_bar_code_of_letters_is_refused_with_the_reason(brand: Brand, press: Press, pia: User, at: datetime) -> None:
    letters = make_batch(count=20, roll_labels=20, secret_form="B12", at=at)
    elements = [*template_json()["elements"], {"type": "code128", "x": 3, "y": 16, "height": 3, "of": "code"}]
    digits = make_batch(count=20, roll_labels=20, at=at)
    with_bars = make_version(at, elements=elements)

    assert asked(digits, press, pia, at, 1, 1, output="pdf", version=with_bars).pk
    with pytest.raises(samples.BadForBatch, match="digits"):
        asked(letters, press, pia, at, 1, 1, output="pdf", version=with_bars)


def test_a_template_of_the_kind_that_brands_begin_with_is_printed(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime
) -> None:
    row = asked(batch, press, pia, at, 1, 1, output="pdf", version=make_version(at, **starters.unit()), proof="full")

    one = built(row, pia, ola, at)[0]

    assert (one.state, one.report["texts"]) == ("ready", 32)


# --- the sample sheet ------------------------------------------------------------------------------------------------


def test_nothing_is_built_before_the_sample_sheet_is_signed_off(
    batch: Batch, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    row = approve(asked(batch, press, pia, at, output="pdf", version=version), ola, at)
    with pytest.raises(samples.NotSignedOff):
        services.start(row.pk, at=at)
    assert Job.objects.filter(kind=building.JOB_KIND).count() == 0

    signed = samples.sign_off(row, by=pia, at=at, note="looks right")
    assert samples.sign_off(row, by=ola, at=at).pk == signed.pk
    services.start(row.pk, at=at)

    assert Audit.objects.filter(act="sign_off").count() == 1
    again = asked(batch, press, pia, at, output="zpl", version=version)
    assert samples.sign_off_of(again) == signed  # the same template for the same host, GTIN and form
    other = asked(batch, press, pia, at, output="pdf", version=make_version(at, width=61))
    assert samples.sign_off_of(other) is None


def test_a_sample_sheet_shows_labels_that_open_nothing(
    batch: Batch, press: Press, pia: User, version: TemplateVersion, at: datetime
) -> None:
    row = asked(batch, press, pia, at, output="pdf", version=version)

    sample = samples.sample_of(row)

    pages = pypdfium2.PdfDocument(sample.content)
    assert len(pages) == 2  # sixteen labels, fifteen a page
    text = pages[0].get_textpage().get_text_range()
    assert text.count("SAMPLE") == 15
    real = {*serials_of(range(1, 51)), *(code[:4] for code in secrets_of(range(1, 5)))}
    assert not real & set(text.split())
    picture = pages[0].render(scale=300 / 72, grayscale=True).to_numpy()
    read = zxingcpp.read_barcodes(np.ascontiguousarray(picture.reshape(picture.shape[:2])))
    assert len(read) == 30
    assert samples.sample_of(row).content == sample.content
    with pytest.raises(samples.NotDrawn):
        samples.sample_of(asked(batch, press, pia, at))


def test_the_texts_of_a_template_are_the_brands_and_the_products_own(
    batch: Batch, press: Press, pia: User, at: datetime
) -> None:
    texts = [{"type": "text", "x": 16, "y": 17, "text": "{product_zh} {gtin} {brand}", "size": 5}]
    elements = [one for one in template_json()["elements"] if one["type"] != "text"] + texts
    row = asked(batch, press, pia, at, output="pdf", version=make_version(at, elements=elements))
    batch.product.name_zh = "另一个名字"
    batch.product.save()

    said = pypdfium2.PdfDocument(samples.sample_of(row).content)[0].get_textpage().get_text_range()

    wanted = f"{row.values['product_zh']} {batch.gtin_printed} Xilan Tea"
    assert wanted in said
    assert "另一个名字" not in wanted  # what was approved is what is printed


# --- another copy ----------------------------------------------------------------------------------------------------


def test_a_copy_for_another_press_has_the_same_codes_and_strips_of_its_own(
    batch: Batch, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    one = built(asked(batch, press, pia, at, 1, 1, output="pdf", version=version), pia, ola, at)[0]
    before = plain(one)
    services.expire(at=one.expires_at)  # what was never fetched is gone
    blue = services.create_press(name="Blue", recipient=str(OTHER_KEY.to_public()), at=at)
    services.check_key(blue, read_out=blue.fingerprint, at=at, asked_by="pia")

    other = built(asked(batch, blue, pia, at, 1, 1, output="pdf", version=version), pia, ola, at)[0]

    after = bytes(pyrage.decrypt(files.path_of(other.public_id).read_bytes(), [OTHER_KEY]))
    goods = serials_of(range(1, 21))
    strips = [set(serials_of(range(copy.canary_range.lower, copy.canary_range.upper))) for copy in (one, other)]
    said = [_words(data) for data in (before, after)]
    assert all(set(goods) <= words for words in said)
    assert strips[0] <= said[0]
    assert strips[1] <= said[1]
    assert not strips[0] & said[1]
    with pytest.raises(pyrage.DecryptError):
        plain(other)


def _words(data: bytes) -> set[str]:
    opened = pypdfium2.PdfDocument(BytesIO(data))
    return {word for page in opened for word in page.get_textpage().get_text_range().split()}


# --- pages ---------------------------------------------------------------------------------------------------------


def test_from_a_template_to_proved_files_through_the_pages(
    batch: Batch, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    browser, form = client(pia), f"/console/batches/{batch.public_id}/print"
    asks: dict[str, Any] = {"first_roll": 1, "last_roll": 1, "press": press.pk, "output": "pdf", "full_proof": "on"}
    assert version.template.name in browser.get(form).content.decode()
    assert browser.post(form, asks).status_code == 422
    page = browser.post(form, asks | {"template": version.template.pk})["Location"]
    row = PrintJob.objects.get()
    assert (row.version, row.proof) == (version, "full")
    sheet = browser.get(f"{page}/sample.pdf")
    assert (sheet.status_code, sheet["Content-Type"], sheet.content[:5]) == (200, "application/pdf", b"%PDF-")
    approve(row, ola, at)
    assert f"{page}/start" not in browser.get(page).content.decode()
    browser.post(f"{page}/start")
    assert PrintJob.objects.get().job is None
    assert client(User.objects.create_user("wei", role="warehouse")).post(f"{page}/sign-off").status_code == 403
    assert SignOff.objects.count() == 0

    browser.post(f"{page}/sign-off", {"note": "seen on paper"})
    assert "seen on paper" in browser.get(page).content.decode()
    browser.post(f"{page}/start")
    building.build(row.pk)

    one = Handover.objects.get()
    shown = browser.get(f"/console/handovers/{one.public_id}").content.decode()
    assert "All 32 labels are proved" in shown
    assert "zxing-cpp" in shown


def test_rows_of_data_have_no_sample_sheet(batch: Batch, press: Press, pia: User, at: datetime) -> None:
    row = asked(batch, press, pia, at)

    assert client(pia).get(f"/console/prints/{row.public_id}/sample.pdf").status_code == 404
    assert "sample.pdf" not in client(pia).get(f"/console/prints/{row.public_id}").content.decode()


# --- the command ---------------------------------------------------------------------------------------------------


def test_a_print_is_built_by_command_with_every_label_decoded(
    batch: Batch, press: Press, pia: User, ola: User, version: TemplateVersion, at: datetime
) -> None:
    row = asked(batch, press, pia, at, output="pdf", version=version)
    with pytest.raises(CommandError, match="nobody has started it"):
        call_command("build_print", BRAND, row.public_id)
    samples.sign_off(row, by=pia, at=at)
    services.start(approve(row, ola, at).pk, at=at)
    said = StringIO()

    call_command("build_print", BRAND, row.public_id, "--proof", "full", stdout=said)

    assert "3 files are ready" in said.getvalue()
    assert [one.report["texts"] for one in row.handovers.all()] == [one.lines for one in row.handovers.all()]
    for schema, print_id in (("nobody", row.public_id), (BRAND, "prj_nothing")):
        with pytest.raises(CommandError):
            call_command("build_print", schema, print_id)


def test_a_failed_proof_ends_the_command_with_its_reason(
    batch: Batch,
    press: Press,
    pia: User,
    ola: User,
    version: TemplateVersion,
    at: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = asked(batch, press, pia, at, output="pdf_raw", version=version)
    samples.sign_off(row, by=pia, at=at)
    services.start(approve(row, ola, at).pk, at=at)
    whole = Roll.pieces

    def one_bit_flipped(self: Roll, source: BulkSource) -> Iterator[bytes]:
        for number, piece in enumerate(whole(self, source)):
            yield bytes(piece) if number else piece[:100] + bytes([piece[100] ^ 1]) + piece[101:]

    monkeypatch.setattr(Roll, "pieces", one_bit_flipped)
    with pytest.raises(CommandError, match="the proof failed"):
        call_command("build_print", BRAND, row.public_id)

    assert {one.state for one in row.handovers.all()} == {"failed", "cancelled"}
    page = client(pia).get(f"/console/handovers/{row.handovers.get(state='failed').public_id}").content.decode()
    assert "the objects before the pages" in page
    assert f"/console/handovers/{row.handovers.get(state='failed').public_id}/file" not in page
