"""Files of investigations for the tests: a shipment of two cases to distributor A, and people of each kind."""

from dataclasses import dataclass, field
from io import BytesIO

import PIL.Image

from analytics import casework
from analytics.models import Case, Finding, FitRun
from analytics.photos import Photo, read_photo
from channel.models import Document
from staff.models import Role, User
from tests.channel.goods import Goods, ago, make_goods, send
from tests.conftest import NOW


@dataclass
class Filed:
    """One open file, and what it is about. ``ina`` investigates, ``lea`` decides."""

    case: Case
    goods: Goods
    shipment: Document
    finding: Finding
    ina: User
    lea: User = field(repr=False)


def make_finding(
    shipment: Document, *, probability: float = 0.94, alert: bool = True, dest_id: int | None = None
) -> Finding:
    run = FitRun.objects.create(
        began_at=NOW, ended_at=NOW, scans_from=ago(days=365), scans_until=NOW, eta=0.8, parameters={}, counts={},
        data_hash=bytes(32), code_version="test", seconds=1, alert_from=0.7,
    )  # fmt: skip
    return Finding.objects.create(
        run=run, shipment_id=shipment.pk, distributor_id=shipment.destination_id, dest_id=dest_id,
        probability=probability, distributor_probability=0.9, alert=alert, level="accusable", expected_cases=1.2,
        expected_units=5, labels=6, devices=5, cases=2, scans=8, shipped_labels=8, first_scan_at=ago(days=3),
        last_scan_at=ago(days=1), travelled=0.03, online=0.04, border=0, away=0.01, found_at=NOW,
    )  # fmt: skip


def make_person_of(role: str, username: str, regions: str = "") -> User:
    return User.objects.create_user(username, password="x", role=role, regions=regions)


def make_file(*, assigned: bool = True) -> Filed:
    goods = make_goods(2, at=ago(days=9))
    send(goods, goods.a, 0, 1, at=ago(days=8))
    shipment = Document.objects.get(kind="shipment")
    finding = make_finding(shipment, dest_id=goods.b.pk)
    ina, lea = make_person_of(Role.INVESTIGATOR, "ina"), make_person_of(Role.LEGAL, "lea")
    case = casework.open_case(shipment.pk, at=NOW, by="ana", assignee=ina if assigned else None)
    return Filed(case, goods, shipment, finding, ina, lea)


def picture(colour: str = "red", kind: str = "JPEG") -> bytes:
    out = BytesIO()
    PIL.Image.new("RGB", (40, 30), colour).save(out, kind)
    return out.getvalue()


def photo(colour: str = "red") -> Photo:
    return read_photo(picture(colour))
