"""The telephone door: every branch of a call, and keys that nobody would press."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings as examples, strategies as st

from brands.models import Brand
from labels.codes.encode import assemble
from labels.codes.forms import N16
from labels.models import Batch
from members.models import Member
from redemption.models import Recording, Redemption, Scan
from redemption.rules import Act, Door, Outcome
from redemption.voice import answer
from sms_gateway.doors import START, CallStep, Dial, Gather, Hangup, Line, Pause, Play, Redirect, Say, VoiceAnswer
from sms_gateway.models import OutboundMessage
from tests.conftest import NOW
from tests.makers import (
    CONSUMER,
    POINTS_PER_LABEL,
    STRANGER_PHONE,
    balance_of,
    make_active_batch,
    make_campaign,
    make_member,
    secrets_of,
)

LINE = Line(e164="+861069000001", languages=("en",))
TWO = Line(e164="+861069000001", languages=("zh-hans", "en"))
_calls = count(1)


class Caller:
    """A telephone: follows each answer as a carrier would, and remembers what was heard."""

    def __init__(self, *, line: Line = LINE, number: str | None = CONSUMER) -> None:
        self.call_id, self.line, self.number = f"CA{next(_calls)}", line, number
        self.turn, self.state, self.language = 0, dict[str, Any](), line.languages[0]
        self.answer: VoiceAnswer | None = None
        self.ask(START, None)

    def ask(self, step: str, digits: str | None) -> None:
        self.step = CallStep(
            request_id=f"voice:{self.call_id}:{self.turn}",
            call_id=self.call_id,
            caller=self.number,
            number=self.line,
            step=step,
            turn=self.turn,
            digits=digits,
            language=self.language,
            at=NOW,
            state=self.state,
        )
        self.answer = answer(self.step)
        self.turn, self.state, self.language = self.turn + 1, dict(self.answer.state), self.answer.language

    def press(self, keys: str) -> str:
        """Press keys at the question that was asked; the hash key ends them and is not sent."""
        assert self.asked is not None, "nothing was asked"
        self.ask(self.asked.next, keys)
        return self.heard

    @property
    def asked(self) -> Gather | None:
        last = self.answer.verbs[-1] if self.answer else None
        return last if isinstance(last, Gather) else None

    @property
    def heard(self) -> str:
        """Everything that was spoken in the last turn, a pause as "/"."""
        assert self.answer is not None
        return " ".join(_words(self.answer.verbs))

    @property
    def over(self) -> bool:
        assert self.answer is not None
        return isinstance(self.answer.verbs[-1], Hangup | Dial)


def _words(verbs: Sequence[Any]) -> list[str]:
    words: list[str] = []
    for verb in verbs:
        match verb:
            case Say():
                words.append(verb.text)
            case Play():
                words.append(verb.url)
            case Pause():
                words.append("/")
            case Gather():
                words += _words(verb.prompts)
            case Redirect():
                raise AssertionError("the flows never redirect")
    return words


@pytest.fixture
def batch(brand: Brand) -> Batch:
    make_campaign()
    connection.tenant.short_name, connection.tenant.short_name_zh = "Xilan", "溪岚"
    connection.tenant.hotline = "400 810 6666"
    return make_active_batch(5)


def test_a_code_is_redeemed_and_its_receipt_said_twice(batch: Batch) -> None:
    call = Caller()
    assert call.heard.startswith("Welcome to Xilan. Please enter the code")
    assert call.asked is not None
    assert (call.asked.num_digits, call.asked.finish_on, call.asked.timeout_s) == (16, "#", 8)

    heard = call.press(secrets_of(batch)[0])

    assert heard.startswith("Genuine. Spring Tea. plus 100 points, balance 100. Receipt ")
    receipt = heard.split("Receipt ")[1].split(" / ")[0]
    assert heard.count(receipt) == 2
    assert len("".join(filter(str.isdigit, receipt))) == 12
    assert receipt[7:9] == ", "
    assert balance_of() == POINTS_PER_LABEL
    scan = Scan.objects.get()
    assert (scan.door, scan.act) == (Door.VOICE, Act.REDEEM)


def test_the_same_turn_asked_again_redeems_once(batch: Batch) -> None:
    call = Caller()
    call.press(secrets_of(batch)[0])

    assert answer(call.step) == call.answer
    assert Redemption.objects.count() == Scan.objects.count() == 1


def test_a_line_of_two_languages_asks_once(batch: Batch) -> None:
    call = Caller(line=TWO)
    assert "中文请按1" in call.heard
    assert "For English press 2." in call.heard
    assert isinstance(call.asked, Gather)
    spoken = [prompt.language for prompt in call.asked.prompts if isinstance(prompt, Say)]
    assert spoken == ["zh-hans", "zh-hans", "en"]

    assert call.press("2").startswith("Please enter the code")
    assert "Genuine. Spring Tea." in call.press(secrets_of(batch)[0])


@pytest.mark.parametrize("keys", ["1", "", "9", "*"])
def test_any_other_key_keeps_the_line_s_own_language(batch: Batch, keys: str) -> None:
    call = Caller(line=TWO)

    assert call.press(keys).startswith("请输入")
    heard = call.press(secrets_of(batch)[0])
    assert heard.startswith("正品。明前春茶。积分加100，余额100。回执")
    receipt = heard.split("回执")[1].split(" ")[0]
    assert not set("0123456789一") & set(receipt)
    assert len(receipt.replace("，", "")) == 12


def test_a_member_who_chose_a_language_is_not_asked(batch: Batch) -> None:
    make_member()
    Member.objects.update(language="en")

    assert Caller(line=TWO).heard.startswith("Welcome to Xilan. Please enter")


def test_one_is_read_as_yao_in_chinese(batch: Batch) -> None:
    call = Caller(line=Line(e164="+861069000001", languages=("zh-hans",)))

    heard = call.press("1110")

    assert "幺幺幺零" in heard
    assert "应为16位，您输入了4位" in heard


def test_a_slip_is_read_back_in_fours_and_counts(batch: Batch) -> None:
    code = secrets_of(batch)[0]
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    call = Caller()

    heard = call.press(wrong)

    groups = [" ".join(wrong[start : start + 4]) for start in range(0, 16, 4)]
    assert heard.startswith(f"We have heard: {' / '.join(groups)} / One digit seems wrong.")
    assert call.state["tries"] == 1
    assert "plus 100 points" in call.press(code)
    assert call.state["tries"] == 0


def test_three_tries_then_the_message_or_an_agent(batch: Batch) -> None:
    call = Caller()
    call.press("")
    assert call.heard.startswith("We have not heard any digits. Please enter the code again")
    call.press("123")

    heard = call.press("456")

    assert heard.endswith("For an agent press 0.")
    assert not call.over
    assert call.press("0") == "We are connecting you."
    assert call.answer is not None
    assert call.answer.verbs[-1] == Dial("+864008106666")


def test_three_silences_end_the_call(batch: Batch) -> None:
    call = Caller()
    for _turn in range(3):
        call.press("")

    call.press("")

    assert call.over
    assert not Scan.objects.exists()


def test_an_unknown_code_is_read_back_before_it_is_called_so(batch: Batch) -> None:
    call = Caller()
    strange = assemble(N16, 9, 77)

    heard = call.press(strange)
    assert heard.endswith("If that is right, press 1. To enter the code again, press 2.")
    assert "no such code" not in heard.lower()

    assert call.press("1").startswith("No such code. Check each digit")
    assert Scan.objects.get().outcome is Outcome.UNKNOWN
    call.press(strange)
    assert "o such code" not in call.press("2")
    assert call.state["tries"] == 2


def test_a_star_starts_over_and_alone_repeats_without_a_try(batch: Batch) -> None:
    code = secrets_of(batch)[0]
    call = Caller()
    question = call.heard.removeprefix("Welcome to Xilan. ")

    assert call.press("*") == question
    assert call.press("1234*") == question
    assert call.state["tries"] == 0
    assert "plus 100" in call.press(f"123*{code}")


def test_the_rest_of_a_code_follows_a_star(batch: Batch) -> None:
    code = secrets_of(batch)[0]
    call = Caller()

    assert call.press(f"98765*{code[:10]}") == "Please go on."
    assert call.asked is not None
    assert call.asked.num_digits == 6
    assert "plus 100" in call.press(code[10:])


def test_a_zero_alone_is_an_agent_and_a_code_may_begin_with_zero(batch: Batch) -> None:
    assert Caller().press("0") == "We are connecting you."
    zeros = Caller().press("0" * 16)
    assert "connecting" not in zeros


def test_a_withheld_number_may_only_check(batch: Batch) -> None:
    call = Caller(number=None)
    assert "Your number is withheld" in call.heard

    heard = call.press(secrets_of(batch)[0])

    assert heard.startswith("Genuine. Spring Tea, first check of this label.")
    assert "press 1" not in heard
    assert not Redemption.objects.exists()
    assert call.press("1").startswith("Thank you for calling")
    assert not OutboundMessage.objects.exists()


def test_the_answer_is_heard_again_and_sent_once(batch: Batch) -> None:
    call = Caller()
    first = call.press(secrets_of(batch)[0])

    assert call.press("*") == first
    assert call.press("1").startswith("We have sent it")
    answer(call.step)
    message = OutboundMessage.objects.get()
    assert message.purpose == "reply"
    assert "press 1" not in call.heard
    assert call.press("2").startswith("Please enter the code again")
    assert "plus 100 points, balance 200" in call.press(secrets_of(batch)[1])
    call.press("1")
    assert OutboundMessage.objects.count() == 2


def test_somebody_else_s_code_is_told_as_such(batch: Batch) -> None:
    code = secrets_of(batch)[0]
    Caller().press(code)

    assert "This code was redeemed on 22 Nov 2026" in Caller(number=STRANGER_PHONE).press(code)
    assert "You redeemed this code on 22 Nov 2026: plus 100 points" in Caller().press(code)


def test_without_one_length_of_codes_the_hash_key_ends_them(brand: Brand) -> None:
    make_campaign()
    make_active_batch(1)
    long = make_active_batch(1, secret_form="N18")
    call = Caller()

    assert call.asked is not None
    assert call.asked.num_digits is None
    assert "plus 100" in call.press(secrets_of(long)[0])


def test_a_recording_is_played_instead(batch: Batch) -> None:
    made = Recording.objects.create(
        prompt="greeting", language="en", media_type="audio/wav", audio=b"RIFF....WAVE", size=12, uploaded_at=NOW
    )

    call = Caller()

    assert call.heard.startswith(f"http://brand.localhost:8000/recordings/{made.public_id} Please enter the code")
    path = call.heard.split(" ")[0].removeprefix("http://brand.localhost:8000")
    fetched = Client(HTTP_HOST="brand.localhost").get(path)
    assert (fetched.content, fetched["Content-Type"]) == (b"RIFF....WAVE", "audio/wav")
    assert Client(HTTP_HOST="stranger.localhost").get(path).status_code == 404


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(keys=st.lists(st.text(alphabet="0123456789*#", max_size=24), min_size=1, max_size=8), withheld=st.booleans())
def test_no_keys_are_too_strange(batch: Batch, keys: list[str], withheld: bool) -> None:
    call = Caller(line=TWO, number=None if withheld else CONSUMER)

    for pressed in keys:
        if call.over:
            break
        assert call.press(pressed)
        assert isinstance(call.state, Mapping)

    assert call.over or call.asked is not None


@pytest.mark.parametrize("step", ["code", "confirm", "after", "given_up", "language", "nonsense"])
@pytest.mark.parametrize("digits", [None, "", "1", "*", "²", "١", "12345678901234567890" * 20])
def test_a_turn_out_of_the_blue_is_answered(batch: Batch, step: str, digits: str | None) -> None:
    call = Caller()

    call.state = {}
    call.ask(step, digits)

    assert call.over or call.asked is not None
