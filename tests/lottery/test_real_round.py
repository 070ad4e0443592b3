"""A whole draw on a round of the public drand network: its proof holds without Django, without us, with exit 0."""

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import transaction

from common.canonical import canonical
from common.signing import public_of
from lottery import bundles, keys, verify_draw
from lottery.beacons import QUICKNET
from lottery.models import Bundle, Entry
from lottery.services import Enter, NewDraw, advance, enter_free, store_value
from staff.keys import sign_key
from tests.lottery import world

ROUND = 1000
SIGNATURE = (
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"  # pragma: allowlist secret
    "e342b73a8dd2bacbe47e4b6b63ed5e39"  # pragma: allowlist secret
)
CLOSE = datetime.fromtimestamp(QUICKNET.time_of(ROUND) - 1800, UTC)
OPENS = CLOSE - timedelta(days=1)


@pytest.fixture
def bundle(brand) -> Bundle:
    keys.forget()
    drafted = world.draft(
        kind="draw",
        tiers=[world.tier(1, 1, use="draw", alternates=1), world.tier(2, 3, use="draw", alternates=2)],
        draws=[NewDraw(number=1, opens_at=OPENS, close_at=CLOSE)],
        opens_at=OPENS,
        closes_at=CLOSE,
        terms={"enter": world.ENTER_ALL, "beacon": QUICKNET.as_json()},
    )
    campaign = world.opened(world.published(drafted, at=OPENS - timedelta(hours=1)), at=OPENS)
    draw = campaign.draws.get()
    people = world.members(9)
    keys.load([campaign.pk])
    with transaction.atomic():
        world.enter_all([Enter(label_no=100 + n, account_id=one.account_id, at=OPENS) for n, one in enumerate(people)])
    enter_free(draw.pk, account_id=people[3].account_id, request_id="f", at=OPENS)
    assert advance(draw.pk, at=CLOSE + timedelta(minutes=1)).round == ROUND
    store_value(QUICKNET, ROUND, SIGNATURE, at=CLOSE + timedelta(minutes=31))
    assert advance(draw.pk, at=CLOSE + timedelta(minutes=31)).state == "published"
    return Bundle.objects.get(draw=draw)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the verifier, and beside it a place for packages that holds drand-verify alone."""
    found = find_spec("drand_verify")
    assert found is not None
    assert found.origin
    (tmp_path / "packages").mkdir()
    home = Path(found.origin)
    home = home.parent if home.name == "__init__.py" else home
    (tmp_path / "packages" / home.name).symlink_to(home)
    (tmp_path / "verify_draw.py").write_bytes(Path(verify_draw.__file__).read_bytes())
    return tmp_path


def verified(bare: Path, *arguments: str, packages: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the verifier in an interpreter without site packages (-S), environment and current folder (-I)."""
    start = (
        f"import sys; sys.path += {[str(bare / 'packages')] if packages else []!r};"
        "import importlib.util as u; assert not any(u.find_spec(name) for name in ('django', 'lottery', 'common'));"
        f"import runpy; sys.argv = {['verify_draw.py', *arguments]!r}; runpy.run_path('verify_draw.py', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-S", "-I", "-c", start], cwd=bare, capture_output=True, text=True, check=False, timeout=120
    )


def test_it_holds_without_django_and_without_us(bundle, bare, at):
    (bare / "bundle.zip").write_bytes(bytes(bundle.data))
    key = public_of(sign_key(at=at)).hex()
    mine = Entry.objects.order_by("pk")[4]
    receipt = bundles.entry_receipt(mine, key=sign_key(at=at))
    (bare / "r.json").write_bytes(canonical(receipt))

    done = verified(bare, "bundle.zip", "--key", key, "--receipt", "r.json")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("everything holds")
    assert "round 1000 of drand quicknet" in done.stdout
    assert f"entry {mine.pk} took part" in done.stdout
    assert verified(bare, "bundle.zip", "--key", key, packages=False).returncode == 3  # drand-verify is missing


def test_a_receipt_that_is_not_in_it_ends_with_1(bundle, bare, at):
    (bare / "bundle.zip").write_bytes(bytes(bundle.data))
    mine = Entry.objects.order_by("pk")[4]
    mine.leaf = b"\xab" * 32
    (bare / "r.json").write_bytes(canonical(bundles.entry_receipt(mine, key=sign_key(at=at))))

    done = verified(bare, "bundle.zip", "--receipt", "r.json")

    assert done.returncode == 1
    assert "neither listed nor void: FRAUD" in done.stdout


def test_any_of_500_changed_bytes_ends_with_1_or_2(bundle, monkeypatch, capsys):
    data, rng = bytes(bundle.data), random.Random(20230823)
    changed = bytearray(data)
    monkeypatch.setattr(verify_draw, "_read", lambda name, most=0: bytes(changed))
    assert verify_draw.main(["bundle.zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exit"] == 0
    codes = set()
    for place in rng.sample(range(len(data)), 500):
        changed[:] = data
        changed[place] ^= rng.randrange(1, 256)
        codes.add(verify_draw.main(["bundle.zip"]))

    assert codes <= {1, 2}
    assert codes == {1, 2}  # both kinds are met
