"""Every row of the table of outcomes: what is told, what counts as a failure, and the order of the steps."""

from datetime import timedelta

import pytest

from brands.models import Brand
from labels.models import Batch, Block
from labels.services import block
from lottery.services import close_campaign, halt
from redemption.models import FailedInput, FailureRow, Redemption, Scan
from redemption.rules import By, Detail, Outcome
from redemption.services import redeem, verify
from tests.conftest import NOW
from tests.makers import (
    POINTS_PER_LABEL,
    STRANGER_PHONE,
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    make_check,
    make_product,
    secret_of,
    secrets_of,
    serial_of,
)


@pytest.fixture
def batch(brand: Brand) -> Batch:
    make_campaign()
    return make_active_batch(3)


@pytest.fixture
def label_no(batch: Batch) -> int:
    return labels_of(batch)[0]


def blocked(label_no: int, reason: str, **values: bool) -> Block:
    return block(label_range=(label_no, label_no + 1), reason=reason, at=NOW, **values)


def failures() -> set[str]:
    return set(FailureRow.objects.values_list("kind", flat=True))


def test_first_check_is_genuine_and_tells_what_the_code_would_earn(label_no: int) -> None:
    receipt = verify(make_check(serial=serial_of(label_no), phone=STRANGER_PHONE))

    assert (receipt.outcome, receipt.earlier, receipt.secret_unused) == (Outcome.GENUINE_FIRST, None, True)
    assert (receipt.points, receipt.points_offered) == (0, POINTS_PER_LABEL)
    assert not failures()


@pytest.mark.parametrize(
    ("reason", "spares", "outcome", "detail"),
    [
        ("recalled", False, Outcome.RECALLED, None),
        ("stolen", False, Outcome.WITHDRAWN, Detail.STOLEN),
        ("lost", False, Outcome.WITHDRAWN, None),
        ("canary", True, Outcome.WITHDRAWN, None),
    ],
)
def test_a_block_refuses(label_no: int, reason: str, spares: bool, outcome: Outcome, detail: Detail | None) -> None:
    blocked(label_no, reason, spares_redeemed=spares)

    receipt = redeem(make_attempt(secret_of(label_no)))

    assert (receipt.outcome, receipt.detail, receipt.points) == (outcome, detail, 0)
    assert not Redemption.objects.exists()
    assert bool(failures()) is (outcome is Outcome.WITHDRAWN)


@pytest.mark.parametrize(
    ("reason", "spares", "outcome"),
    [
        ("recalled", False, Outcome.RECALLED),
        ("stolen", False, Outcome.WITHDRAWN),
        ("unaccounted", True, Outcome.ALREADY_REDEEMED),
    ],
)
def test_a_block_of_a_redeemed_label_stands_before_or_after(
    label_no: int, reason: str, spares: bool, outcome: Outcome
) -> None:
    redeem(make_attempt(secret_of(label_no)))
    blocked(label_no, reason, spares_redeemed=spares)

    assert redeem(make_attempt(secret_of(label_no), phone=STRANGER_PHONE)).outcome is outcome


def test_a_label_before_its_activation_is_not_released(brand: Brand) -> None:
    batch = make_batch(count=1)

    receipt = redeem(make_attempt(secrets_of(batch)[0]))

    assert receipt.outcome is Outcome.NOT_RELEASED
    assert failures() == {"phone", "key", "brand"}
    assert redeem(make_attempt(secrets_of(make_active_batch(1))[0])).outcome is Outcome.REDEEMED


def test_a_label_never_activated_in_time_is_withdrawn(brand: Brand) -> None:
    batch = make_batch(count=1)
    assert batch.activate_by is not None

    receipt = redeem(make_attempt(secrets_of(batch)[0], at=NOW + timedelta(days=400)))

    assert (receipt.outcome, receipt.detail) == (Outcome.WITHDRAWN, None)


def test_codes_end_with_their_last_day(brand: Brand) -> None:
    make_campaign()
    code = secrets_of(make_active_batch(1, valid_until=NOW.date()))[0]

    over = redeem(make_attempt(code, at=NOW + timedelta(days=1)))

    assert (over.outcome, over.ended_on) == (Outcome.ENDED, NOW.date())
    assert redeem(make_attempt(code)).outcome is Outcome.REDEEMED


@pytest.mark.parametrize("how", ["closes", "closed", "halted"])
def test_an_offer_ends_and_codes_stay_unused(brand: Brand, how: str) -> None:
    campaign = make_campaign(closes_at=NOW + timedelta(hours=1) if how == "closes" else None)
    code = secrets_of(make_active_batch(1))[0]
    if how == "closed":
        close_campaign(campaign.pk, at=NOW)
    elif how == "halted":
        halt(campaign.pk, reason="the rules were wrong", at=NOW)

    later = NOW + timedelta(hours=2)
    receipt = redeem(make_attempt(code, at=later))

    assert (receipt.outcome, receipt.ended_on) == (Outcome.ENDED, NOW.date())
    assert not Redemption.objects.exists()
    assert verify(make_check(code=code, at=later)).secret_unused
    if how == "closes":
        assert redeem(make_attempt(code)).outcome is Outcome.REDEEMED


def test_without_any_offer_a_code_is_redeemed_for_nothing(brand: Brand) -> None:
    make_campaign(product=make_product())

    receipt = redeem(make_attempt(secrets_of(make_active_batch(1))[0]))

    assert (receipt.outcome, receipt.points, receipt.balance) == (Outcome.REDEEMED, 0, 0)


def test_the_most_specific_offer_counts(brand: Brand) -> None:
    batch = make_active_batch(1)
    make_campaign(product=batch.product, consumer=7)
    make_campaign(consumer=9)

    assert redeem(make_attempt(secrets_of(batch)[0])).points == 7


def test_a_sample_of_the_test_series_earns_nothing(brand: Brand) -> None:
    batch = make_batch(count=1, test_series=True)

    receipt = redeem(make_attempt(secrets_of(batch)[0]))

    assert (receipt.outcome, receipt.detail) == (Outcome.WITHDRAWN, Detail.TEST_LABEL)


@pytest.mark.parametrize(
    ("change", "detail"),
    [(lambda code: code[:-1], Detail.MALFORMED), (lambda code: code[:-1] + _other(code[-1]), Detail.TYPO)],
)
def test_a_typo_is_no_failure(label_no: int, change: object, detail: Detail) -> None:
    receipt = redeem(make_attempt(change(secret_of(label_no))))  # type: ignore[operator]

    assert (receipt.outcome, receipt.detail) == (Outcome.TYPO, detail)
    assert not failures()
    assert Scan.objects.get().label_no is None


def _other(digit: str) -> str:
    return str((int(digit) + 1) % 10)


def test_a_serial_typed_as_a_code_is_named(label_no: int) -> None:
    receipt = redeem(make_attempt(serial_of(label_no)))

    assert (receipt.outcome, receipt.detail) == (Outcome.TYPO, Detail.SERIAL_TYPED)


def test_an_unknown_code_is_kept_masked_and_counts(brand: Brand, label_no: int) -> None:
    from labels.codes.checks import damm

    body = secret_of(label_no)[:1] + "00000000000000"
    code = body + str(damm(map(int, body)))

    receipt = redeem(make_attempt(code))

    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.tries_left is not None
    assert failures() == {"phone", "key", "brand"}
    kept = FailedInput.objects.get()
    assert code not in kept.masked
    assert kept.masked.startswith(code[:4])
    assert len(bytes(kept.mac or b"")) == 32


def test_a_code_of_another_label_than_the_one_scanned_is_a_mismatch(batch: Batch) -> None:
    first, second, _third = labels_of(batch)

    receipt = redeem(make_attempt(secret_of(first), serial=serial_of(second)))

    assert (receipt.outcome, receipt.detail) == (Outcome.UNKNOWN, Detail.MISMATCH)
    assert redeem(make_attempt(secret_of(first), serial=serial_of(first))).outcome is Outcome.REDEEMED


def test_the_redeemer_s_own_check_is_a_repeat(label_no: int) -> None:
    redeem(make_attempt(secret_of(label_no)))

    own = verify(make_check(serial=serial_of(label_no), phone="+8613800138000"))
    other = verify(make_check(serial=serial_of(label_no), phone=STRANGER_PHONE))

    assert (own.outcome, own.earlier and own.earlier.by) == (Outcome.GENUINE_REPEAT, By.YOU)
    assert (other.outcome, other.earlier and other.earlier.by) == (Outcome.ALREADY_REDEEMED, By.OTHER)
    assert not failures()


def test_a_spent_secret_typed_by_another_is_a_failure(label_no: int) -> None:
    redeem(make_attempt(secret_of(label_no)))
    redeem(make_attempt(secret_of(label_no)))
    assert not failures()

    redeem(make_attempt(secret_of(label_no), phone=STRANGER_PHONE))

    assert failures() == {"phone", "key", "brand"}
