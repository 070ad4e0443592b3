"""What the page says about each outcome: the look, the word, the line, and where help stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone, translation

from brands.models import Brand
from redemption import page
from redemption.rules import Act, By, Detail, Door, Earlier, Outcome, Receipt, Redeemed

AT = datetime(2026, 11, 22, 2, 42, tzinfo=UTC)
BEFORE = Earlier(3, AT - timedelta(days=19), ("Chengdu", "成都"), Door.WEB, By.OTHER)
SPENT = Redeemed(AT - timedelta(days=2), ("Chengdu", "成都"), Door.SMS, By.OTHER)
CASES = [
    *((outcome, None) for outcome in Outcome),
    (Outcome.WITHDRAWN, Detail.TEST_LABEL),
    (Outcome.WITHDRAWN, Detail.STOLEN),
    (Outcome.ENDED, Detail.RETIRED),
    (Outcome.TYPO, Detail.MALFORMED),
    (Outcome.TYPO, Detail.TYPO),
    (Outcome.TYPO, Detail.SERIAL_TYPED),
    (Outcome.UNKNOWN, Detail.MISMATCH),
]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def receipt_of(outcome: Outcome, detail: Detail | None = None, **facts: object) -> Receipt:
    return Receipt(outcome=outcome, detail=detail, at=AT, **facts)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(("outcome", "detail"), CASES)
def test_every_outcome_has_a_look_a_word_and_a_line(outcome: Outcome, detail: Detail | None, language: str) -> None:
    receipt = receipt_of(outcome, detail, earlier=BEFORE, redeemed=SPENT, want=16, got=15, retry_after_s=600)

    with translation.override(language):
        verdict = page.verdict_of(receipt)

    assert verdict.look in {"ok", "wait", "no"}
    assert verdict.word
    assert verdict.line
    assert any("一" <= sign <= "鿿" for sign in verdict.word + verdict.line) is (language == "zh-hans")


@pytest.mark.parametrize(("outcome", "detail"), CASES)
def test_the_word_genuine_stands_only_where_nobody_else_asked_or_the_secret_was_unused(
    outcome: Outcome, detail: Detail | None
) -> None:
    allowed = {Outcome.GENUINE_FIRST, Outcome.REDEEMED, Outcome.ENDED, Outcome.CAMPAIGN_EXHAUSTED}
    receipt = receipt_of(outcome, detail, earlier=BEFORE, redeemed=SPENT)

    with translation.override("zh-hans"):
        word = page.verdict_of(receipt).word

    assert (word == "正品") is (outcome in allowed and detail is not Detail.RETIRED)


def test_your_own_earlier_checks_stay_green_and_those_of_others_are_amber() -> None:
    others = page.verdict_of(receipt_of(Outcome.GENUINE_REPEAT, earlier=BEFORE))
    yours = page.verdict_of(receipt_of(Outcome.GENUINE_REPEAT, earlier=replace(BEFORE, by=By.YOU)))

    assert (others.look, others.word) == ("wait", "Checked before")
    assert (yours.look, yours.line) == ("ok", "You checked this label 3 times before")


def test_a_code_spent_by_another_names_day_and_city_and_offers_help() -> None:
    receipt = receipt_of(Outcome.ALREADY_REDEEMED, redeemed=SPENT)

    with translation.override("zh-hans"), timezone.override("Asia/Shanghai"):
        verdict = page.verdict_of(receipt)

    assert verdict.line == "此码已于2026年11月20日在成都被兑换"
    assert page.help_for(receipt) is not None
    assert page.help_for(replace(receipt, redeemed=replace(SPENT, by=By.YOU))) is None


def test_waiting_is_told_as_a_time_in_the_brands_zone() -> None:
    receipt = receipt_of(Outcome.TOO_MANY_TRIES, retry_after_s=3600)

    with timezone.override("Asia/Shanghai"):
        assert page.verdict_of(receipt).line == "Too many tries. Please try again after 11:42."


def test_statuses_carry_the_page() -> None:
    assert page.status_of(receipt_of(Outcome.GENUINE_FIRST)) == 200
    assert page.status_of(receipt_of(Outcome.ALREADY_REDEEMED)) == 200
    assert page.status_of(receipt_of(Outcome.TYPO)) == 400
    assert page.status_of(receipt_of(Outcome.UNKNOWN)) == 404
    assert page.status_of(receipt_of(Outcome.TOO_MANY_TRIES)) == 429


def test_tries_left_are_said_only_when_few() -> None:
    assert page.tries_left(receipt_of(Outcome.UNKNOWN, tries_left=2)) == 2
    assert page.tries_left(receipt_of(Outcome.UNKNOWN, tries_left=4_999_998)) is None


def test_a_serial_with_a_slip_is_told_otherwise_than_a_code() -> None:
    scanned = receipt_of(Outcome.TYPO, Detail.TYPO, act=Act.CHECK, by_serial=True)

    assert "Scan the label again" in page.verdict_of(scanned).line
    assert "digit" in page.verdict_of(replace(scanned, by_serial=False)).line


def test_an_offer_that_ended_says_when() -> None:
    verdict = page.verdict_of(receipt_of(Outcome.ENDED, ended_on=date(2026, 10, 31)))

    assert verdict.line == "The points offer ended on 31 Oct 2026"


def test_a_brands_colours_and_logo_cannot_break_out_of_the_style() -> None:
    evil = '</style><script>alert(1)</script>"}*{display:none}'
    brand = Brand(colour=evil[:7], on_colour="#FFF", logo_svg=f'<svg xmlns="x">{evil}</svg>')

    style = page.style_of(brand)

    assert "<" not in style
    assert "*{display:none}" not in style
    assert "--on-brand:#FFF" in style
    assert "--brand:</style" not in style


def test_shortening_keeps_what_counts() -> None:
    css = "/* a */ .a > b { margin: 0 auto ; color : red }\n@media (max-height: 1px) { .c { top: calc(1px + 2px); } }"

    assert page.shorten(css) == ".a > b{margin:0 auto;color :red}@media (max-height:1px){.c{top:calc(1px + 2px)}}"
