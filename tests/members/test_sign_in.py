import re
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.conf import LazySettings
from django.db import connection

from brands.models import Brand
from members.models import CodeSend, Member, SignInCode
from members.queries import member_by_phone
from members.services import members_for_phones
from members.sign_in import TooManyCodes, WrongCode, confirm_code, forget_old_codes, request_code
from sms_gateway.queries import messages_to

PHONE, STRANGER_PHONE = "+8613800138000", "+8613900139000"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def code_at(phone: str) -> str:
    [code] = re.findall(r"\d{6}", messages_to(phone)[-1].body)
    return code


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_a_code_makes_a_member_active(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at, language="en")

    member = confirm_code(PHONE, code_at(PHONE), at=at + MINUTE, language="en")

    assert (member.state, member.phone, member.activated_at, member.language) == ("active", PHONE, at + MINUTE, "en")


def test_a_provisional_member_is_the_same_person_after_signing_in(brand: Brand, at: datetime) -> None:
    holder = members_for_phones([PHONE], at=at)[PHONE]
    request_code(PHONE, at=at)

    member = confirm_code(PHONE, code_at(PHONE), at=at)

    assert (member.pk, member.account_id) == (holder.member_id, holder.account_id)
    assert member.state == Member.State.ACTIVE


def test_signing_in_again_keeps_the_first_sign_in(brand: Brand, at: datetime) -> None:
    for day in (at, at + timedelta(days=1)):
        request_code(PHONE, at=day)
        member = confirm_code(PHONE, code_at(PHONE), at=day)

    assert member.activated_at == at


@pytest.mark.parametrize(("language", "words"), [("en", "Xilan Tea: your code is"), ("zh-hans", "【溪岚茶业】验证码")])
def test_the_message_speaks_the_persons_language(brand: Brand, at: datetime, language: str, words: str) -> None:
    request_code(PHONE, at=at, language=language)

    body = messages_to(PHONE)[0].body

    assert body.startswith(words)
    assert len(body) <= (160 if language == "en" else 70)


def test_digits_may_be_full_width_and_spaced(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    code = code_at(PHONE)
    typed = " ".join(chr(ord(digit) - ord("0") + ord("０")) for digit in code)  # full-width digits

    assert confirm_code(PHONE, typed, at=at).phone == PHONE


def test_a_code_works_once(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    code = code_at(PHONE)
    confirm_code(PHONE, code, at=at)

    with pytest.raises(WrongCode):
        confirm_code(PHONE, code, at=at)


def test_a_code_is_good_for_five_minutes(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    code = code_at(PHONE)

    with pytest.raises(WrongCode):
        confirm_code(PHONE, code, at=at + 5 * MINUTE)

    assert confirm_code(PHONE, code, at=at + 5 * MINUTE - timedelta(seconds=1))


def test_the_fourth_wrong_try_leaves_one_and_the_fifth_none(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    request_code(STRANGER_PHONE, at=at)
    for phone, tries in ((PHONE, 4), (STRANGER_PHONE, 5)):
        for _ in range(tries):
            with pytest.raises(WrongCode):
                confirm_code(phone, wrong(code_at(phone)), at=at)

    assert confirm_code(PHONE, code_at(PHONE), at=at)
    with pytest.raises(WrongCode):
        confirm_code(STRANGER_PHONE, code_at(STRANGER_PHONE), at=at)
    assert member_by_phone(STRANGER_PHONE) is None


def test_a_resend_keeps_the_code_unless_its_tries_are_used_up(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    first = code_at(PHONE)
    request_code(PHONE, at=at + 4 * MINUTE)

    assert code_at(PHONE) == first
    for _ in range(5):
        with pytest.raises(WrongCode):
            confirm_code(PHONE, wrong(first), at=at + 4 * MINUTE)
    request_code(PHONE, at=at + 5 * MINUTE)
    assert SignInCode.objects.get().tries == 0
    assert confirm_code(PHONE, code_at(PHONE), at=at + 5 * MINUTE)


def test_a_number_gets_three_codes_an_hour(brand: Brand, at: datetime) -> None:
    for minute in range(3):
        request_code(PHONE, at=at + minute * MINUTE)

    with pytest.raises(TooManyCodes) as refusal:
        request_code(PHONE, at=at + 3 * MINUTE)

    assert refusal.value.extra["retry_after_s"] == 57 * 60 + 1
    assert len(messages_to(PHONE)) == 3
    request_code(STRANGER_PHONE, at=at + 3 * MINUTE)
    request_code(PHONE, at=at + HOUR)
    assert len(messages_to(PHONE)) == 4


@pytest.mark.parametrize("budget", ["SENDS_PER_NETWORK", "SENDS_PER_COUNTRY", "SENDS_PER_BRAND"])
def test_a_budget_stops_pumping(
    brand: Brand, at: datetime, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, budget: str
) -> None:
    settings.FAILURE_BUDGET_SCALE = 2
    monkeypatch.setattr(f"members.sign_in.{budget}", 2)
    phones = [f"+86138001380{n:02}" for n in range(5)]
    for phone in phones[:4]:
        request_code(phone, at=at, ip_prefix="203.0.113.0/24")

    with pytest.raises(TooManyCodes):
        request_code(phones[4], at=at, ip_prefix="203.0.113.0/24")

    request_code(phones[4], at=at + HOUR, ip_prefix="203.0.113.0/24")


def test_the_answer_does_not_tell_who_is_a_member(brand: Brand, at: datetime) -> None:
    members_for_phones([PHONE], at=at)
    refusals = []

    for phone in (PHONE, STRANGER_PHONE):
        assert request_code(phone, at=at) is None
        with pytest.raises(WrongCode) as refusal:
            confirm_code(phone, wrong(code_at(phone)), at=at)
        refusals.append((refusal.value.code, refusal.value.detail, refusal.value.extra))
    with pytest.raises(WrongCode) as refusal:
        confirm_code("+8613700137000", "123456", at=at)
    refusals.append((refusal.value.code, refusal.value.detail, refusal.value.extra))

    assert refusals[0] == refusals[1] == refusals[2]


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "\x00", "é" * 500, "１２３４５６", "\ud800"])
def test_nonsense_is_a_wrong_code(brand: Brand, at: datetime, typed: str) -> None:
    request_code(PHONE, at=at)

    with pytest.raises(WrongCode):
        confirm_code(PHONE, typed, at=at)


def test_no_table_holds_the_code(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    code = code_at(PHONE)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(t, '') FROM (SELECT s::text t FROM members_signincode s"
            " UNION ALL SELECT s::text FROM members_codesend s) all_rows"
        )
        dump = cursor.fetchone()[0]

    assert SignInCode.objects.get().uuid.hex[:8] in dump
    assert f",{code}," not in dump
    assert PHONE[1:] not in dump


def test_what_is_no_longer_needed_is_dropped(brand: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    request_code(STRANGER_PHONE, at=at + HOUR)

    forget_old_codes(at=at + HOUR)

    assert CodeSend.objects.count() == 1
    assert SignInCode.objects.count() == 2
    forget_old_codes(at=at + timedelta(days=1, minutes=6))
    assert SignInCode.objects.count() == 1


@pytest.mark.races
def test_fifty_guesses_at_once_get_five_tries(real_commits: Brand, at: datetime) -> None:
    request_code(PHONE, at=at)
    code = code_at(PHONE)
    start = Barrier(25)

    def guess() -> None:
        connection.set_tenant(real_commits)
        start.wait()
        try:
            for _ in range(2):
                with pytest.raises(WrongCode):
                    confirm_code(PHONE, wrong(code), at=at)
        finally:
            connection.close()

    threads = [Thread(target=guess) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert SignInCode.objects.get().tries == 5
    with pytest.raises(WrongCode):
        confirm_code(PHONE, code, at=at)


@pytest.mark.races
def test_twelve_requests_at_once_send_three(real_commits: Brand, at: datetime) -> None:
    start, refused = Barrier(12), []

    def ask() -> None:
        connection.set_tenant(real_commits)
        start.wait()
        try:
            request_code(PHONE, at=at)
        except TooManyCodes:
            refused.append(1)
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(messages_to(PHONE)) == 3
    assert len({message.body for message in messages_to(PHONE)}) == 1
    assert len(refused) == 9
