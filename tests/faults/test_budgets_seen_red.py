"""Faults of failure budgets, planted: the tests of tests/redemption/test_budgets.py must fail."""

import pytest
from django.conf import LazySettings

from tests.faults import plants
from tests.redemption import test_budgets as daily
from tests.redemption.test_budgets import _true_budgets, codes

__all__ = ["_true_budgets", "codes"]


def test_a_budget_that_fails_open(codes: list[str], settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.a_lost_store_lets_all_pass(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="TOO_MANY_TRIES"):
        daily.test_a_lost_store_leaves_a_tenth(codes, settings)


def test_a_budget_without_a_store_that_fails_open(
    codes: list[str], settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants.a_lost_store_lets_all_pass(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="TOO_MANY_TRIES"):
        daily.test_without_any_store_a_tenth_holds(codes, settings)


def test_failures_that_nobody_counts(codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plants.failures_are_not_charged(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="TOO_MANY_TRIES"):
        daily.test_the_sixth_failure_of_a_number_is_not_looked_at(codes)


def test_an_emptied_store_that_is_believed(codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plants.an_emptied_store_is_believed(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="TOO_MANY_TRIES"):
        daily.test_an_emptied_store_is_counted_again_before_the_first_answer(codes)


def test_a_failure_counted_each_time(codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plants.the_same_failure_counts_again(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="TOO_MANY_TRIES"):
        daily.test_the_same_failure_again_counts_once(codes)
