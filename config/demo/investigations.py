"""Files of investigations in the demo: one under way, with a check in a shop and a question that waits; one new; one decided.

Each step is done once; what was interrupted goes on where it stood.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from uuid import UUID

import PIL.Image
import PIL.ImageDraw
import qrcode

from analytics import bundling, case_evidence, casework, replies
from analytics.case_evidence import Seen
from analytics.models import Case
from analytics.photos import Photo, Spot, read_photo
from analytics.tasks import make_bundle
from channel.models import Document
from config.demo import trade
from labels.models import Batch
from labels.queries import serials_of
from labels.tasks import push
from staff.models import User

INVESTIGATOR, LEGAL = "investigator", "legal"
CHECK = UUID("5f0f7c1e-6a0e-4a43-8a67-6f6f1f6a2b01")
ZONE = "Asia/Shanghai"
QUESTION = (
    "Packs of this shipment were scanned in Shanghai, Hangzhou and Nanjing, outside your territory. To whom did you sell"
    " these cases, and on what papers?\n这批货的若干单品在上海、杭州、南京被扫码，均在贵司区域之外。请说明这些箱货卖给了谁，并提供单据。"
)


def seed_files(batch: Batch, *, at: datetime) -> None:
    """Open the files about three of the consignments; ``batch``: the one that went out in cases."""
    people = {user.username: user for user in User.objects.filter(username__in=[INVESTIGATOR, LEGAL])}
    _under_way(batch, people[INVESTIGATOR], at=at)
    new = _shipment(batch, trade.NORTH, 3)
    if new:
        casework.open_case(new.pk, at=at - timedelta(hours=9), by=INVESTIGATOR)
    explained = _shipment(batch, trade.CENTRAL, 3)
    if explained:
        case = casework.open_case(explained.pk, at=at - timedelta(hours=20), by=INVESTIGATOR)
        if case.state == Case.State.NEW:
            casework.decide(
                case.pk,
                seen=case.state,
                decision="explained",
                reason="Three cases were lent to the fair in Guangzhou; the loan note of the fair is in the office.",
                at=at - timedelta(hours=4),
                by=LEGAL,
            )


def _shipment(batch: Batch, distributor: int, number: int) -> Document | None:
    place = trade.CONSIGNMENTS.index(trade.Consignment(distributor, number))
    return Document.objects.filter(kind="shipment", number=f"SO-{batch.number}-C{place + 1:02d}").first()


def _under_way(batch: Batch, person: User, *, at: datetime) -> None:
    shipment = _shipment(batch, trade.SOUTH, 5)
    if shipment is None:
        return
    case = casework.open_case(
        shipment.pk,
        at=at - timedelta(hours=22),
        by=INVESTIGATOR,
        assignee=person,
        due_on=(at + timedelta(days=12)).date(),
        text="Twelve cases of one shipment, three cities, one direction.",
    )
    if case.state == Case.State.NEW:
        casework.move(case.pk, seen=case.state, to="field_check", at=at - timedelta(hours=21), by=INVESTIGATOR)
    label_no = batch.goods[0] + trade.Consignment(trade.SOUTH, 5).first + 3
    [serial] = serials_of([label_no])
    seen = Seen(
        label=serial,
        shop="Yuyuan Tea Market, stall 21 豫园茶市21号",
        invoice="INV-2611-0417",
        price=Decimal("128.00"),
        note="Six packs on the shelf, price 20 % below the list. 货架上六件，售价低于指导价两成。",
        spot=Spot(31.2272, 121.4921, 9.0),
        photos=(_picture(f"https://id.xilan.example/01/{batch.gtin_printed}/21/{serial}"),),
    )
    case_evidence.field_check(case.pk, uuid=CHECK, seen=seen, at=at - timedelta(hours=18), by=INVESTIGATOR)
    if not case.questions.exists():
        _ask(case, at=at - timedelta(hours=2))
    if not case.bundles.exists():
        push(make_bundle, bundling.ask_for(case.pk, at=at, by=LEGAL).pk)


def _ask(case: Case, *, at: datetime) -> None:
    """Ask the distributor, and show some of the evidence."""
    found = replies.evidence_of(case, at=at, zone=ZONE)
    parts: Sequence[Sequence[replies.Candidate]] = (
        found.seen[:6],
        [one for one in found.cases if one.scanned][:4],
        found.papers[:2],
        found.pictures[:1],
    )
    chosen = found.chosen({one.key for part in parts for one in part})
    case_evidence.ask(case.pk, partner_id=case.distributor_id, text=QUESTION, released=chosen, at=at, by=INVESTIGATOR)


def _picture(link: str) -> Photo:
    """Return a picture of a tin with its label, drawn: the demonstration has no camera."""
    image = PIL.Image.new("RGB", (1200, 900), (140, 104, 72))
    draw = PIL.ImageDraw.Draw(image)
    for board in range(0, 900, 150):
        draw.rectangle((0, board, 1200, board + 4), fill=(118, 86, 58))
    draw.rounded_rectangle((330, 110, 870, 850), 36, fill=(28, 91, 79))
    draw.rounded_rectangle((330, 110, 870, 210), 36, fill=(196, 164, 92))
    draw.rounded_rectangle((430, 330, 770, 760), 14, fill=(250, 249, 245))
    code = qrcode.make(link, border=1).get_image().convert("RGB").resize((290, 290))
    image.paste(code, (455, 360))
    draw.rectangle((455, 675, 745, 735), fill=(178, 180, 184))  # the scratch layer
    out = BytesIO()
    image.rotate(3, PIL.Image.Resampling.BICUBIC, fillcolor=(140, 104, 72)).save(out, "JPEG", quality=85)
    return read_photo(out.getvalue(), name="stall-21.jpg")
