"""`resolve` and `states`: every status of the table, at the same cost for every wrong secret."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from labels import keys, queries
from labels.codes.encode import assemble
from labels.codes.ff1 import Scalar
from labels.codes.forms import LABEL_FORMS, N16
from labels.models import Batch, Block, Product, Slot
from labels.queries import Status, Typed, resolve, resolve_many, secrets_of, serials_of, states
from labels.services import activate, block, cancel_activation, lift, order_batch, shred_root
from staff.keys import create_key, forget_keys
from tests.labels.conftest import GTIN, OTHER_GTIN, MakeBatch, bounds, day


def first(batch: Batch) -> int:
    return bounds(batch)[0]


def secret(batch: Batch, offset: int = 0) -> str:
    return secrets_of([first(batch) + offset])[0]


def serial(batch: Batch, offset: int = 0) -> str:
    return serials_of([first(batch) + offset])[0]


def unissued(number: int = 1) -> str:
    """A well-formed N16 code of slot ``number`` that decrypts to no label."""
    return next(
        code
        for core in range(1000)
        if resolve(code := assemble(N16, number, core), purpose="secret").status is Status.UNKNOWN
    )


def wrong_digit(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", LABEL_FORMS)
def test_a_secret_of_any_form_resolves_to_its_label(make_batch: MakeBatch, form: str) -> None:
    batch = make_batch(secret_form=form)
    last = bounds(batch)[1] - 1

    for label_no in (first(batch), last):
        found = resolve(secrets_of([label_no])[0], purpose="secret")

        assert found.known
        assert (found.label_no, found.batch_id, found.product_id) == (label_no, batch.pk, batch.product_id)
        assert (found.form, found.slot, found.generation) == (form, batch.secret_slot.number, 0)
        assert (found.detail, found.masked, found.mac) == (None, "", None)


def test_a_code_is_read_through_noise(make_batch: MakeBatch) -> None:
    code = secret(make_batch())
    typed = " " + N16.grouped(code).replace(" ", " \u2013 ").translate(
        str.maketrans("0123456789", "０１２３４５６７８９")
    )

    assert resolve(typed, purpose="secret").known


@pytest.mark.parametrize(
    ("typed", "want", "got"),
    [
        ("", 16, 0),
        ("123456789012345", 16, 15),
        ("1234 5678 9012 3456 7", 16, 17),
        ("12345678901234X6", 16, 15),
        ("123456789012345Й", 16, 16),
        ("1" * 201, 16, 201),
    ],
)
def test_malformed_says_what_is_wanted_and_what_came(make_batch: MakeBatch, typed: str, want: int, got: int) -> None:
    make_batch()

    found = resolve(typed, purpose="secret")

    assert (found.status, found.detail) == (Status.MALFORMED, "malformed")
    assert (found.want, found.got) == (want, got)
    assert found.mac is not None


def test_a_serial_has_twelve_symbols(make_batch: MakeBatch) -> None:
    batch = make_batch()

    found = resolve(secret(batch), purpose="serial")

    assert (found.status, found.want, found.got) == (Status.MALFORMED, 12, 16)


def test_a_wrong_digit_is_a_typo_and_asks_for_nothing(make_batch: MakeBatch) -> None:
    code = wrong_digit(secret(make_batch()))
    keys.audit_mac(b"warm")

    with CaptureQueriesContext(connection) as asked:
        found = resolve(code, purpose="secret")

    assert (found.status, found.detail) == (Status.TYPO, "typo")
    assert found.masked == f"{code[:4]}…{code[-2:]}"
    assert found.mac == keys.audit_mac(code.encode())
    assert len(asked) == 0


def test_unknown(make_batch: MakeBatch) -> None:
    batch = make_batch()
    code = unissued(batch.secret_slot.number)

    found = resolve(code, purpose="secret")

    assert (found.status, found.detail, found.label_no) == (Status.UNKNOWN, None, None)
    assert found.mac == keys.audit_mac(code.encode())


def test_a_slot_never_opened_is_unknown(make_batch: MakeBatch) -> None:
    make_batch()

    assert resolve(assemble(N16, 7, 12345), purpose="secret").status is Status.UNKNOWN


def test_nothing_is_known_to_a_brand_without_batches(brand: Brand) -> None:
    assert resolve("3904259030959168", purpose="secret").status is Status.UNKNOWN
    assert resolve("5JQ2D4Y8562N", purpose="serial").status is Status.UNKNOWN
    assert resolve("1", purpose="secret").want == 16


def test_a_label_of_another_slot_is_unknown(make_batch: MakeBatch) -> None:
    """The core decrypts, under the key of slot 2, to a label that belongs to a batch of slot 1."""
    batch = make_batch()
    two = Slot.objects.create(purpose="secret", form="N16", number=2, root_version=1, created_at=batch.created_at)
    make_batch(count=5)
    reference = queries.slot_ref(two)

    code = queries.codes_in_slot(reference, [first(batch)])[0]

    queries.forget_tables()
    assert resolve(code, purpose="secret").status is Status.UNKNOWN
    assert resolve(secret(batch), purpose="secret").known


def test_an_older_generation_is_still_read(make_batch: MakeBatch, at: datetime) -> None:
    old = make_batch()
    old_secret = secret(old)
    Slot.objects.filter(pk=old.secret_slot_id).update(state=Slot.State.DECRYPT_ONLY)
    newer = Slot.objects.create(
        purpose="secret", form="N16", number=old.secret_slot.number, generation=1, root_version=1, created_at=at
    )
    new = make_batch()
    assert new.secret_slot_id == newer.pk

    assert resolve(old_secret, purpose="secret").label_no == first(old)
    assert resolve(secret(new), purpose="secret")[:2] == (Status.ACTIVE, first(new))
    assert resolve(secret(new), purpose="secret").generation == 1


def test_a_serial_typed_as_a_secret(make_batch: MakeBatch) -> None:
    batch = make_batch()

    found = resolve(serial(batch), purpose="secret")

    assert (found.status, found.detail, found.label_no) == (Status.SERIAL_TYPED, "serial_typed", None)


def test_a_secret_of_twelve_symbols_is_no_serial(make_batch: MakeBatch) -> None:
    batch = make_batch(secret_form="B12")

    assert resolve(secret(batch), purpose="secret").known
    assert resolve(secret(batch), purpose="serial").status is Status.UNKNOWN
    assert resolve(serial(batch), purpose="secret").status is Status.SERIAL_TYPED


def test_a_secret_with_its_own_serial(make_batch: MakeBatch) -> None:
    batch = make_batch()

    found = resolve(secret(batch), purpose="secret", serial=serial(batch).lower(), gtin=GTIN)

    assert found.known
    assert found.scanned_label_no == found.label_no


def test_mismatch(make_batch: MakeBatch) -> None:
    batch = make_batch()
    of_another_label = resolve(secret(batch, 1), purpose="secret", serial=serial(batch))
    unknown = resolve(unissued(), purpose="secret", serial=serial(batch))
    wrong_gtin = resolve(secret(batch), purpose="secret", serial=serial(batch), gtin=OTHER_GTIN)
    bad_serial = resolve(secret(batch), purpose="secret", serial="123")

    for found in (of_another_label, unknown, wrong_gtin, bad_serial):
        assert (found.status, found.detail, found.known) == (Status.MISMATCH, "mismatch", False)
    assert (of_another_label.label_no, of_another_label.masked) == (first(batch) + 1, "")
    assert of_another_label.scanned_label_no == unknown.scanned_label_no == first(batch)
    assert unknown.label_no is None


def test_serials_and_their_gtin(make_batch: MakeBatch) -> None:
    batch = make_batch()

    assert resolve(serial(batch), purpose="serial").known
    assert resolve(serial(batch), purpose="serial", gtin=GTIN).known
    assert resolve(serial(batch), purpose="serial", gtin=GTIN.lstrip("0")).known
    wrong = resolve(serial(batch), purpose="serial", gtin=OTHER_GTIN)
    assert (wrong.status, wrong.label_no, wrong.known) == (Status.WRONG_GTIN, first(batch), False)


def test_the_test_series_only_works_in_test_mode(make_batch: MakeBatch) -> None:
    batch = make_batch(test_series=True)
    assert batch.is_test
    assert batch.serial_slot.number == 0

    for code, purpose in ((secret(batch), "secret"), (serial(batch), "serial")):
        assert resolve(code, purpose=purpose, test_mode=True).known
        refused = resolve(code, purpose=purpose)
        assert (refused.status, refused.detail) == (Status.TEST_LABEL, "test_label")
        assert refused.label_no == first(batch)


def test_retired(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch()
    code, own_serial = secret(batch), serial(batch)
    create_key("root", at=at, version=2)
    Slot.objects.update(state=Slot.State.CLOSED)
    assert resolve(code, purpose="secret").known

    shred_root(1, at=at)

    found = resolve(code, purpose="secret")
    assert (found.status, found.detail, found.label_no) == (Status.RETIRED, "retired", None)
    assert resolve(own_serial, purpose="serial").status is Status.RETIRED
    fresh = make_batch()
    assert fresh.secret_slot.root_version == 2
    assert resolve(secret(fresh), purpose="secret").known


def test_many_keep_their_order(make_batch: MakeBatch) -> None:
    batch = make_batch()
    asked = [
        Typed(secret(batch)),
        Typed("12"),
        Typed(serial(batch, 3), "serial", gtin=GTIN),
        Typed(secret(batch, 5), serial=serial(batch, 5)),
        Typed(secret(batch, 5), serial=serial(batch, 6)),
    ]

    found = resolve_many(asked)

    wanted = [Status.ACTIVE, Status.MALFORMED, Status.ACTIVE, Status.ACTIVE, Status.MISMATCH]
    assert [resolution.status for resolution in found] == wanted


def test_a_batch_ordered_by_another_process_is_found(make_batch: MakeBatch) -> None:
    make_batch()
    stale = dict(queries._tables)
    new = make_batch()
    code = secret(new)
    queries._tables.clear()
    queries._tables.update(stale)

    assert resolve(code, purpose="secret").label_no == first(new)


# --- cost ----------------------------------------------------------------------------------------------------------


@dataclass
class Cost:
    decryptions: int = 0
    macs: int = 0
    queries: list[str] = field(default_factory=list)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Cost:
    cost = Cost()
    decrypt, mac = Scalar.decrypt, keys.audit_mac

    def counting_decrypt(self: Scalar, number: int) -> int:
        cost.decryptions += 1
        return decrypt(self, number)

    def counting_mac(data: bytes) -> bytes:
        cost.macs += 1
        return mac(data)

    monkeypatch.setattr(Scalar, "decrypt", counting_decrypt)
    monkeypatch.setattr(keys.ThreadKeys, "mac", staticmethod(counting_mac))
    return cost


def cost_of(counted: Cost, typed: str, **arguments: str) -> tuple[int, int, int]:
    resolve(typed, purpose="secret", **arguments)  # type: ignore[arg-type]
    counted.decryptions = counted.macs = 0
    with CaptureQueriesContext(connection) as asked:
        resolve(typed, purpose="secret", **arguments)  # type: ignore[arg-type]
    return counted.decryptions, counted.macs, len(asked)


def test_every_wrong_secret_costs_the_same(make_batch: MakeBatch, counted: Cost, at: datetime) -> None:
    batch = make_batch()
    number = batch.secret_slot.number
    for generation, state in enumerate(("decrypt_only", "open")):
        Slot.objects.create(
            purpose="secret", form="N16", number=5, generation=generation, state=state, root_version=1, created_at=at
        )
    queries.forget_tables()
    in_one_generation, in_two, in_none = unissued(number), unissued(5), assemble(N16, 8, 99)

    costs = {cost_of(counted, code) for code in (in_one_generation, in_two, in_none)}

    assert costs == {(2, 1, 1)}


def test_with_a_serial_every_wrong_secret_costs_the_same(make_batch: MakeBatch, counted: Cost) -> None:
    batch = make_batch()
    wrong = [unissued(batch.secret_slot.number), assemble(N16, 8, 99), secret(batch, 1)]

    costs = {cost_of(counted, code, serial=serial(batch)) for code in wrong}
    costs |= {cost_of(counted, code, serial="12") for code in wrong}

    assert costs == {(2, 1, 1)}


def test_a_right_secret_needs_no_query(make_batch: MakeBatch, counted: Cost) -> None:
    assert cost_of(counted, secret(make_batch())) == (1, 0, 0)


# --- states --------------------------------------------------------------------------------------------------------


def status_of(label_no: int, at: datetime) -> Status:
    return states([label_no], at)[label_no].status


def test_states_are_one_query_for_any_number_of_labels(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(active=True, lot="L7", market="CN-53")
    block(label_range=(first(batch) + 5, first(batch) + 10), reason="lost", at=at)
    label_nos = [*range(*bounds(batch)), 10**14 - 1]

    with CaptureQueriesContext(connection) as asked:
        found = states(label_nos, at)

    assert len(asked) == 1
    assert len(found) == len(label_nos)
    assert found[10**14 - 1].status is Status.UNKNOWN
    blocked = [label_no for label_no in label_nos if found[label_no].status is Status.BLOCKED]
    assert blocked == list(range(first(batch) + 5, first(batch) + 10))
    state = found[first(batch)]
    assert (state.status, state.lot, state.market, state.product_id) == (Status.ACTIVE, "L7", "CN-53", batch.product_id)
    assert state.spares_redeemed


def test_not_active_lapsed_active_ended(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    batch = make_batch()
    label_no = first(batch)
    assert status_of(label_no, at) is Status.NOT_ACTIVE
    assert batch.activate_by is not None
    assert status_of(label_no, at + timedelta(days=181)) is Status.LAPSED

    activate(label_range=bounds(batch), product=product, at=at, valid_until=day("2026-12-01"))

    assert status_of(label_no, at) is Status.ACTIVE
    last_moment = datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC)  # one second to midnight in Shanghai
    assert status_of(label_no, last_moment) is Status.ACTIVE
    ended = states([label_no], last_moment + timedelta(seconds=1))[label_no]
    assert (ended.status, ended.ended_on) == (Status.ENDED, day("2026-12-01"))
    assert status_of(label_no, at + timedelta(days=181)) is Status.ENDED


def test_a_cancelled_activation_is_none(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    batch = make_batch()
    activation = activate(label_range=bounds(batch), product=product, at=at)
    assert status_of(first(batch), at) is Status.ACTIVE

    cancel_activation(activation, at=at)

    assert status_of(first(batch), at) is Status.NOT_ACTIVE


def test_the_gravest_block_speaks(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(active=True)
    label_no = first(batch)
    told = []
    for reason, spares in [
        ("lost", True),
        ("spoiled", None),
        ("lost", None),
        ("stolen", None),
        ("sample", False),
        ("recalled", None),
    ]:
        block(label_range=bounds(batch), reason=reason, at=at, spares_redeemed=spares)
        state = states([label_no], at)[label_no]
        told.append((state.status.value, state.reason, state.spares_redeemed))

    assert told == [
        ("blocked", "lost", True),
        ("void", "spoiled", True),
        ("blocked", "lost", False),
        ("blocked", "stolen", False),
        ("void", "sample", False),
        ("recalled", "recalled", False),
    ]


@pytest.mark.parametrize("reason", Block.Reason.values)
def test_every_reason_has_its_status(make_batch: MakeBatch, at: datetime, reason: str) -> None:
    batch = make_batch(count=3)

    block(label_range=bounds(batch), reason=reason, at=at)

    state = states([first(batch)], at)[first(batch)]
    expected = Status.RECALLED if reason == "recalled" else Status.VOID if reason in Block.VOIDING else Status.BLOCKED
    assert (state.status, state.reason, state.spares_redeemed) == (expected, reason, reason in Block.VOIDING)


def test_a_lifted_block_is_none(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(active=True)
    opened = block(label_range=bounds(batch), reason="legal_hold", at=at)
    assert status_of(first(batch), at) is Status.BLOCKED

    lift(opened, at=at)

    assert status_of(first(batch), at) is Status.ACTIVE


# --- the rest ------------------------------------------------------------------------------------------------------


def test_codes_of_many_labels_are_codes_of_each(make_batch: MakeBatch) -> None:
    one, two = make_batch(count=200), make_batch(count=200, secret_form="N20")
    label_nos = [first(two) + 3, *range(*bounds(one)), first(two)]

    assert secrets_of(label_nos) == [secrets_of([label_no])[0] for label_no in label_nos]
    assert serials_of(label_nos) == [serials_of([label_no])[0] for label_no in label_nos]
    with pytest.raises(ValueError, match="never issued"):
        serials_of([10**13])


def test_receipt_numbers_there_and_back(brand: Brand) -> None:
    many = queries.receipt_nos(range(1, 200))

    assert many == [queries.receipt_no(scan_id) for scan_id in range(1, 200)]
    assert [queries.scan_id_of(number) for number in many] == list(range(1, 200))
    grouped = f"{many[0][:4]} {many[0][4:8]}-{many[0][8:]}"
    assert queries.scan_id_of(grouped) == 1
    assert queries.scan_id_of(wrong_digit(many[0])) is None
    assert queries.scan_id_of("12") is None
    assert queries.scan_id_of("5JQ2D4Y8562N") is None


def test_brands_do_not_share_codes(make_batch: MakeBatch, stranger_brand: Brand, at: datetime) -> None:
    code, own = secret(make_batch()), connection.tenant
    mac = keys.audit_mac(b"x")
    connection.set_tenant(stranger_brand)
    try:
        from labels.services import create_product, generate_batch

        product = create_product(gtin=GTIN, name="Other", name_zh="他", at=at)
        batch = order_batch(order_key="order-1", product=product, count=1000, at=at)
        generate_batch(batch.pk)
        assert secret(batch) != code
        assert resolve(code, purpose="secret").status is Status.UNKNOWN
        assert keys.audit_mac(b"x") != mac
    finally:
        connection.set_tenant(own)


def test_keys_are_dropped_after_an_hour(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    one = keys.receipt_cipher()
    assert keys.receipt_cipher() is one
    later = keys.time.monotonic() + 3601

    monkeypatch.setattr(keys.time, "monotonic", lambda: later)

    assert keys.receipt_cipher() is not one
    forget_keys()


def test_many_codes_resolve_together_as_each_does_alone(make_batch: MakeBatch) -> None:
    batches = [make_batch(secret_form=form) for form in ("N16", "B12")]
    typed = [
        one
        for batch in batches
        for offset in range(20)
        for one in (
            Typed(secret(batch, offset), "secret"),
            Typed(secret(batch, offset), "secret", serial=serial(batch, offset + offset % 2)),
            Typed(serial(batch, offset), "serial"),
            Typed(serial(batch, offset), "secret"),
            Typed(wrong_digit(secret(batches[0], offset)), "secret"),
            Typed(unissued(), "secret", serial="no serial"),
        )
    ]

    together = resolve_many(typed)

    assert together == [resolve_many([one])[0] for one in typed]
    assert len({one.status for one in together}) >= 4
