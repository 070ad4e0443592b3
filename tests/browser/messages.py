"""Messages and calls of every kind, for looking at."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.test import Client

from brands.models import Brand
from brands.phone_numbers import forget_numbers, number_called
from redemption import calls
from sms_gateway import inbound
from sms_gateway.models import Call, InboundMessage, OutboundMessage, SpendingBudget
from sms_gateway.outbox import send_due
from sms_gateway.services import queue_message, suppress
from sms_gateway.telephone import WITHHELD, Telephone, over_client
from tests.makers import make_active_batch, make_campaign, secrets_of
from tests.sms_gateway.world import OURS, make_kannel, make_twilio

ONE, OTHER = "+8613800138000", "+8613900139000"


def talk(at: datetime) -> dict[str, str]:
    """Let people text and call, and write to them; return what the pages' addresses need."""
    brand = connection.tenant
    make_twilio(Brand.objects.get(pk=brand.pk), at, carrier="simulator", takes_calls=True)
    make_kannel(Brand.objects.get(pk=brand.pk), at, preference=2)
    forget_numbers()
    make_campaign(at=at - timedelta(days=1))
    codes = secrets_of(make_active_batch(4, at=at - timedelta(days=1)))
    here = _telephone(ONE)
    [answer] = here.text(f"HD {codes[0]}", message_id="SM1")
    here.report(answer, "delivered")
    here.text("请问这个茶叶是真的吗? How do I know whether this is genuine, and what do I get for it?")
    spoken = here.call()
    spoken.press("1")
    spoken.press(codes[1])
    _telephone(WITHHELD).call().press("2")
    connection.set_tenant(brand)
    call = Call.objects.order_by("pk")[0]
    with transaction.atomic():
        calls.note_call(call, kind="points", text="Asked when the points expire.", by="ada", at=at)
    _write(at)
    parked = _parked(at)
    line = number_called("simulator", OURS)
    return {
        "in": str(InboundMessage.objects.order_by("pk")[0].uuid),
        "parked": parked,
        "out": str(OutboundMessage.objects.filter(state="delivered")[0].uuid),
        "failed": str(OutboundMessage.objects.filter(state="parked")[0].uuid),
        "number": str(line.id if line else 0),
        "budget": str(SpendingBudget.objects.order_by("pk")[0].pk),
        "call": str(call.uuid),
    }


def _parked(at: datetime) -> str:
    new = inbound.New(
        carrier="simulator", message_id="SM2", number=OURS, sender=OTHER, body="积分", received_at=at, at=at
    )
    [kept] = inbound.keep_many([new])
    InboundMessage.objects.filter(pk=kept.id).update(attempts=5)
    inbound.fail(kept.id, "OperationalError", at=at)
    return str(InboundMessage.objects.get(pk=kept.id, state="parked").uuid)


def _write(at: datetime) -> None:
    """No carrier runs here: one message is parked after its tries, one was stopped, one waits."""
    with transaction.atomic():
        suppress(OTHER, source="keyword", at=at)
        queue_message(OTHER, "Your points expire on 30 November.", purpose="notice", at=at)
        queue_message(ONE, "溪岚茶业:您有240积分将于11月30日到期。回复 TD 退订", purpose="notice", at=at)
    for hours in range(1, 6):
        send_due(clock=lambda moment=at + timedelta(hours=hours): moment)  # type: ignore[misc]
    with transaction.atomic():
        queue_message(OTHER, "Your code is 482193", purpose="one_time_code", language="en", at=at)


def _telephone(number: str) -> Telephone:
    line = number_called("simulator", OURS)
    assert line is not None
    return Telephone(number, line, over_client(Client()))
