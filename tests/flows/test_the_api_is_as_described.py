"""schemathesis against a running web process: whatever is sent, the answer is one that the OpenAPI file describes.

As owner (a key with every scope) 100 examples for each operation, 10 as each other kind of caller; half keep to the
description and half break it; every check is on.
"""

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings
from requests import Session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.core.parameters import ParameterLocation
    from schemathesis.specs.openapi.checks import negative_data_rejection

from brands.models import Brand
from channel.acts import Item, Paper, ship
from common.clock import now
from portal.services import make_key
from staff.apikeys import create_key
from staff.models import User
from tests.channel.goods import make_goods
from tests.environment import ROOT
from tests.races.world import make_world
from tests.servers import Web

pytestmark = [pytest.mark.races, pytest.mark.filterwarnings("ignore")]

HOST = "brand.localhost"
CALLERS = {
    "read only": (["read"], False),
    "check only": (["check"], False),
    "redeem only": (["redeem"], False),
    "goods only": (["goods"], False),
    "test mode": (["read", "check", "redeem"], True),
}


@pytest.fixture
def described(real_commits: Brand, tmp_path: Path) -> Iterator[tuple[Any, str, str]]:
    """A running web process: its description, its address, and the owner's key."""
    world = make_world(labels=50)
    with Web(tmp_path / "web.log") as web:
        url = f"http://127.0.0.1:{web.port}"
        config = schemathesis.Config.from_path(ROOT / "schemathesis.toml")
        schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", config=config, headers={"Host": HOST})
        yield schema, url, world.token


def try_all(described: Any, url: str, headers: dict[str, str], examples: int) -> int:
    """Send examples to every operation and check every answer; return how many were sent."""
    sent = 0
    with Session() as session:
        for result in described.get_all_operations():
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @hypothesis_settings(
                    max_examples=examples // 2,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def check(case: Any) -> None:
                    nonlocal sent
                    sent += 1
                    # A header that was left out or broken on purpose is mended by ours: then nothing need be refused.
                    mended = "Authorization" in headers and case.meta.is_negative_at(ParameterLocation.HEADER)
                    unchecked = [negative_data_rejection] if mended else []
                    case.call_and_validate(base_url=url, session=session, headers=headers, excluded_checks=unchecked)

                check()
    return sent


def test_the_owner_gets_what_is_described(described: tuple[Any, str, str]) -> None:
    """The command itself, with its examples, its coverage of every boundary, and 100 examples for each operation."""
    _schema, url, token = described
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"]
    headers = ["-H", f"Host: {HOST}", "-H", f"Authorization: Bearer {token}"]

    done = subprocess.run(
        [*command, *headers, "--seed=1", "--continue-on-failure", "--no-color"],
        cwd=ROOT, env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": os.devnull}, check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "13 selected / 13 total" in done.stdout
    assert int(re.search(r"(\d+) generated", done.stdout).group(1)) > 400


@pytest.mark.parametrize("caller", [*CALLERS, "nobody", "somebody's old key"])
def test_every_other_caller_gets_what_is_described(described: tuple[Any, str, str], caller: str) -> None:
    schema, url, _owner = described
    headers = {"Host": HOST}
    if caller in CALLERS:
        scopes, is_test = CALLERS[caller]
        headers["Authorization"] = f"Bearer {create_key(caller, scopes, at=now(), is_test=is_test)[1]}"
    elif caller != "nobody":
        headers["Authorization"] = "Bearer ak_live_0123456789abcdefghijklmnopqrstuvwxyz"

    assert try_all(schema, url, headers, 10) >= 12 * 8


def test_an_answer_that_is_not_described_is_found(described: tuple[Any, str, str]) -> None:
    """A planted fault: the description forgets the answers to a wrong body."""
    schema, url, token = described
    for operations in schema.raw_schema["paths"].values():
        for operation in operations.values():
            for status in ("400", "422"):
                operation["responses"].pop(status, None)

    with pytest.raises(BaseExceptionGroup):
        try_all(schema, url, {"Host": HOST, "Authorization": f"Bearer {token}"}, 20)


# --- the API for partners' own systems -------------------------------------------------------------------------------------

PARTNER_OPERATIONS = 6


@pytest.fixture
def of_partner(real_commits: Brand, tmp_path: Path) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """A running web process: the description of the partners' API, its address, and the tokens of its callers."""
    goods = make_goods(2, at=now())
    paper = Paper("SO-1", None, None, now(), "ada")
    ship(paper, [Item(goods.cases[0])], source=None, destination=goods.a)
    owner = User.objects.create_user("ada", password="x", role="owner")
    tokens = {
        name: make_key(partner, name=name, at=now(), created_by=owner)[1]
        for name, partner in (("distributor", goods.a), ("shop", goods.shop))
    }
    tokens["the brand's own key"] = create_key("goods", ["read", "goods"], at=now())[1]
    tokens["nobody"] = ""
    with Web(tmp_path / "web.log") as web:
        url = f"http://127.0.0.1:{web.port}"
        config = schemathesis.Config.from_path(ROOT / "schemathesis.toml")
        address = f"{url}/api/v1/partner/openapi.json"
        yield schemathesis.openapi.from_url(address, config=config, headers={"Host": HOST}), url, tokens


def as_caller(tokens: dict[str, str], caller: str) -> dict[str, str]:
    token = tokens[caller]
    return {"Host": HOST} | ({"Authorization": f"Bearer {token}"} if token else {})


def test_partners_systems_get_what_is_described(of_partner: tuple[Any, str, dict[str, str]]) -> None:
    """Twenty examples for each operation as a distributor, six as each other caller: about 230 requests."""
    schema, url, tokens = of_partner

    assert try_all(schema, url, as_caller(tokens, "distributor"), 20) >= PARTNER_OPERATIONS * 10
    for caller in ("shop", "the brand's own key", "nobody"):
        assert try_all(schema, url, as_caller(tokens, caller), 6) >= PARTNER_OPERATIONS * 3


@pytest.mark.torture
def test_partners_systems_get_what_is_described_at_length(of_partner: tuple[Any, str, dict[str, str]]) -> None:
    schema, url, tokens = of_partner

    for caller in tokens:
        try_all(schema, url, as_caller(tokens, caller), 100)


def test_an_answer_to_partners_that_is_not_described_is_found(of_partner: tuple[Any, str, dict[str, str]]) -> None:
    """A planted fault: the description forgets a field that every answer has."""
    schema, url, tokens = of_partner
    schema.raw_schema["components"]["schemas"]["StockOut"]["properties"]["data"] = {"type": "string"}

    with pytest.raises(BaseExceptionGroup):
        try_all(schema, url, as_caller(tokens, "distributor"), 4)
