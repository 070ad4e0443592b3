"""One label, four doors, one answer: web page, REST, SMS and telephone, through their own addresses, in both languages.

Each status of a typed code and of a label is put on labels of its own, and the same act is done at every door that can
do it, by an asker of the same kind. What a door says is read back out of its own answer (the page, the JSON, the SMS in
its TwiML, the spoken words) and compared: outcome, detail, receipt, counts, first date and place, points, balance.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils.translation import override

from brands.models import Brand
from brands.phone_numbers import Number, forget_numbers, number_called
from common.clock import now
from labels.codes.encode import assemble
from labels.codes.forms import N16
from labels.models import Batch, Slot
from labels.queries import scan_id_of
from labels.services import block, shred_root
from lottery.services import close_campaign
from redemption import budgets, wording
from redemption.messages import _aloud
from redemption.models import Scan
from redemption.page import words_of
from redemption.receipts import receipts_of
from redemption.rules import Detail, Door, Outcome, Place, Receipt
from redemption.services import redeem, verify
from redemption.texts import TEXTS, key_of
from sms_gateway.telephone import WITHHELD, Telephone, over_client
from staff.apikeys import create_key
from staff.keys import create_key as create_brand_key
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    make_check,
    make_member,
    make_product,
    secret_of,
    serial_of,
)
from tests.redemption.web import Person, words
from tests.sms_gateway.world import OURS, make_twilio

LANGUAGES = {"en": "en", "zh-hans": "zh-CN"}
PHONES = {door: f"+861380013800{number}" for number, door in enumerate(Door)}
STRANGER = "+8613900139000"
HANGZHOU = Place(30.27, 120.15, 12.0)
DOORS = tuple(Door)
OPEN_SERIAL_DOORS = (Door.WEB, Door.API, Door.SMS)


# --- the same label, four times -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What one door is asked about. ``code`` is typed; ``serial`` is of the label that was scanned."""

    code: str = ""
    serial: str = ""
    gtin: str = ""


@dataclass
class World:
    at: datetime
    budget: int | None = None
    campaign_of: dict[int, Any] = field(default_factory=dict)

    def batch(self, *, active: bool = True, campaign: bool = True, at: datetime | None = None, **values: Any) -> Batch:
        made_at = at or self.at
        product = make_product(at=made_at)
        budget = values.pop("budget", None)
        if campaign:
            self.campaign_of[product.pk] = make_campaign(
                product=product, at=made_at, budget=budget, retailer=0, promoter=0
            )
        maker = make_active_batch if active else make_batch
        return maker(product=product, count=len(DOORS), at=made_at, **values)


Situation = Callable[[World], dict[Door, Asked]]


def _of(batch: Batch, change: Callable[[str], str] = lambda code: code) -> dict[Door, Asked]:
    return {
        door: Asked(change(secret_of(number)), serial_of(number), batch.product.gtin)
        for door, number in zip(DOORS, labels_of(batch), strict=True)
    }


def _wrong_digit(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def _blocked(reason: str, **values: Any) -> Situation:
    def situation(world: World) -> dict[Door, Asked]:
        batch = world.batch()
        numbers = labels_of(batch)
        block(label_range=(numbers[0], numbers[-1] + 1), reason=reason, at=world.at, **values)
        return _of(batch)

    return situation


def _visited(by: Callable[[Door], str], *, place: Place | None) -> Situation:
    """Checked three hours and two hours ago."""

    def situation(world: World) -> dict[Door, Asked]:
        batch = world.batch()
        for door, number in zip(DOORS, labels_of(batch), strict=True):
            for hours in (3, 2):
                at = now() - timedelta(hours=hours)
                verify(make_check(serial=serial_of(number), phone=by(door), place=place, at=at))
        return _of(batch)

    return situation


def _spent(by: Callable[[Door], str], *, place: Place | None, **later: Any) -> Situation:
    def situation(world: World) -> dict[Door, Asked]:
        batch = world.batch()
        numbers = labels_of(batch)
        for door, number in zip(DOORS, numbers, strict=True):
            at = now() - timedelta(hours=3)
            redeem(make_attempt(secret_of(number), phone=by(door), place=place, at=at))
        if later:
            block(label_range=(numbers[0], numbers[-1] + 1), at=world.at, **later)
        return _of(batch)

    return situation


def _retired(world: World) -> dict[Door, Asked]:
    asked = _of(world.batch(campaign=False))
    create_brand_key("root", at=world.at, version=2)
    Slot.objects.update(state=Slot.State.CLOSED)
    shred_root(1, at=world.at)
    return asked


def _offer_ended(world: World) -> dict[Door, Asked]:
    batch = world.batch()
    close_campaign(world.campaign_of[batch.product_id].pk, at=world.at)
    return _of(batch)


def _mine(door: Door) -> str:
    return PHONES[door]


def _another(_door: Door) -> str:
    return STRANGER


REDEEMING: dict[str, Situation] = {
    "malformed": lambda world: _of(world.batch(), lambda code: code[:-1]),
    "typo": lambda world: _of(world.batch(), _wrong_digit),
    "unknown": lambda world: _of(world.batch(), lambda code: assemble(N16, int(code[0]), int(code[1:-1]) ^ 1)),
    "retired": _retired,
    "test_label": lambda world: _of(world.batch(active=False, campaign=False, test_series=True)),
    "recalled": _blocked("recalled"),
    "void": _blocked("spoiled"),
    "stolen": _blocked("stolen"),
    "blocked": _blocked("lost"),
    "recalled after": _spent(_another, place=HANGZHOU, reason="recalled"),
    "stolen after": _spent(_another, place=HANGZHOU, reason="stolen"),
    "spent by you": _spent(_mine, place=HANGZHOU),
    "spent by another": _spent(_another, place=HANGZHOU),
    "spent nowhere": _spent(_another, place=None),
    "spent, then blocked": _spent(_another, place=HANGZHOU, reason="unaccounted", spares_redeemed=True),
    "unused, then blocked": _blocked("unaccounted", spares_redeemed=True),
    "lapsed": lambda world: _of(world.batch(active=False, campaign=False, at=now() - timedelta(days=400))),
    "not active": lambda world: _of(world.batch(active=False)),
    "ended": lambda world: _of(world.batch(valid_until=(now() - timedelta(days=1)).date())),
    "offer ended": _offer_ended,
    "exhausted": lambda world: _of(world.batch(budget=50)),
    "active": lambda world: _of(world.batch()),
    "active, seen before": _visited(_another, place=HANGZHOU),
    "active, no offer": lambda world: _of(world.batch(campaign=False)),
}
CHECKING: dict[str, Situation] = {
    **{name: REDEEMING[name] for name in REDEEMING if name not in {"malformed", "typo", "unknown", "active, seen before"}},
    "seen by you": _visited(_mine, place=HANGZHOU),
    "seen by another": _visited(_another, place=HANGZHOU),
    "seen nowhere": _visited(_another, place=None),
}  # fmt: skip


# --- what a door said ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """The answer of one door, read back: which text, and what it names. The page names things in other words."""

    receipt: Receipt
    key: str
    values: dict[str, str]


DAY = r"\d{1,2} [A-Z][a-z]{2} \d{4}|\d{4}年\d{1,2}月\d{1,2}日"
PATTERNS = {
    "brand": r"\w+",
    "receipt": r"[\d ,，零幺二三四五六七八九]{12,40}",
    "date": DAY,
    "place": r"[^.，。]{2,30}",
    "product": r"[^.，。]{2,60}",
    "hotline": r"[-+\d ,，零幺二三四五六七八九]{5,40}",
    "time": rf"(?:(?:{DAY}) )?\d\d:\d\d",  # in the last hour of a day, that of the next
}


@cache
def _pattern(words: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", words)
    named = [re.escape(part) if place % 2 == 0 else _group(part) for place, part in enumerate(parts)]
    return re.compile("".join(named))


def _group(name: str) -> str:
    return f"(?P<{name}>{PATTERNS.get(name, r'[0-9]+')})"


def read_back(text: str, language: str, door: Door) -> tuple[str, dict[str, str]]:
    """Return which text was said and what it named. Exactly one may fit."""
    found: dict[str, dict[str, str]] = {}
    for key, each in TEXTS.items():
        if each.group != "outcome":
            continue
        for count in (1, 2):
            spoken = _words(key, language, door, count)
            match = _pattern(spoken).fullmatch(text)
            if match:
                found[key] = match.groupdict()
    assert len(found) == 1, (text, list(found))
    return next(iter(found.items()))


@cache
def _words(key: str, language: str, door: Door, count: int) -> str:
    with override(language):
        if door is Door.SMS:
            return TEXTS[key].said(count)
        words = wording.delivered(TEXTS[key], language, count)
        words = words[:1].upper() + words[1:]
        return _aloud(words, language) if door is Door.VOICE else words


def expected(receipt: Receipt, language: str) -> dict[str, str]:
    """Return what an answer must name, from the receipt: worked out here, not by the code under test."""
    chinese = language == "zh-hans"
    spent = receipt.outcome is Outcome.ALREADY_REDEEMED
    earlier, redeemed = receipt.earlier, receipt.redeemed
    first = redeemed if spent else earlier
    moment: datetime | date | None = receipt.ended_on if receipt.outcome is Outcome.ENDED else None
    if first is not None:
        moment = moment or (redeemed.at if spent and redeemed else earlier.first_at if earlier else None)
    place = (redeemed.place if redeemed else None) if spent else (earlier.first_place if earlier else None)
    product = receipt.product
    return {
        "receipt": receipt.receipt_no or "",
        "points": str(receipt.points),
        "balance": str(receipt.balance),
        "n": str(earlier.count) if earlier else "",
        "date": _day(moment, chinese=chinese) if moment else "",
        "place": place[chinese] if place else "",
        "product": (product.name_zh if chinese else product.name) if product else "",
        "want": str(receipt.want),
        "got": str(receipt.got),
        "left": str(receipt.tries_left),
        "hotline": "".join(filter(str.isdigit, connection.tenant.hotline)),
        "brand": connection.tenant.short_name_zh if chinese else connection.tenant.short_name,
    }


def _day(moment: datetime | date, *, chinese: bool) -> str:
    zone = ZoneInfo("Asia/Shanghai")
    day = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
    return f"{day.year}年{day.month}月{day.day}日" if chinese else f"{day.day} {day:%b %Y}"


DIGITS = str.maketrans("零幺二三四五六七八九", "0123456789")


def agrees(said: Said, language: str) -> None:
    """Each thing that was named is what the receipt holds."""
    wanted = expected(said.receipt, language)
    for name, value in said.values.items():
        plain = "".join(filter(str.isdigit, value.translate(DIGITS))) if name in {"receipt", "hotline"} else value
        assert plain == wanted[name], (said.key, name, value, wanted[name])


def facts(receipt: Receipt) -> tuple[Any, ...]:
    """Return what must be the same at every door."""
    earlier, redeemed = receipt.earlier, receipt.redeemed
    return (
        receipt.outcome,
        receipt.detail,
        receipt.points,
        receipt.points_offered,
        receipt.balance,
        earlier and (earlier.count, _day(earlier.first_at, chinese=False), earlier.first_place, earlier.by),
        redeemed and (_day(redeemed.at, chinese=False), redeemed.place, redeemed.by),
        receipt.secret_unused,
        receipt.want,
        receipt.got,
        receipt.tries_left,
        receipt.ended_on,
        key_of(receipt),
    )


# --- the doors -----------------------------------------------------------------------------------------------------------


@dataclass
class Doors:
    """Each door as a person or a machine finds it. ``language`` is Django's."""

    line: Number
    key: str
    language: str

    def receipt(self, number: str, door: Door) -> Receipt:
        """Return the receipt with a number, or, where none was told, the door's newest."""
        scans = Scan.objects.filter(pk=scan_id_of(number)) if number else Scan.objects.filter(door=door).order_by("-pk")
        scan = scans.first()
        assert scan is not None
        [found] = receipts_of([scan])
        return found

    def said(self, text: str, door: Door) -> Said:
        key, values = read_back(text, self.language, door)
        number = "".join(filter(str.isdigit, values.get("receipt", "").translate(DIGITS)))
        return Said(self.told(number, door), key, values)

    def told(self, number: str, door: Door) -> Receipt:
        """Return the receipt of the newest scan of this door; one who redeemed before hears the first receipt's number."""
        receipt = self.receipt("", door)
        assert number in {"", receipt.receipt_no}
        return receipt

    # REST
    def api(self, path: str, **body: Any) -> Said:
        client = Client(HTTP_HOST="brand.localhost", HTTP_AUTHORIZATION=f"Bearer {self.key}")
        answer = client.post(
            f"/api/v1/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": f"k{now().timestamp()}", "Accept-Language": LANGUAGES[self.language]},
        )
        assert answer.status_code in {200, 201}, answer.content
        found = answer.json()
        said = self.said(found["message"], Door.API)
        receipt, earlier, redeemed = said.receipt, found["earlier"], found["redeemed"]
        chinese = self.language == "zh-hans"
        assert (found["outcome"], found["detail"]) == (receipt.outcome, receipt.detail)
        assert (found["receipt"], found["points"], found["balance"]) == (
            receipt.receipt_no, receipt.points, receipt.balance,
        )  # fmt: skip
        assert (earlier is None) == (receipt.earlier is None)
        if receipt.earlier:
            place = receipt.earlier.first_place
            assert (earlier["count"], earlier["by"]) == (receipt.earlier.count, receipt.earlier.by)
            assert earlier["first_place"] == (place[chinese] if place else None)
            assert datetime.fromisoformat(earlier["first_at"]) == receipt.earlier.first_at
        assert (redeemed["by"] if redeemed else None) == (receipt.redeemed.by if receipt.redeemed else None)
        return said

    # SMS
    def sms(self, body: str, phone: str) -> Said:
        telephone = Telephone(phone, self.line, over_client(Client()))
        [answer] = telephone.text(body)
        return self.said(answer.body, Door.SMS)

    # telephone
    def voice(self, code: str, phone: str) -> Said:
        telephone = Telephone(phone, self.line, over_client(Client()))
        call = telephone.call()
        call.press("2" if self.language == "en" else "1")
        call.press(code)
        if call.gather is not None and "step=confirm" in call.gather.get("action", ""):
            call.press("1")
        spoken = [text for text in call.heard if self._is_answer(text)]
        assert len(spoken) == 1, call.heard
        said = self.said(spoken[0], Door.VOICE)
        if said.receipt.receipt_no and said.receipt.outcome is not Outcome.TYPO:
            assert call.said.translate(DIGITS).count(said.values["receipt"].translate(DIGITS)) == 2
        return said

    def _is_answer(self, text: str) -> bool:
        try:
            read_back(text, self.language, Door.VOICE)
        except AssertionError:
            return False
        return True

    # web
    def claim(self, asked: Asked, phone: str, *, scanned: bool) -> Said:
        person = Person(language=LANGUAGES[self.language], phone=phone)
        page = person.get(f"/01/{asked.gtin}/21/{asked.serial}" if scanned else "/claim")
        done = person.claim(page, asked.code)
        shown = person.get(done.url) if done.status_code == 303 else done
        return self._page(words(shown))

    def visit(self, asked: Asked, phone: str) -> Said:
        person = Person(language=LANGUAGES[self.language], phone=phone)
        page = person.press(person.get("/me/sign-in"), "sign-in", "send", phone=phone)
        person.press(page, "sign-in", "enter", phone=phone, one_time_code=person.last_code())
        page = person.get(f"/01/{asked.gtin}/21/{asked.serial}")
        counted = person.press(page, "visit", "visit")
        return self._page(words(person.get(counted.url) if counted.status_code == 303 else counted), first=words(page))

    def _page(self, text: str, *, first: str = "") -> Said:
        receipt = self.receipt("", Door.WEB)
        with override(self.language):
            word, line = words_of(receipt)
        for page in filter(None, (text, first)):
            assert word in page, (word, page)
            assert line in page, (line, page)
        if receipt.outcome is not Outcome.TYPO:
            grouped = " ".join(re.findall("....", receipt.receipt_no or ""))
            assert grouped in text or receipt.outcome is Outcome.UNKNOWN, (grouped, text)
        if receipt.outcome is Outcome.REDEEMED:
            assert f"→ {receipt.balance}" in text, text
        if receipt.product and receipt.outcome is Outcome.REDEEMED:
            assert expected(receipt, self.language)["product"] in text
        return Said(receipt, key_of(receipt), {})


@pytest.fixture
def world(brand: Brand, settings: LazySettings) -> World:
    settings.FAILURE_BUDGET_SCALE = 100
    budgets._memory.storage.reset()
    connection.tenant.hotline = "400-810-6666"
    connection.tenant.short_name, connection.tenant.short_name_zh = "Xilan", "溪岚"
    Brand.objects.filter(pk=brand.pk).update(hotline="400-810-6666", short_name="Xilan", short_name_zh="溪岚")
    for phone in PHONES.values():
        make_member(phone)
    return World(at=now() - timedelta(days=2))


@pytest.fixture(params=list(LANGUAGES))
def doors(world: World, brand: Brand, request: pytest.FixtureRequest) -> Doors:
    make_twilio(Brand.objects.get(pk=brand.pk), world.at, carrier="simulator", takes_calls=True)
    forget_numbers()
    line = number_called("simulator", OURS)
    assert line is not None
    _key, secret = create_key("Till", ["check", "redeem", "read"], at=world.at)
    connection.set_tenant(brand)
    return Doors(line, secret, request.param)


REDEEM_WORD = {"en": "redeem", "zh-hans": "兑换"}
CHECK_WORD = {"en": "check", "zh-hans": "查"}


@pytest.mark.parametrize("name", REDEEMING)
def test_redeeming_is_told_alike(world: World, doors: Doors, name: str) -> None:
    asked = REDEEMING[name](world)

    said = {
        Door.API: doors.api("redemptions", code=asked[Door.API].code, phone=PHONES[Door.API]),
        Door.SMS: doors.sms(f"{REDEEM_WORD[doors.language]} {asked[Door.SMS].code}", PHONES[Door.SMS]),
        Door.VOICE: doors.voice(asked[Door.VOICE].code, PHONES[Door.VOICE]),
        Door.WEB: doors.claim(asked[Door.WEB], PHONES[Door.WEB], scanned=False),
    }

    _all_agree(said, doors.language)


@pytest.mark.parametrize("name", CHECKING)
def test_checking_the_open_number_is_told_alike(world: World, doors: Doors, name: str) -> None:
    asked = CHECKING[name](world)

    said = {
        Door.API: doors.api("checks", serial=asked[Door.API].serial, phone=PHONES[Door.API]),
        Door.SMS: doors.sms(f"{CHECK_WORD[doors.language]} {asked[Door.SMS].serial}", PHONES[Door.SMS]),
        Door.WEB: doors.visit(asked[Door.WEB], PHONES[Door.WEB]),
    }

    _all_agree(said, doors.language)


@pytest.mark.parametrize("name", CHECKING)
def test_checking_the_hidden_code_is_told_alike(world: World, doors: Doors, name: str) -> None:
    asked = CHECKING[name](world)

    said = {
        Door.API: doors.api("checks", code=asked[Door.API].code, phone=PHONES[Door.API]),
        Door.SMS: doors.sms(f"{CHECK_WORD[doors.language]} {asked[Door.SMS].code}", PHONES[Door.SMS]),
    }
    nobody = {
        Door.WEB: doors.api("checks", code=asked[Door.WEB].code),
        Door.VOICE: doors.voice(asked[Door.VOICE].code, WITHHELD),
    }

    _all_agree(said, doors.language)
    if name not in {"spent by you", "seen by you"}:
        _all_agree(nobody, doors.language)


def test_the_code_of_another_label_is_told_alike(world: World, doors: Doors) -> None:
    """SMS and telephone take one number only, and cannot be told of two."""
    asked = list(_of(world.batch()).values())

    said = {
        Door.API: doors.api("redemptions", code=asked[0].code, serial=asked[1].serial, phone=PHONES[Door.API]),
        Door.WEB: doors.claim(Asked(asked[0].code, asked[1].serial, asked[1].gtin), PHONES[Door.WEB], scanned=True),
    }

    _all_agree(said, doors.language)
    assert said[Door.API].receipt.detail is Detail.MISMATCH


def test_the_number_beside_the_qr_code_is_told_alike(world: World, doors: Doors) -> None:
    """A telephone has no letters."""
    asked = _of(world.batch(secret_form="B12", max_odds=1e-3))

    said = {
        Door.API: doors.api("redemptions", code=asked[Door.API].serial, phone=PHONES[Door.API]),
        Door.SMS: doors.sms(f"{REDEEM_WORD[doors.language]} {asked[Door.SMS].serial}", PHONES[Door.SMS]),
        Door.WEB: doors.claim(Asked(asked[Door.WEB].serial), PHONES[Door.WEB], scanned=False),
    }

    _all_agree(said, doors.language)
    assert said[Door.SMS].receipt.detail is Detail.SERIAL_TYPED


def _all_agree(said: dict[Door, Said], language: str) -> None:
    for door, each in said.items():
        agrees(each, language)
        assert each.key == key_of(each.receipt), door
    different = {facts(each.receipt) for each in said.values()}
    assert len(different) == 1, {door: facts(each.receipt) for door, each in said.items()}
    numbers = [each.receipt.receipt_no for each in said.values()]
    assert len(set(numbers)) == len(numbers)


def test_every_answer_that_a_door_can_give_was_compared() -> None:
    """What is missing is told by its own test: no label is looked up (too many tries)."""
    assert {"malformed", "typo", "unknown", "active", "exhausted", "retired"} <= REDEEMING.keys()
    assert len(REDEEMING) + len(CHECKING) > 40


def test_too_many_tries_are_told_alike(world: World, doors: Doors, settings: LazySettings) -> None:
    settings.FAILURE_BUDGET_SCALE = 1
    guesses = [assemble(N16, 9, number) for number in range(1, 8)]
    for phone in (PHONES[Door.SMS], PHONES[Door.VOICE], PHONES[Door.API]):
        for guess in guesses[:5]:
            redeem(make_attempt(guess, phone=phone, at=now()))

    texts = {}
    [answer] = Telephone(PHONES[Door.SMS], doors.line, over_client(Client())).text(
        f"{REDEEM_WORD[doors.language]} {guesses[6]}"
    )
    texts[Door.SMS] = read_back(answer.body, doors.language, Door.SMS)
    call = Telephone(PHONES[Door.VOICE], doors.line, over_client(Client())).call()
    call.press("2" if doors.language == "en" else "1")
    call.press(guesses[6])
    texts[Door.VOICE] = read_back(call.heard[0], doors.language, Door.VOICE)
    refused = Client(HTTP_HOST="brand.localhost", HTTP_AUTHORIZATION=f"Bearer {doors.key}").post(
        "/api/v1/redemptions",
        json.dumps({"code": guesses[6], "phone": PHONES[Door.API]}),
        content_type="application/json",
        headers={"Idempotency-Key": "refused", "Accept-Language": LANGUAGES[doors.language]},
    )
    assert refused.status_code == 429
    texts[Door.API] = read_back(refused.json()["message"], doors.language, Door.API)

    assert {key for key, _values in texts.values()} == {"too_many"}
    assert len({values["time"] for _key, values in texts.values()}) == 1
