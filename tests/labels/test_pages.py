"""The console's pages of labels, through a client: every state is shown, every act is asked for and refused rightly."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from django.http import HttpResponse
from django.test import Client

from brands.models import Brand
from common.clock import now
from labels.models import Activation, Batch, Block, Product
from labels.queries import serials_of
from labels.services import activate, block, order_batch
from staff.models import User
from tests.labels.conftest import GTIN, MakeBatch, bounds

ClientOf = Callable[[str], Client]


@pytest.fixture
def client_of(brand: Brand) -> ClientOf:
    """Return a signed-in client of a member of staff with a role."""

    def make(role: str) -> Client:
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(User.objects.create_user(f"{role}-1", password="x", role=role))
        return client

    return make


@pytest.fixture
def owner(client_of: ClientOf) -> Client:
    return client_of("owner")


@pytest.fixture
def at() -> datetime:
    return now()  # the pages read the clock: labels must not have lapsed by then


def text(response: HttpResponse) -> str:
    plain = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain))


# --- products ------------------------------------------------------------------------------------------------------


def test_a_product_is_made_shown_and_changed(owner: Client) -> None:
    fields = {"gtin": GTIN.lstrip("0"), "name": "Oolong", "name_zh": "乌龙", "sku": "A-1", "description": "<b>Tea</b>"}
    made = owner.post("/console/products/new", fields)
    product = Product.objects.get()
    assert (made.status_code, made.headers["Location"]) == (302, f"/console/products/{product.public_id}")

    shown = owner.get(made.headers["Location"])
    assert "&lt;b&gt;Tea&lt;/b&gt;" in shown.content.decode()
    changed = owner.post(f"/console/products/{product.public_id}/edit", {**fields, "name": "Oolong 250 g"})

    assert changed.status_code == 302
    product.refresh_from_db()
    assert (product.gtin, product.name, product.is_active) == (GTIN, "Oolong 250 g", False)
    assert "Oolong 250 g" in text(owner.get("/console/products?q=0950"))
    assert "No product fits" in text(owner.get("/console/products?state=used"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("gtin", "9501101530004", "last digit"), ("gtin", GTIN, "already a product"), ("name", "", "required")],
)
def test_a_wrong_product_comes_back_with_its_text(
    owner: Client, product: Product, field: str, value: str, message: str
) -> None:
    fields = {"gtin": "9506000134352", "name": "Kept text", "name_zh": "乌龙", field: value}

    answer = owner.post("/console/products/new", fields)

    assert answer.status_code == 422
    assert message in text(answer)
    assert (field == "name") or "Kept text" in answer.content.decode()
    assert Product.objects.count() == 1


# --- batches ---------------------------------------------------------------------------------------------------------


def order_fields(product: Product, **changes: object) -> dict[str, object]:
    fields = {"order_key": "page-1", "product": product.pk, "count": 5000, "secret_form": "N16"}
    return {**fields, **changes}


def test_an_order_is_placed_once(owner: Client, product: Product) -> None:
    page = owner.get(f"/console/batches/new?product={product.public_id}")
    assert f'<option value="{product.pk}" selected>' in page.content.decode()
    answers = [owner.post("/console/batches/new", order_fields(product)) for _ in range(2)]

    batch = Batch.objects.get()
    assert [answer.headers["Location"] for answer in answers] == [f"/console/batches/{batch.public_id}"] * 2
    assert (batch.count, batch.ordered_by) == (5000, "owner-1")
    shown = owner.get(answers[0].headers["Location"])
    assert "being generated" in text(shown)
    assert f'hx-get="/console/batches/{batch.public_id}/progress"' in shown.content.decode()


def test_odds_stand_beside_the_number(owner: Client, product: Product) -> None:
    few = owner.post("/console/batches/preview", order_fields(product, count=1_000_000))
    many = owner.post("/console/batches/preview", order_fields(product, count=150_000_000))
    none = owner.post("/console/batches/preview", order_fields(product, count="x"))

    assert "1 in 100,000,000" in text(few)
    assert "once in 25 hours" in text(few)
    assert "would be refused" not in text(few)
    assert "hit 6 times an hour" in text(many)
    assert "would be refused" in text(many)
    assert "once a number is typed" in text(none)


def test_too_high_odds_are_refused_at_the_number(owner: Client, product: Product) -> None:
    answer = owner.post("/console/batches/new", order_fields(product, count=150_000_000))

    assert answer.status_code == 422
    assert answer.context["form"].errors["count"][0].startswith("One guess in 666,667")
    assert Batch.objects.count() == 0


def test_progress_asks_for_the_page_once_it_has_ended(owner: Client, product: Product, at: datetime) -> None:
    batch = order_batch(order_key="k", product=product, count=10, at=at)
    running = owner.get(f"/console/batches/{batch.public_id}/progress")
    assert "0 / 10" in text(running)
    owner.post(f"/console/batches/{batch.public_id}/cancel")

    ended = owner.get(f"/console/batches/{batch.public_id}/progress")

    assert ended.headers["HX-Refresh"] == "true"
    assert "generation stopped" in text(owner.get(f"/console/batches/{batch.public_id}"))
    owner.post(f"/console/batches/{batch.public_id}/restart")
    assert "0 / 10" in text(owner.get(f"/console/batches/{batch.public_id}/progress"))


def test_a_batch_shows_what_its_labels_are(
    owner: Client, make_batch: MakeBatch, product: Product, at: datetime
) -> None:
    batch = make_batch(count=1000)
    first, end = bounds(batch)
    activate(label_range=(first, first + 400), product=product, at=at, lot="LOT-7")
    block(label_range=(first + 100, first + 110), reason="stolen", at=at, note="carton 3")

    shown = text(owner.get(f"/console/batches/{batch.public_id}"))

    for wanted in ("On sale 400 40.0 %", "Blocked 10", "1 – 400", "101 – 110", "LOT-7", "carton 3", "N16/1"):
        assert wanted in shown
    assert serials_of([first])[0][:4] in shown
    assert str(end) not in shown or end == 1001  # label numbers stay inside


def test_lists_filter_and_give_csv(owner: Client, make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(active=True)
    draft = make_batch(test_series=True)
    block(label_range=bounds(draft), reason="sample", at=at)

    assert batch.number in text(owner.get("/console/batches?state=active"))
    assert "No batch fits" in text(owner.get("/console/batches?state=void&q=none"))
    assert "test series" in text(owner.get("/console/batches"))
    for name, rows in (("products", 1), ("batches", 2), ("activations", 1), ("blocks", 1)):
        file = owner.get(f"/console/{name}?format=csv")
        assert file.headers["Content-Type"].startswith("text/csv")
        assert file.content.decode().count("\r\n") == rows + 1
    assert "No activation fits" in text(owner.get("/console/activations?q=nothing"))
    assert "No block fits" in text(owner.get("/console/blocks?reason=lost"))


def test_empty_lists_say_what_fills_them(owner: Client) -> None:
    for path in ("products", "batches", "activations", "blocks", "batches/new"):
        assert owner.get(f"/console/{path}").status_code == 200
    assert "there is none yet" in text(owner.get("/console/batches/new"))


# --- ranges ----------------------------------------------------------------------------------------------------------


def test_labels_are_put_on_sale_by_their_places(owner: Client, make_batch: MakeBatch) -> None:
    make_batch(count=50)
    batch = make_batch(count=100)
    page = owner.get(f"/console/activations/new?batch={batch.public_id}")
    assert 'value="100"' in page.content.decode()

    fields = {"batch": batch.public_id, "first": 11, "last": 60, "lot": "L1"}
    assert "Labels 50 On sale 0" in text(owner.post("/console/activations/preview", fields))
    answer = owner.post("/console/activations/new", fields)

    assert answer.headers["Location"] == f"/console/batches/{batch.public_id}"
    activation = Activation.objects.get()
    assert (activation.first, activation.last, activation.count) == (11, 60, 50)
    assert activation.activated_by == "owner-1"
    assert "Labels 50 On sale 50" in text(owner.post("/console/activations/preview", fields))
    again = owner.post("/console/activations/new", fields)
    assert again.status_code == 422
    assert "active already" in text(again)
    owner.post(f"/console/activations/{activation.pk}/cancel")
    activation.refresh_from_db()
    assert activation.cancelled_by == "owner-1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"last": 101}, "has 100 labels"),
        ({"first": 7, "last": 6}, "comes before"),
        ({"first": 0}, "greater than or equal to 1"),
        ({"batch": "bat_none"}, "valid choice"),
        ({"batch": "bat_\x00"}, "valid choice"),
        ({"lot": "a\x00b"}, "Null characters"),
        ({"valid_until": "2020-01-01"}, "day is over"),
    ],
)
def test_a_wrong_range_comes_back(
    owner: Client, make_batch: MakeBatch, changes: dict[str, object], message: str
) -> None:
    batch = make_batch(count=100)

    answer = owner.post("/console/activations/new", {"batch": batch.public_id, "first": 1, "last": 9, **changes})

    assert answer.status_code == 422
    assert message in text(answer)
    assert Activation.objects.count() == 0


def test_a_reversible_block_is_instant_and_lifted(owner: Client, make_batch: MakeBatch) -> None:
    batch = make_batch(count=100)
    first = bounds(batch)[0]
    page = owner.get(f"/console/blocks/new?first={first + 4}&last={first + 4}")
    assert page.context["form"].initial == {"reason": "lost", "batch": batch.public_id, "first": 5, "last": 5}

    owner.post("/console/blocks/new", {"batch": batch.public_id, "first": 5, "last": 5, "reason": "lost"})
    opened = Block.objects.get()
    assert (opened.first, opened.last, opened.spares_redeemed, opened.opened_by) == (5, 5, False, "owner-1")
    owner.post(f"/console/blocks/{opened.pk}/lift")

    opened.refresh_from_db()
    assert opened.lifted_by == "owner-1"


def test_a_final_block_asks_for_the_name_of_the_batch(owner: Client, make_batch: MakeBatch) -> None:
    batch = make_batch(count=100, active=True)
    fields = {"batch": batch.public_id, "first": 1, "last": 30, "reason": "destroyed", "spares_redeemed": "no"}

    asked = owner.post("/console/blocks/new", fields)
    assert (asked.status_code, Block.objects.count()) == (200, 0)
    assert "30 labels would never be honoured again. 30 of them are on sale." in text(asked)
    wrong = owner.post("/console/blocks/new", {**fields, "typed": "2611-Z"})
    assert (wrong.status_code, Block.objects.count()) == (422, 0)
    done = owner.post("/console/blocks/new", {**fields, "typed": batch.number})

    assert done.status_code == 302
    opened = Block.objects.get()
    assert (opened.reason, opened.spares_redeemed, opened.count) == ("destroyed", False, 30)
    owner.post(f"/console/blocks/{opened.pk}/lift")
    opened.refresh_from_db()
    assert opened.lifted_at is None


# --- rights ----------------------------------------------------------------------------------------------------------

WRITES = [
    ("products/new", "marketer", "warehouse"),
    ("batches/new", "production", "marketer"),
    ("activations/new", "warehouse", "marketer"),
    ("blocks/new", "legal", "warehouse"),
]


@pytest.mark.parametrize(("path", "may", "may_not"), WRITES)
def test_who_may_act(client_of: ClientOf, make_batch: MakeBatch, path: str, may: str, may_not: str) -> None:
    make_batch(count=10)

    assert client_of(may).get(f"/console/{path}").status_code == 200
    assert client_of(may_not).get(f"/console/{path}").status_code == 403
    assert client_of("auditor").post(f"/console/{path}").status_code == 403


def test_readers_see_no_acts(client_of: ClientOf, make_batch: MakeBatch, product: Product) -> None:
    batch = make_batch(count=10)
    paths = [
        "products",
        f"products/{product.public_id}",
        "batches",
        f"batches/{batch.public_id}",
        "activations",
        "blocks",
    ]
    acts = ("/console/products/new", "/console/batches/new", "/console/activations/new", "/console/blocks/new", "/edit")

    for role, sees in (("owner", True), ("auditor", False)):
        client = client_of(role)
        pages = "".join(client.get(f"/console/{path}").content.decode() for path in paths)
        assert [act in pages for act in acts] == [sees] * len(acts)


def test_strangers_are_sent_to_sign_in(brand: Brand) -> None:
    answer = Client(HTTP_HOST="brand.localhost").get("/console/batches")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/console/sign-in?next=/console/batches")


@pytest.mark.parametrize(
    "path", ["products/prd_none", "batches/bat_none", "batches/%00", "activations/99999999999999999999/cancel"]
)
def test_what_is_not_there(owner: Client, path: str) -> None:
    assert owner.get(f"/console/{path}").status_code in {404, 405}
    assert owner.post(f"/console/{path}").status_code in {404, 200}


@pytest.mark.parametrize(
    "query", ["?q=%00", "?after=xx", "?state=zz", "?batch=%00&first=x", "?first=²&last=1", "?product=%00"]
)
@pytest.mark.parametrize("path", ["products", "batches", "activations", "blocks", "batches/new", "blocks/new"])
def test_odd_queries_are_pages_too(owner: Client, path: str, query: str) -> None:
    assert owner.get(f"/console/{path}{query}").status_code == 200
