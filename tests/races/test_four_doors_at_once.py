"""A hundred codes at the web form, REST, SMS and telephone at the same time: each is redeemed once, each try is a scan."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import Sum

from brands.models import Brand
from brands.phone_numbers import forget_numbers, number_called
from common.clock import now
from ledger.models import Cause, Transfer
from redemption.models import Redemption, Scan
from redemption.receipts import receipts_of
from redemption.rules import Door, Outcome
from redemption.texts import key_of
from sms_gateway.telephone import Telephone
from tests.flows.test_four_doors_agree import read_back
from tests.races.world import POINTS, World, ledger_sum, make_world, phone
from tests.redemption.web import Person
from tests.servers import Client, Web
from tests.sms_gateway.world import OURS, make_twilio

pytestmark = pytest.mark.races
CODES, THREADS_EACH = 100, 2
LANGUAGE = "zh-hans"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Site:
    """Where the doors are, and who is at them."""

    port: int
    world: World
    brand: Brand

    def telephone(self, number: str, client: Client) -> Telephone:
        line = number_called("simulator", OURS)
        assert line is not None

        def post(path: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, str]:
            answer = client.call("POST", path, urlencode(fields).encode(), {**FORM, **headers})
            return answer.status, answer.body.decode()

        return Telephone(number, line, post)


Tell = Callable[[str], str]  # code → which text was told, or "" where the door tells it by a page


def at_web(site: Site, number: str, _client: Client) -> Tell:
    """The claim form, filled in by somebody who signed in first."""
    connection.set_tenant(site.brand)
    person = Person(phone=number)
    page = person.press(person.get("/me/sign-in"), "sign-in", "send", phone=number)
    person.press(page, "sign-in", "enter", phone=number, one_time_code=person.last_code())

    def tell(code: str) -> str:
        assert person.claim(person.get("/claim"), code).status_code == 303
        return ""

    return tell


def at_api(site: Site, number: str, client: Client) -> Tell:
    def tell(code: str) -> str:
        answer = client.post("/api/v1/redemptions", {"code": code, "phone": number}, idempotency_key=f"{number}{code}")
        assert answer.status in {200, 201}, answer
        return {"REDEEMED": "redeemed", "ALREADY_REDEEMED": "spent"}[answer.json["outcome"]]

    return tell


def by_sms(site: Site, number: str, client: Client) -> Tell:
    telephone = site.telephone(number, client)

    def tell(code: str) -> str:
        [answer] = telephone.text(code)
        return read_back(answer.body, LANGUAGE, Door.SMS)[0]

    return tell


def by_voice(site: Site, number: str, client: Client) -> Tell:
    telephone = site.telephone(number, client)

    def tell(code: str) -> str:
        call = telephone.call()
        call.press("1")
        call.press(code)
        if call.gather is not None and "step=confirm" in call.gather.get("action", ""):
            call.press("1")
        return next(key for said in call.heard if (key := _outcome(said)))

    return tell


def _outcome(said: str) -> str:
    try:
        return read_back(said, LANGUAGE, Door.VOICE)[0]
    except AssertionError:
        return ""


DOORS = {Door.WEB: at_web, Door.API: at_api, Door.SMS: by_sms, Door.VOICE: by_voice}


def test_a_hundred_codes_at_four_doors(real_commits: Brand, tmp_path: Path) -> None:
    world = make_world(labels=CODES)
    make_twilio(real_commits, now(), carrier="simulator", takes_calls=True)
    forget_numbers()
    told: dict[Door, list[str]] = {door: [] for door in DOORS}
    errors: list[BaseException] = []
    start = threading.Barrier(len(DOORS) * THREADS_EACH)

    def work(door: Door, turn: int, number: str) -> None:
        codes = world.secrets[turn::THREADS_EACH]
        random.Random(number).shuffle(codes)
        try:
            host, key = ("brand.localhost", world.token) if door is Door.API else ("platform.localhost", "")
            with Client(site.port, host=host, key=key) as client:
                tell = DOORS[door](site, number, client)
                start.wait(timeout=60)
                told[door] += [tell(code) for code in codes]
        except BaseException as error:
            errors.append(error)
            start.abort()
        finally:
            connections.close_all()

    with Web(tmp_path / "web.log") as web:
        site = Site(web.port, world, real_commits)
        numbered = enumerate((door, turn) for turn in range(THREADS_EACH) for door in DOORS)
        threads = [threading.Thread(target=work, args=(door, turn, phone(n))) for n, (door, turn) in numbered]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert errors == []
    assert Redemption.objects.count() == CODES
    assert Counter(Scan.objects.values_list("door", flat=True)) == dict.fromkeys(DOORS, CODES), "each look is a scan"
    outcomes = Counter(Scan.objects.values_list("label_no", "outcome"))
    assert outcomes == Counter(
        {(label_no, Outcome.REDEEMED): 1 for label_no in world.labels.values()}
        | {(label_no, Outcome.ALREADY_REDEEMED): len(DOORS) - 1 for label_no in world.labels.values()}
    )
    for door, keys in told.items():
        kept = [key_of(receipt) for receipt in receipts_of(list(Scan.objects.filter(door=door)))]
        if door is Door.API:
            kept = [key.partition("_")[0] for key in kept]
        assert door is Door.WEB or Counter(keys) == Counter(kept), door
    earned = Transfer.objects.filter(cause_kind=Cause.REDEMPTION).aggregate(total=Sum("amount"))["total"]
    assert earned == CODES * POINTS, "nobody named a retailer or a promoter"
    assert ledger_sum() == 0
    call_command("verify_ledger")
