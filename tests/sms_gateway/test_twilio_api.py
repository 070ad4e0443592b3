"""Twilio's own description of its API as the judge, by Prism: of what we send, and of what our simulator answers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import requests

from brands.models import Brand
from brands.phone_numbers import keep_account, keep_number, number_called
from config import embedded
from config.build import _node_environment
from sms_gateway.carriers import Simulator, Twilio
from sms_gateway.carriers.base import Accepted, Outbound, Permanent, SendError, Stopped, Temporary
from sms_gateway.carriers.simulator import ACCOUNT_SID
from sms_gateway.simulated import Fault, set_fault
from tests import judges
from tests.environment import ROOT
from tests.sms_gateway.programs import running, wait_for, web
from tests.sms_gateway.world import BASE_URL, OURS, PHONE, TOKEN

DESCRIPTION = ROOT.parent / "shared/data/twilio/twilio_api_v2010.json"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
HELLO = Outbound(reference="brand_a.00000000-0000-0000-0000-000000000001", to=PHONE, body="您好 482193")

pytestmark = pytest.mark.races


@contextmanager
def prism(folder: Path, *arguments: str) -> Iterator[str]:
    """Run Prism with Twilio's description; yield its address."""
    description = Path(os.environ.get("TWILIO_OPENAPI", DESCRIPTION))
    if not description.exists():
        pytest.skip(f"Twilio's description is not at {description}")
    port = embedded.free_port()
    environment = _node_environment()
    program = judges.node_modules() / "@stoplight/prism-cli/dist/index.js"
    node = shutil.which("node", path=environment["PATH"]) or "node"
    kind, *rest = arguments
    command = [node, str(program), kind, str(description), *rest, "--errors", "-p", str(port), "-h", "127.0.0.1"]
    with running(*command, log=folder / "prism.log", env=environment):
        wait_for(folder / "prism.log", "is listening", limit_s=120)
        yield f"http://127.0.0.1:{port}"


def make_number(brand: Brand, at: datetime, *, carrier: str, api_base: str) -> None:
    secrets = {"account_sid": ACCOUNT_SID, "tokens": [TOKEN], "api_base": api_base}
    account = keep_account(carrier, carrier=carrier, secrets=secrets, at=at)
    keep_number(OURS, account=account, brand=brand, at=at, base_url=BASE_URL, languages=["en"])


def test_what_we_send_is_as_twilio_describes_it(tmp_path: Path, real_commits: Brand, at: datetime) -> None:
    with prism(tmp_path, "mock") as address:
        make_number(real_commits, at, carrier="twilio", api_base=address)
        number = number_called("twilio", OURS)
        assert number is not None

        accepted = Twilio(number.account).send(HELLO, number)

        assert accepted.ref.startswith("SM")
        wrong = requests.post(address + MESSAGES, data={"Body": "x"}, auth=(ACCOUNT_SID, TOKEN), timeout=30)
        assert wrong.status_code >= 400, "Prism does look: a message without a number is refused"
        assert requests.post(address + MESSAGES, data={"Body": "x"}, timeout=30).status_code == 401


@pytest.fixture
def simulator(tmp_path: Path, real_commits: Brand, at: datetime) -> Iterator[str]:
    """Our simulator behind Prism, which answers 500 for any answer that is not as Twilio describes it."""
    with web() as port, prism(tmp_path, "proxy", f"http://127.0.0.1:{port}/webhooks/simulator/api") as address:
        make_number(real_commits, at, carrier="simulator", api_base=address)
        yield address


def errors_of(answer: requests.Response) -> list[str]:
    return [answer.text] if "stoplight.io/prism" in answer.text or "sl-violations" in answer.headers else []


def test_no_answer_of_the_simulator_is_wrong(simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prism starts slowly: what it judges is judged in one go."""
    the_answers_are_right(simulator)
    our_adapter_understands_them()
    prism_would_find_a_wrong_one(simulator, monkeypatch)


def the_answers_are_right(simulator: str) -> None:
    good = {"From": OURS, "To": PHONE, "Body": "hello"}
    auth = (ACCOUNT_SID, TOKEN)
    answers = [
        requests.post(simulator + MESSAGES, data=good, auth=auth, timeout=30),
        requests.post(simulator + MESSAGES, data={**good, "Body": "真标" * 200}, auth=auth, timeout=30),
        requests.post(
            simulator + MESSAGES,
            data={**good, "StatusCallback": f"{BASE_URL}/x?message=brand_a.1"},
            auth=auth,
            timeout=30,
        ),
    ]
    sid = answers[0].json()["sid"]
    answers.append(requests.get(f"{simulator}{MESSAGES[:-5]}/{sid}.json", auth=auth, timeout=30))

    assert [answer.status_code for answer in answers] == [201, 201, 201, 200]
    assert [error for answer in answers for error in errors_of(answer)] == []
    assert answers[1].json()["num_segments"] == "6"


def prism_would_find_a_wrong_one(simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sms_gateway import simulated

    true = simulated._resource
    monkeypatch.setattr(simulated, "_resource", lambda *a, **k: {**true(*a, **k), "status": "on its way", "sid": "42"})

    answer = requests.post(
        simulator + MESSAGES, data={"From": OURS, "To": PHONE, "Body": "x"}, auth=(ACCOUNT_SID, TOKEN), timeout=30
    )

    assert errors_of(answer)


def our_adapter_understands_them() -> None:
    number = number_called("simulator", OURS)
    assert number is not None
    adapter = Simulator(number.account)

    def outcome(message: Outbound) -> Accepted | SendError:
        try:
            return adapter.send(message, number)
        except SendError as error:
            return error

    accepted = outcome(HELLO)
    assert isinstance(accepted, Accepted)
    assert accepted.parts == 1
    rejected = outcome(Outbound(reference="brand_a.1", to="+1", body="x"))
    assert isinstance(rejected, Permanent)
    set_fault(PHONE, Fault.REJECT)
    assert isinstance(outcome(HELLO), Stopped)
    set_fault(PHONE, None)


def test_a_carrier_that_is_away_is_temporary(real_commits: Brand, at: datetime) -> None:
    make_number(real_commits, at, carrier="twilio", api_base=f"http://127.0.0.1:{embedded.free_port()}")
    number = number_called("twilio", OURS)
    assert number is not None

    with pytest.raises(Temporary):
        Twilio(number.account).send(HELLO, number)
