"""A periodic task does its work once a period, and again if it died half-way."""

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection

from common.models import PeriodicRun
from common.periodic import advisory_lock, run_once


def test_the_work_of_a_period_is_done_once(brand, at):
    done = []

    results = [run_once("count", day, lambda: done.append(1), at=at) for day in ("mon", "mon", "tue")]

    assert results == [True, False, True]
    assert len(done) == 2


def test_a_run_that_died_is_done_again(brand, at):
    def die():
        raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        run_once("count", "mon", die, at=at)
    assert PeriodicRun.objects.get().ended_at is None

    assert run_once("count", "mon", lambda: None, at=at + timedelta(hours=1)) is True
    assert PeriodicRun.objects.get().ended_at == at + timedelta(hours=1)


def test_two_at_once_do_not_both_work(real_commits, at):
    tenant = connection.tenant
    answers = []

    def second():
        connection.set_tenant(tenant)
        answers.append(run_once("count", "mon", lambda: None, at=at))
        answers.append(run_once("other", "mon", lambda: None, at=at))
        connection.close()

    with advisory_lock("count") as free:
        assert free
        thread = Thread(target=second)
        thread.start()
        thread.join()

    assert answers == [False, True]
