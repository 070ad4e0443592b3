"""One play, four doors: web page, REST, SMS and telephone tell the same prize, in both languages, each in its own words."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.translation import override

from brands.models import Brand
from brands.phone_numbers import Number, forget_numbers, number_called
from common.clock import now
from lottery.models import Claim, Play
from lottery.told import PlayTold
from redemption.models import Scan
from redemption.receipts import receipts_of
from redemption.rules import Door
from sms_gateway.segments import parts_of
from sms_gateway.telephone import Telephone, over_client
from staff.apikeys import create_key
from tests.lottery import world
from tests.makers import labels_of, make_active_batch, make_campaign, secret_of
from tests.redemption.web import Person, words
from tests.sms_gateway.world import OURS, make_twilio

DOORS = tuple(Door)
LANGUAGES = {"en": "en", "zh-hans": "zh-CN"}
# What each door says: (English, Chinese); "" where nothing more is said than that it was redeemed.
SAID = {
    "goods": ("You won Prize 1. Claim it in your wallet.", "恭喜中奖：奖品 1，请到我的积分领取。"),
    "points": ("You won Prize 1: +50 points.", "恭喜中奖：奖品 1，积分+50。"),
    "none": ("No prize this time.", "本次未中奖。"),
}
SHOWN = {
    "goods": ("Prize 1 Yours if you claim it until", "奖品 1 请于"),
    "points": (
        "Prize 1 +50 points, they are in your wallet. You have 150 now.",
        "+50 分已存入您的账户，当前余额 150。",
    ),
    "none": ("No prize this time", "本次未中奖"),
}


@pytest.fixture
def at(brand: Brand, settings: LazySettings) -> datetime:
    make_twilio(brand, now(), carrier="simulator", takes_calls=True)
    forget_numbers()
    return now()


def line() -> Number:
    found = number_called("simulator", OURS)
    assert found is not None
    return found


def at_web(code: str, phone: str, language: str) -> str:
    person = Person(language=LANGUAGES[language], phone=phone)
    return words(person.get(person.claim(person.get("/claim"), code).url))


def at_api(code: str, phone: str, language: str) -> str:
    key = create_key(f"door-{language}", ["redeem"], at=now())[1]
    answer = Client(HTTP_HOST="brand.localhost", HTTP_AUTHORIZATION=f"Bearer {key}").post(
        "/api/v1/redemptions",
        json.dumps({"code": code, "phone": phone}),
        content_type="application/json",
        headers={"Idempotency-Key": code, "Accept-Language": LANGUAGES[language]},
    )
    found = answer.json()
    play = Play.objects.select_related("tier").order_by("-pk")[0]
    claim = Claim.objects.filter(play=play).first()
    assert found["play"]["claim"] == (claim.public_id if claim else None)
    assert found["play"]["outcome"] == Play.Outcome(play.outcome).name.lower()
    assert (found["play"]["prize"] or {}).get("tier") == (play.tier.tier if play.tier else None)
    return str(found["message"])


def by_sms(code: str, phone: str, language: str) -> str:
    telephone = Telephone(phone, line(), over_client(Client()))
    [answer] = telephone.text(code if language == "zh-hans" else f"code {code}")
    assert parts_of(answer.body).count <= 2
    return answer.body


def by_voice(code: str, phone: str, language: str) -> str:
    call = Telephone(phone, line(), over_client(Client())).call()
    call.press("2" if language == "en" else "1")
    call.press(code)
    return call.said


TELL: dict[Door, Callable[[str, str, str], str]] = {
    Door.WEB: at_web,
    Door.API: at_api,
    Door.SMS: by_sms,
    Door.VOICE: by_voice,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", SAID)
def test_the_same_play_is_told_at_every_door(at: datetime, kind: str, language: str) -> None:
    batch = make_active_batch(len(DOORS), at=at)
    make_campaign(product=batch.product, at=at)
    quantity = 0 if kind == "none" else len(DOORS)
    world.game_now(batch, world.tier(1, quantity, kind="points" if kind == "points" else "goods"), at=at)
    chinese = language == "zh-hans"

    for door, label_no in zip(DOORS, labels_of(batch), strict=True):
        said = TELL[door](secret_of(label_no), f"+861380013800{DOORS.index(door)}", language)

        wanted = SHOWN[kind][chinese] if door is Door.WEB else SAID[kind][chinese]
        if door is Door.VOICE:
            wanted = wanted.replace("+", "加" if chinese else "plus ")
        assert wanted in said, (door, said)

    told = set()
    with override(language):
        for receipt in receipts_of(list(Scan.objects.filter(act=1))):
            assert isinstance(receipt.play, PlayTold)
            told.add(receipt.play._replace(claim=None))
    assert len(told) == 1
