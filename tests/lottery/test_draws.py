"""Draws from the first entry to the published proof."""

import json
import random
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from common.canonical import canonical
from ledger.models import Hold
from ledger.queries import balance
from lottery import bundles, keys, private_chain, verify_draw
from lottery.errors import BadEntry, DrawState, MayNotTakePart, NoSuchEntry
from lottery.models import Bundle, Campaign, Claim, Draw, Entry, Pick
from lottery.services import Enter, advance, cancel, drawing, enter_by_points, enter_free, subject_of
from lottery.services.drawing import Differs, advance_due
from staff.keys import sign_key
from tests.lottery import world
from tests.lottery.world import drawn, fill, members

CLOSE, LISTED, DRAWN = world.CLOSE, world.LISTED, world.DRAWN


@pytest.fixture
def draw(brand):
    keys.forget()
    tiers = [world.tier(1, 1, use="draw", alternates=2), world.tier(2, 2, use="draw", alternates=2)]
    _campaign, [draw] = world.open_draws(*tiers, terms={"enter": world.ENTER_ALL, "draw": {"one_per": "who"}})
    return draw


def test_a_draw_goes_from_entries_to_claims(draw):
    fill(draw)

    done = drawn(draw)

    assert done.state == Draw.State.PUBLISHED
    assert [(pick.tier, pick.role) for pick in Pick.objects.order_by("pick_no")] == [
        (1, "winner"), (2, "winner"), (2, "winner"),
        (1, "alternate"), (1, "alternate"), (2, "alternate"), (2, "alternate"),
    ]  # fmt: skip
    assert Pick.objects.values("entry__who").distinct().count() == 7
    assert Claim.objects.filter(state="won").count() == 3
    assert Bundle.objects.get().edition == 1


def test_points_are_held_and_spent_at_the_close(draw):
    people = fill(draw)
    before = balance(people[2].account_id)
    assert Hold.objects.filter(state="open").count() == 3
    advance_due(at=LISTED)

    advance_due(at=DRAWN)

    assert balance(people[2].account_id) == before - 30
    assert not Hold.objects.filter(state="open").exists()


def test_an_entry_for_points_is_taken_back_while_open(draw):
    [one] = members(1)
    entry = enter_by_points(draw.pk, account_id=one.account_id, weight=2, request_id="r", at=world.OPENS)

    cancel(entry.pk, account_id=one.account_id, at=world.OPENS)
    cancel(entry.pk, account_id=one.account_id, at=world.OPENS)

    assert Entry.objects.get().state == Entry.State.VOIDED
    assert Hold.objects.get().state == "void"
    with pytest.raises(NoSuchEntry):
        cancel(entry.pk, account_id=one.account_id + 1, at=world.OPENS)
    advance(draw.pk, at=LISTED)
    with pytest.raises(DrawState):
        cancel(entry.pk, account_id=one.account_id, at=world.OPENS)


def test_the_same_request_enters_once(draw):
    [one] = members(1)

    first = enter_by_points(draw.pk, account_id=one.account_id, weight=2, request_id="r", at=world.OPENS)
    again = enter_by_points(draw.pk, account_id=one.account_id, weight=2, request_id="r", at=world.OPENS)

    assert first.pk == again.pk
    with pytest.raises(BadEntry):
        enter_by_points(draw.pk, account_id=one.account_id, weight=3, request_id="r", at=world.OPENS)
    free = [enter_free(draw.pk, account_id=one.account_id, request_id="f", at=world.OPENS).pk for _try in range(2)]
    assert len(set(free)) == 1


def test_a_label_enters_a_draw_once(draw):
    [one] = members(1)
    keys.load([draw.campaign_id])
    label = Enter(label_no=7, account_id=one.account_id, at=world.OPENS)

    with transaction.atomic():
        assert len(world.enter_all([label])[7]) == 1
        assert world.enter_all([label]) == {}


def test_late_and_excluded_entries_are_refused(draw):
    [one] = members(1)
    keys.load([draw.campaign_id])
    with pytest.raises(DrawState):
        enter_by_points(draw.pk, account_id=one.account_id, weight=1, request_id="r", at=CLOSE)
    with pytest.raises(MayNotTakePart):
        enter_free(draw.pk, account_id=one.account_id, request_id="r", at=world.OPENS, excluded=True)

    with transaction.atomic():
        excluded = world.enter_all([Enter(label_no=1, account_id=one.account_id, at=world.OPENS, excluded=True)])
        late = world.enter_all([Enter(label_no=1, account_id=one.account_id, at=CLOSE)])

    assert excluded == late == {}


def test_a_limit_of_entries(brand):
    keys.forget()
    limits = [{"act": "entry", "subject": "member", "period": "all", "most": 2}]
    _campaign, [draw] = world.open_draws(
        world.tier(1, 1, use="draw"), terms={"enter": world.ENTER_ALL, "limits": limits}
    )
    [one] = members(1)
    keys.load([draw.campaign_id])
    me = {"member": subject_of("member", one.uuid.bytes)}

    with transaction.atomic():
        found = world.enter_all(
            [Enter(label_no=n, account_id=one.account_id, at=world.OPENS, subjects=me) for n in range(1, 5)]
        )

    assert sorted(found) == [1, 2]


def test_a_late_list_waits_for_another_round(draw):
    fill(draw)
    named = draw.round
    too_late = CLOSE + timedelta(hours=2)

    advance(draw.pk, at=too_late)

    moved = Draw.objects.get(pk=draw.pk)
    assert moved.round == private_chain.beacon().first_round_from(int(too_late.timestamp()) + 1800) > named
    world.beacon_out(named, at=too_late)
    assert advance(draw.pk, at=too_late).state == Draw.State.LISTED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lottery_entry SET weight = 99",
        "UPDATE lottery_entry SET state = 'voided', void_reason = 'x', voided_at = now()",
        "INSERT INTO lottery_entry (draw_id, account_id, who, kin, weight, source, source_id, request_id, ref, leaf, state,"
        " void_reason, at) SELECT draw_id, account_id, who, kin, weight, source, source_id, '', 'other', leaf, state,"
        " '', at FROM lottery_entry LIMIT 1",
        "DELETE FROM lottery_entry",
        "UPDATE lottery_draw SET root = decode(repeat('ab', 32), 'hex')",
        "UPDATE lottery_draw SET close_at = close_at + interval '1 day'",
        "UPDATE lottery_draw SET rules_hash = decode(repeat('ab', 32), 'hex')",
    ],
)
def test_what_is_listed_cannot_be_changed_by_sql(draw, statement):
    from django.db import connection

    fill(draw, 3)
    advance(draw.pk, at=LISTED)

    refused = pytest.raises(DatabaseError, match=r"listed|never|filled in once|do not change")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_picks_that_differ_stop_the_draw(draw):
    people = fill(draw)
    advance(draw.pk, at=LISTED)
    entry = Entry.objects.order_by("id").first()
    Pick.objects.create(draw=draw, pick_no=0, entry=entry, tier=1, unit=1, role="winner", tries=999)
    world.beacon_out(Draw.objects.get(pk=draw.pk).round, at=DRAWN)

    with pytest.raises(Differs):
        advance(draw.pk, at=DRAWN)

    assert people
    assert Draw.objects.get(pk=draw.pk).state == Draw.State.SEEDED


class Died(BaseException):
    pass


POINTS = [f"{step} {when}" for step in ("close", "list", "seed", "select", "publish") for when in ("begun", "done")]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_at_a_step_is_followed_by_one_with_the_same_winners(draw, monkeypatch, point):
    fill(draw)
    died = []

    def die(name):
        if name == point and not died:
            died.append(name)
            raise Died

    monkeypatch.setattr(drawing, "on_step", die)
    for at in (LISTED, DRAWN, DRAWN):
        round_no = Draw.objects.get(pk=draw.pk).round
        if at == DRAWN:
            world.beacon_out(round_no, at=DRAWN)
        try:
            advance(draw.pk, at=at)
        except Died:
            advance(draw.pk, at=at)

    done = Draw.objects.get(pk=draw.pk)
    assert died == [point]
    assert done.state == Draw.State.PUBLISHED
    assert Bundle.objects.count() == 1
    assert Claim.objects.count() == 3
    wanted = drawing.select(
        seed=bytes(done.seed),
        entries=drawing.listed(drawing.live_lines(done)).entries,
        prizes=drawing.prizes_of(done),
        one_per="who",
    )
    assert [(pick.pick_no, pick.tries) for pick in Pick.objects.order_by("pick_no")] == [
        (pick.pick, pick.tries) for pick in wanted
    ]


def test_a_series_carries_entries_over(brand):
    keys.forget()
    closes = [CLOSE, CLOSE + timedelta(days=1)]
    campaign, [first, second] = world.open_draws(
        world.tier(1, 1, use="draw", alternates=0),
        closes=closes,
        terms={"enter": world.ENTER_ALL, "draw": {"carry": True}},
    )
    fill(first, 4)

    drawn(first)

    assert second.entries.filter(source="carry").count() == first.entries.count() - 1
    second_state = drawn_later(second)
    assert second_state.state == Draw.State.PUBLISHED
    assert Campaign.objects.get(pk=campaign.pk).state == "open"


def drawn_later(draw):
    advance(draw.pk, at=LISTED + timedelta(days=1))
    world.beacon_out(Draw.objects.get(pk=draw.pk).round, at=DRAWN + timedelta(days=1))
    return advance(draw.pk, at=DRAWN + timedelta(days=1))


def test_a_draw_without_entries_is_drawn_too(draw):
    done = drawn(draw)

    assert json.loads(bytes(done.result))["unfilled"] == 7
    assert not Claim.objects.exists()


# --- the proof -------------------------------------------------------------------------------------------------------


@pytest.fixture
def proof(draw, tmp_path):
    fill(draw)
    path = tmp_path / "bundle.zip"
    path.write_bytes(bytes(Bundle.objects.get(draw=drawn(draw)).data))
    return path


def check(path, capsys, *more):
    code = verify_draw.main([str(path), "--json", *map(str, more)])
    return code, json.loads(capsys.readouterr().out)


def test_the_proof_holds(proof, capsys, at):
    from common.signing import public_of

    code, said = check(proof, capsys, "--key", public_of(sign_key(at=at)).hex())

    assert (code, said["message"]) == (3, "the rest holds, but not shown: beacon")  # the chain is private
    assert "NOT the public drand network" in str(said["checks"])
    assert check(proof, capsys, "--key", "00" * 32)[0] == 1


def test_a_saved_root_is_compared_and_accuses_nobody_by_mistake(proof, tmp_path, capsys):
    whole = json.loads(verify_draw.unpack(proof.read_bytes())["root.json"])
    saved = {
        "as saved": json.dumps(whole, indent=1) + "\n",
        "a second root": json.dumps({**whole, "root": "00" * 32}),
        "of another draw": json.dumps({**whole, "draw": "00" * 16}),
        "no root": '{"a": 1}',
        "no object": "[]",
        "no JSON": "root",
    }
    found = {}
    for name, text in saved.items():
        (tmp_path / "saved.json").write_text(text)
        found[name] = check(proof, capsys, "--root", tmp_path / "saved.json")

    assert [code for code, _said in found.values()] == [3, 1, 2, 2, 2, 2]
    assert "FRAUD" in found["a second root"][1]["message"]
    assert "FRAUD" not in found["of another draw"][1]["message"]


def test_a_key_that_is_none_is_refused(proof, capsys):
    assert check(proof, capsys, "--key", "zz")[0] == 2


def test_the_verifier_runs_alone(proof, tmp_path):
    """Without Django, without us: an isolated interpreter in an empty folder."""
    program = tmp_path / "verify_draw.py"
    program.write_bytes(verify_draw.unpack(proof.read_bytes())["verify_draw.py"])
    bare = (
        "import sys, runpy; sys.path = [p for p in sys.path if p];"
        f"sys.argv = ['verify_draw.py', {str(proof)!r}];"
        "\ntry: runpy.run_path('verify_draw.py', run_name='__main__')"
        "\nfinally: print(sorted(m for m in sys.modules if m.split('.')[0] in ('django', 'lottery', 'common', 'numpy')))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", bare], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 3, done.stderr
    assert "picks — 7 picks, 0 unfilled" in done.stdout
    assert done.stdout.rstrip().endswith("[]")


def test_any_changed_byte_is_noticed(proof, monkeypatch):
    """500 random places over the whole file; the check of the public value, the slowest, is never reached wrongly."""
    data, rng = proof.read_bytes(), random.Random(20261125)
    verify_draw.verify(data, {})
    survivors = []
    for place in rng.sample(range(len(data)), 500):
        changed = bytearray(data)
        changed[place] ^= rng.randrange(1, 256)
        if code_of(bytes(changed)) not in (1, 2):
            survivors.append(place)

    assert survivors == []


def code_of(data):
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        original = verify_draw._read
        verify_draw._read = lambda name, most=0: data
        try:
            return verify_draw.main(["given.zip"])
        finally:
            verify_draw._read = original


def test_a_receipt_is_found_void_or_missing(draw, tmp_path, capsys, at):
    people = fill(draw)
    void = enter_by_points(draw.pk, account_id=people[4].account_id, weight=1, request_id="void", at=world.OPENS)
    cancel(void.pk, account_id=people[4].account_id, at=world.OPENS)
    live = Entry.objects.filter(state="live").first()
    key = sign_key(at=at)
    receipts = {"live": bundles.entry_receipt(live, key=key), "void": bundles.entry_receipt(void, key=key)}
    live.leaf = bytes(32)
    receipts["dropped"] = bundles.entry_receipt(live, key=key)
    path = tmp_path / "bundle.zip"
    path.write_bytes(bytes(Bundle.objects.get(draw=drawn(draw)).data))

    found = {}
    for name, receipt in receipts.items():
        (tmp_path / f"{name}.json").write_bytes(canonical(receipt))
        found[name] = check(path, capsys, "--receipt", tmp_path / f"{name}.json")

    assert [found[name][0] for name in ("live", "void", "dropped")] == [3, 3, 1]
    assert "is void: cancelled" in str(found["void"][1]["checks"])
    assert "FRAUD" in found["dropped"][1]["message"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("entries.jsonl", "drop"),
        ("entries.jsonl", "weight"),
        ("result.json", "swap"),
        ("root.json", "prizes"),
        ("rules.json", "one_per"),
        ("beacon.json", "signature"),
        ("claims.jsonl", "alternate"),
        ("voided.jsonl", "add"),
    ],
)
def test_a_publisher_that_changes_one_thing_and_signs_anew_is_found(proof, capsys, name, change, at):
    from common.signing import sign
    from lottery import content

    files = verify_draw.unpack(proof.read_bytes())
    lines = files[name].split(b"\n")[:-1]
    value = json.loads(files[name]) if name.endswith(".json") else [json.loads(line) for line in lines]
    if change == "drop":
        value = value[1:]
    elif change == "weight":
        value[0]["weight"] += 1
    elif change == "swap":
        value["picks"][0]["leaf"], value["picks"][1]["leaf"] = value["picks"][1]["leaf"], value["picks"][0]["leaf"]
    elif change == "prizes":
        value["prizes"][0]["quantity"] += 1
    elif change == "one_per":
        value["one_per"] = "entry"
    elif change == "signature":
        value["signature"] = private_chain.sign(5)
    elif change == "alternate":
        value.append({"pick": 4, "tier": 1, "state": "won", "reason": ""})
    else:
        value.append({"leaf": "00" * 32, "reason": "cancelled", "at": 1})
    files[name] = canonical(value) if name.endswith(".json") else b"".join(canonical(v) + b"\n" for v in value)
    key = sign_key(at=at)
    signatures = {
        "draw_rules": sign(key, content.DRAW_RULES_TAG, files["rules.json"]).hex(),
        "root": sign(key, content.ROOT_TAG, files["root.json"]).hex(),
    }
    for gone in ("manifest.json", "signatures.json"):
        del files[gone]
    proof.write_bytes(bundles.pack("draw", files, signatures, edition=1, before=None, key=key))

    code, said = check(proof, capsys)

    assert (code, said["message"][:6]) == (1, "FAILED"), said["message"]


def test_what_is_no_bundle_is_unreadable(tmp_path, capsys):
    import zipfile

    nothing, bomb, other = tmp_path / "nothing.zip", tmp_path / "bomb.zip", tmp_path / "other.zip"
    nothing.write_bytes(b"PK")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in verify_draw.DRAW_FILES:
            archive.writestr(name, b"0" * 10_000_000)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("/etc/passwd", b"root")

    assert [check(path, capsys)[0] for path in (nothing, bomb, other, tmp_path / "missing.zip")] == [2, 2, 2, 2]
    assert verify_draw.main(["--json"]) == 2
