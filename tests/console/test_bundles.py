"""The page of a file's evidence bundles: who makes, who downloads, and what proves them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from analytics import bundling, tasks
from analytics.bundle import check
from analytics.models import EvidenceBundle
from common.clock import now
from staff.models import Audit
from tests.analytics.files import Filed, make_file

Browse = Callable[..., Client]


@pytest.fixture
def filed(browse: Browse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filed:
    monkeypatch.setattr("django.conf.settings.VAR_DIR", tmp_path)
    return make_file()


def address(filed: Filed, act: str = "") -> str:
    return f"/console/cases/{filed.case.public_id}/bundles{act}"


def test_legal_makes_a_bundle_and_downloads_it(browse: Browse, filed: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("analytics.tasks.make_bundle.delay", sent.append)
    legal = browse("legal")
    assert "There is no bundle yet." in legal.get(address(filed)).content.decode()
    assert "Evidence bundle" in legal.get(f"/console/cases/{filed.case.public_id}").content.decode()

    answer = legal.post(address(filed, "/make"), follow=True)

    row = EvidenceBundle.objects.get()
    assert sent == [row.pk]
    assert "is being made" in answer.content.decode()
    early = legal.get(address(filed, f"/{row.public_id}"), follow=True)
    assert "The bundle is not made yet." in early.content.decode()
    assert early["Content-Type"].startswith("text/html")

    tasks.make_bundle(row.pk)

    page = legal.get(address(filed)).content.decode()
    row.refresh_from_db()
    assert bytes(row.sha256 or b"").hex() in page
    assert "no seal yet" in page
    early = legal.get(address(filed, f"/{row.public_id}/proof"), follow=True)
    assert "No seal covers the bundle yet." in early.content.decode()
    fetched = legal.get(address(filed, f"/{row.public_id}"))
    assert check(fetched.content, keys=bundling.brand_keys()).faults == []
    assert fetched["Content-Disposition"] == f'attachment; filename="{filed.case.number}-{row.public_id}.zip"'
    line = Audit.objects.filter(act="export", table_name="analytics_evidencebundle").get()
    assert line.actor == "the-legal"


def test_others_see_the_list_and_fetch_nothing(browse: Browse, filed: Filed) -> None:
    row = bundling.ask_for(filed.case.pk, at=now(), by="lea")
    bundling.make(row.pk)

    auditor = browse("auditor")

    page = auditor.get(address(filed)).content.decode()
    assert row.public_id not in page.replace(f"/bundles/{row.public_id}/proof", "")
    assert "Make a bundle" not in page
    assert auditor.get(address(filed, f"/{row.public_id}")).status_code == 403
    assert auditor.post(address(filed, "/make")).status_code == 403
    assert browse("warehouse").get(address(filed)).status_code == 403
    assert browse("investigator").get(address(filed)).status_code == 404  # not in their charge
    assert browse("owner").get(address(filed, f"/{row.public_id}")).status_code == 200


def test_what_nobody_works_on_is_pushed_again(filed: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("analytics.tasks.make_bundle.delay", sent.append)
    row = bundling.ask_for(filed.case.pk, at=now(), by="lea")
    tasks.sweep_bundles()
    assert sent == []  # its message is on the way

    row.job.created_at = now() - 2 * bundling.jobs.STALE_AFTER
    row.job.save()
    tasks.sweep_bundles()

    assert sent == [row.pk]
