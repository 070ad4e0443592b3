"""Templates as rows: versions that never change, what is proposed for a product, previews that open nothing."""

import base64
from datetime import datetime
from io import BytesIO

import numpy as np
import pypdfium2
import pytest
import zxingcpp
from django.db import DatabaseError, connection, transaction

from brands.models import Brand
from labels.models import Product
from labels.queries import Status, resolve
from printing import designs, preflight, starters, trial
from printing.models import ART, Art, Template, TemplateVersion
from printing.preview import Symbol
from printing.template import BadTemplate
from printing.trial import facts
from tests.makers import make_product
from tests.printing.test_art import picture


def make(name: str = "Tea", kind: str = "unit", *, at: datetime, **changed: object) -> TemplateVersion:
    return designs.create_template(name=name, kind=kind, layout={**starters.layout(kind), **changed}, at=at)


def test_a_change_is_a_new_version_and_none_is_none(brand: Brand, at: datetime) -> None:
    first = make(at=at)
    wider = {**starters.layout("unit"), "width": 55}

    second = designs.save_version(first.template, layout=wider, at=at, asked_by="ada")
    again = designs.save_version(first.template, layout=wider, at=at)

    assert (second.number, again.pk, first.template.newest.pk) == (2, second.pk, second.pk)
    assert first.as_template().width == 50
    assert second.as_template().sha256 == second.sha256 != first.sha256


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE printing_templateversion SET layout = '{}'",
        "DELETE FROM printing_templateversion",
        "UPDATE printing_art SET data = ''",
    ],
)
def test_a_version_and_a_picture_never_change(brand: Brand, at: datetime, statement: str) -> None:
    make(at=at)
    designs.add_art(picture("PNG"), name="a", at=at)

    with (
        pytest.raises(DatabaseError, match=r"append-only|permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_names_are_given_once(brand: Brand, at: datetime) -> None:
    make(at=at)

    with pytest.raises(designs.NameTaken):
        make(at=at)
    with pytest.raises(designs.NameTaken):
        designs.change_template(make("Other", at=at).template, name="Tea", is_active=True)


def test_a_template_keeps_its_kind(brand: Brand, at: datetime) -> None:
    first = make(at=at)

    made = designs.save_version(first.template, layout={**starters.layout("unit"), "kind": "card", "dpi": 600}, at=at)

    assert made.as_template().kind == "unit"


def test_a_picture_is_named_and_put_in_where_it_is_drawn(brand: Brand, at: datetime) -> None:
    art = designs.add_art(picture("PNG"), name="mark.png", at=at)
    image = {"type": "image", "x": 1, "y": 1, "width": 8, "height": 8, "data": ART + art.sha256}
    version = make(elements=[image], at=at)

    drawn = version.as_template().elements[0]

    assert version.layout["elements"][0]["data"] == ART + art.sha256
    assert base64.b64decode(drawn.data) == bytes(art.data)  # type: ignore[union-attr]
    assert designs.add_art(picture("PNG"), name="again.png", at=at).pk == art.pk
    assert Art.objects.count() == 1


@pytest.mark.parametrize("data", ["aGVsbG8=", ART + "0" * 64, 7])
def test_a_picture_that_was_not_sent_first_is_refused(brand: Brand, at: datetime, data: object) -> None:
    image = {"type": "image", "x": 1, "y": 1, "width": 8, "height": 8, "data": data}

    with pytest.raises(BadTemplate):
        make(elements=[image], at=at)
    assert not Template.objects.exists()


def test_a_product_has_its_own_proposal_or_that_of_all(brand: Brand, at: datetime) -> None:
    product, other = make_product(), make_product()
    general, own, newest = (make(name, at=at).template for name in ("general", "own", "newest"))
    assert designs.proposed("unit", product) == newest

    designs.propose(general, product=None)
    designs.propose(own, product=product)
    designs.propose(own, product=product)

    assert (designs.proposed("unit", product), designs.proposed("unit", other)) == (own, general)
    designs.change_template(own, name="own", is_active=False)
    own.refresh_from_db()
    assert designs.proposed("unit", product) == general
    with pytest.raises(designs.TemplateRetired):
        designs.propose(own, product=None)


def test_texts_name_the_product_and_its_brand(brand: Brand, at: datetime) -> None:
    product: Product = make_product(name="Oolong", name_zh="乌龙")
    text = {"type": "text", "x": 1, "y": 5, "text": "{brand}: {product} {product_zh} {gtin} {nonsense}"}

    drawn = make(elements=[text], at=at).as_template(designs.values_for(product))

    assert drawn.elements[0].text == f"{brand.name}: Oolong 乌龙 {product.gtin} {{nonsense}}"  # type: ignore[union-attr]


def test_preview_codes_open_nothing(brand: Brand, at: datetime) -> None:
    sample, _values = designs.sample("unit")

    assert resolve(sample.serial, purpose="serial").status is Status.UNKNOWN
    assert resolve(sample.code, purpose="secret").status is Status.UNKNOWN


@pytest.mark.parametrize("kind", Template.Kind.values)
def test_each_start_reads_and_has_nothing_to_mend(brand: Brand, at: datetime, kind: str) -> None:
    sample, values = designs.sample(kind)
    template = make(kind=kind, at=at).as_template(values)

    said = [finding.text for finding in preflight.findings(template, sample)]

    assert [text for text in said if "host" not in text] == []
    assert all(fact.good for fact in facts(template, sample))


def test_the_longest_values_are_warned_of(brand: Brand, at: datetime) -> None:
    text = {"type": "text", "x": 1, "y": 5, "text": "{product_zh}", "size": 9}
    version = make(elements=[text], at=at)

    usual, longest = (designs.sample("unit", longest=longest) for longest in (False, True))

    assert preflight.findings(version.as_template(usual[1]), usual[0]) == []
    assert [one.element for one in preflight.findings(version.as_template(longest[1]), longest[0])] == [0]


@pytest.mark.parametrize("kind", ["unit", "case", "card"])
def test_the_page_for_trying_a_device_is_true_to_size(brand: Brand, at: datetime, kind: str) -> None:
    sample, values = designs.sample(kind)
    template, file = make(kind=kind, at=at).as_template(values), BytesIO()

    trial.write(template, sample, title="Trial", file=file)

    page = pypdfium2.PdfDocument(file.getvalue())[0]
    picture = page.render(scale=template.dpi / 72 * (1 - 1e-6), grayscale=True).to_numpy()
    said = {one.text for one in zxingcpp.read_barcodes(np.ascontiguousarray(picture))}
    wanted = {trial.says(one, template, sample) for one in template.elements if isinstance(one, Symbol)}
    row = picture[template.dots(trial.TOP + template.height + 18 + 14 + 12)] < 128
    edges = np.flatnonzero(np.diff(row.astype(int)))[-23:]
    assert page.get_size()[0] * 25.4 / 72 == pytest.approx(210, abs=0.1)
    assert wanted <= said
    assert set(np.diff(edges)) == {6}  # twelve bars of six dots and their gaps, none wider than another
