"""The SMS door: one call for each message, and what is said back."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from django.conf import LazySettings
from django.db import connection, transaction

from brands.models import Brand
from labels.codes.encode import assemble
from labels.codes.forms import N16
from labels.models import Batch
from ledger.services import NewTransfer, post, system_account
from members.models import Consent, Member
from redemption import budgets, receipts
from redemption.models import Redemption, Request, Scan
from redemption.rules import Act, Door, Outcome
from redemption.sms import answer
from sms_gateway.doors import IncomingText, Line, OptOut, Purpose
from sms_gateway.models import OutboundMessage, Suppression
from sms_gateway.segments import parts_of
from tests.conftest import NOW
from tests.makers import (
    CONSUMER,
    POINTS_PER_LABEL,
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_campaign,
    make_member,
    secret_of,
    secrets_of,
    serial_of,
)

LINE = Line(e164="+861069000001", languages=("zh-hans", "en"))
_numbers = count(1)


def text(body: str, **values: object) -> IncomingText:
    values.setdefault("request_id", f"simulator:SM{next(_numbers)}")
    return IncomingText(**{"sender": CONSUMER, "number": LINE, "body": body, "received_at": NOW} | values)  # type: ignore[arg-type]


def said(body: str, **values: object) -> str:
    reply = answer(text(body, **values))
    assert reply is not None
    return reply.body


@pytest.fixture
def batch(brand: Brand) -> Batch:
    make_campaign()
    connection.tenant.short_name, connection.tenant.short_name_zh = "Xilan", "溪岚"
    connection.tenant.hotline = "400-810-6666"
    return make_active_batch(5)


def test_a_code_is_redeemed_and_told_once(batch: Batch) -> None:
    asked = text(secrets_of(batch)[0])

    first, again = answer(asked), answer(asked)

    assert first == again
    assert first is not None
    assert first.body.startswith("【溪岚】正品。明前春茶。积分+100，余额100。回执")
    assert (first.language, first.purpose) == ("zh-hans", Purpose.ANSWER)
    assert balance_of() == POINTS_PER_LABEL
    assert Request.objects.get().request_id == asked.request_id
    assert Scan.objects.get().door is Door.SMS


def test_a_check_uses_nothing_up(batch: Batch) -> None:
    code = secrets_of(batch)[0]

    assert "first check" in said(f"CHECK {code}")
    assert not Redemption.objects.exists()
    assert Scan.objects.get().act is Act.CHECK
    assert "+100" in said(f"here it is: {code}")


def test_the_number_beside_the_qr_code_is_checked(batch: Batch) -> None:
    assert "首次查询" in said(serial_of(labels_of(batch)[0]))
    scan = Scan.objects.get()

    assert (scan.outcome, scan.by_serial, scan.act) == (Outcome.GENUINE_FIRST, True, Act.CHECK)


def test_a_secret_of_letters_is_redeemed(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(1, secret_form="B12", max_odds=1e-3)

    assert "+100" in said(f"redeem {secrets_of(batch)[0].lower()}")


@pytest.mark.parametrize(
    ("body", "language", "expected"),
    [
        ("CHECK {code}", "", "first check"),
        ("查{code}", "", "首次查询"),
        ("{code}", "", "正品"),
        ("{code}", "en", "GENUINE"),
        ("查{code}", "en", "首次查询"),
    ],
)
def test_the_language_is_that_of_the_message_else_the_member_s_else_the_line_s(
    batch: Batch, body: str, language: str, expected: str
) -> None:
    if language:
        make_member()
        Member.objects.update(language=language)

    assert expected in said(body.format(code=secrets_of(batch)[0]))


def test_a_language_chosen_by_message_stays(batch: Batch) -> None:
    make_member()

    assert said("English") == "Xilan: we answer you in English from now on."
    assert "GENUINE" in said(secrets_of(batch)[0])
    assert said("中文") == "【溪岚】今后将以中文回复您。"
    assert "正品" in said(secrets_of(batch)[1])


def test_names_and_short_codes_get_no_reply_and_nothing_is_looked_up(batch: Batch) -> None:
    code = secrets_of(batch)[0]

    assert answer(text(code, sender=None)) is None
    assert not Scan.objects.exists()
    assert answer(text(code)) is not None


def test_two_codes_use_nothing_up(batch: Batch) -> None:
    one, other = secrets_of(batch)[:2]

    reply = answer(text(f"{one} and {other}"))

    assert reply is not None
    assert reply.purpose is Purpose.ERROR
    assert reply.body == "Xilan: please send one code per message. Nothing was used up."
    assert not Scan.objects.exists()


def test_a_slip_says_what_is_wrong_and_is_an_error(batch: Batch) -> None:
    short = answer(text(secrets_of(batch)[0][:-1]))
    assert short is not None
    assert (short.body, short.purpose) == ("【溪岚】应为16位，您输入了15位。请核对后重发。", Purpose.ERROR)
    assert Scan.objects.get().outcome is Outcome.TYPO


def test_what_is_not_understood_is_helped(batch: Batch) -> None:
    reply = answer(text("what is this?"))

    assert reply is not None
    assert reply.body.startswith("Xilan: send the code under the scratch layer")
    assert reply.purpose is Purpose.ERROR
    assert parts_of(reply.body).count == 1


def test_points_are_told_and_what_expires_soon(batch: Batch) -> None:
    assert said("余额") == "【溪岚】您还没有积分。发送标签刮层下的号码即可积分。"
    member = make_member()
    assert said("BALANCE") == "Xilan: you have 0 points."
    with transaction.atomic():
        post(
            [
                NewTransfer(
                    system_account("issuance"), member.account_id, 240, "award", "redemption", 990,
                    expires_on=NOW.date() + timedelta(days=9),
                )
            ],
            at=NOW,
        )  # fmt: skip

    assert said("BALANCE") == "Xilan: you have 240 points; 240 of them expire on 1 Dec 2026."


def test_news_ride_along_where_they_cost_nothing(batch: Batch) -> None:
    member = make_member()
    with transaction.atomic():
        post(
            [
                NewTransfer(
                    system_account("issuance"), member.account_id, 240, "award", "redemption", 990,
                    expires_on=NOW.date() + timedelta(days=9),
                )
            ],
            at=NOW,
        )  # fmt: skip
    code = secrets_of(batch)[0]

    body = said(f"redeem {code}")

    assert body.endswith(". 240 points expire on 1 Dec 2026.")
    assert parts_of(body).count == 1
    connection.tenant.short_name_zh = "溪岚茶业有限公司"
    batch.product.name_zh = "茶" * 12
    batch.product.save()
    receipts._kept.clear()
    chinese = said(f"兑换{secrets_of(batch)[1]}")
    assert parts_of(chinese).count == 1
    assert "到期" not in chinese
    connection.tenant.short_name_zh = "溪岚"
    batch.product.name_zh = "茶"
    batch.product.save()
    receipts._kept.clear()
    assert re.search(r"回执\d{12}。240分将于2026年12月1日到期。$", said(f"兑换{secrets_of(batch)[2]}"))


def test_signing_up_makes_a_member_who_agreed(batch: Batch) -> None:
    first, again = said("join"), said("JOIN!")

    assert first == again == "Xilan: welcome, you are a member with 0 points. BALANCE: your points. STOP: no news."
    assert Member.objects.get().state == Member.State.PROVISIONAL
    assert Consent.objects.get().door == "sms"


def test_a_one_time_code_is_the_answer_by_itself(batch: Batch) -> None:
    assert answer(text("登录")) is None
    assert OutboundMessage.objects.get().purpose == "one_time_code"
    for _turn in range(2):
        answer(text("登录"))

    refused = answer(text("登录"))

    assert refused is not None
    assert "请一小时后再试" in refused.body
    assert OutboundMessage.objects.count() == 3


def test_stop_holds_until_start_and_questions_are_still_answered(batch: Batch) -> None:
    assert "no more news" in said("Stop.")
    assert Suppression.objects.filter(lifted_at=None).count() == 1
    assert "+100" in said(secrets_of(batch)[0], number=replace(LINE, languages=("en",)))

    assert "our news again" in said("START")
    assert not Suppression.objects.filter(lifted_at=None).exists()


def test_what_the_carrier_has_obeyed_is_only_recorded(batch: Batch) -> None:
    assert answer(text("STOP", opt_out=OptOut.STOP)) is None

    assert Suppression.objects.get().source == "carrier"


def test_too_many_tries_are_told_once_and_then_nothing(batch: Batch, settings: LazySettings) -> None:
    settings.FAILURE_BUDGET_SCALE = 1
    budgets._memory.storage.reset()
    guesses = [assemble(N16, 9, number) for number in range(1, 20)]
    replies = [answer(text(guess, received_at=NOW)) for guess in guesses]

    bodies = [reply.body if reply else None for reply in replies]
    told = [body for body in bodies if body and "查询次数过多" in body]
    assert [body is not None and "查无此码" in body for body in bodies[:5]] == [True] * 5
    assert len(told) == 1
    assert bodies[-1] is None
    budgets._memory.storage.reset()


def test_another_person_is_told_of_the_redemption(batch: Batch) -> None:
    code = secret_of(labels_of(batch)[0])
    said(code)

    assert "redeemed on 22 Nov 2026" in said(f"hello {code}", sender=STRANGER_PHONE)
    assert "you redeemed this code on 22 Nov 2026: +100 points" in said(f"hello {code}")
