"""A batch in rolls, two presses with keys, two persons, and files that were built: for what follows a hand-over."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyrage
import pytest
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.test import Client

from brands.models import Brand
from common.clock import now
from labels.models import Batch
from printing import building, services
from printing.models import Handover, Press, PrintJob
from staff import approvals
from staff.models import Audit, User
from tests.makers import make_batch

KEY = pyrage.x25519.Identity.generate()


@dataclass
class Handing:
    """Files of three rolls for the Red Press, ready to be fetched; a Blue Press has none."""

    batch: Batch
    red: Press
    blue: Press
    pia: User
    ola: User
    files: list[Handover]
    at: datetime


@pytest.fixture
def handing(brand: Brand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handing:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    batch = make_batch(count=50, roll_labels=20, at=now())
    at = now()
    red, blue = (checked_press(name, at) for name in ("Red Press", "Blue Press"))
    pia = User.objects.create_user("pia", password="x", role="production")
    ola = User.objects.create_user("ola", password="x", role="owner")
    row = services.request(services.NewPrint(batch, 1, 3, red), by=pia, at=at)
    files = list(build(row, ola, at).handovers.order_by("roll__number"))
    return Handing(batch, red, blue, pia, ola, files, at)


def checked_press(name: str, at: datetime) -> Press:
    made = services.create_press(name=name, recipient=str(KEY.to_public()), at=at)
    return services.check_key(made, read_out=made.fingerprint, at=at, asked_by="pia")


def build(row: PrintJob, approver: User, at: datetime) -> PrintJob:
    """Approve a request and build its files."""
    with transaction.atomic():
        approvals.decide(row.approval_id, approved=True, by=approver, at=at)
    services.start(row.pk, at=at)
    building.build(row.pk, clock=lambda: at)
    return row


def client_of(user: User, *, fresh: bool = True) -> Client:
    """Return a client of somebody, who has just given the password if ``fresh``."""
    found = Client(HTTP_HOST="brand.localhost")
    found.force_login(user)
    if fresh:
        request = HttpRequest()
        request.session = found.session
        record_authentication(request, user, "password", reauthenticated=True)
        request.session.save()
    return found


def refusals() -> list[tuple[str, str]]:
    """Return what was refused, and to whom."""
    return [(row.after["refused"], row.actor) for row in Audit.objects.filter(act="refused").order_by("id")]
