"""The wizard of games, from goal to an open campaign, and what it refuses."""

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from brands.models import Brand
from common.models import Job
from ledger.models import Transfer
from lottery import keys, prf, private_chain
from lottery.models import (
    BudgetSlot,
    Campaign,
    Claim,
    Entry,
    Filing,
    LawDocument,
    Pick,
    Play,
    Pool,
    PrizeTier,
    RulesVersion,
)
from lottery.services import arming, beaconing, rehearsing
from lottery.services.playing import Ask
from lottery.services.publishing import draft_rules
from redemption.services import verify
from tests.console import games
from tests.lottery import world
from tests.makers import labels_of, make_active_batch, make_batch, make_check, make_member, secrets_of

START = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
OPENS = START + timedelta(days=2)


class Clock:
    """The pages' clock, which a test turns."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    turned = Clock()
    for module in ("console.games.wizard_views", "console.games.life_views"):
        monkeypatch.setattr(f"{module}.now", turned)
    keys.forget()
    yield turned
    keys.forget()


@pytest.fixture
def ready(clock: Clock) -> Callable[..., Campaign]:
    """Return a function that types a plan of one pool of 200 labels, and signs what the law wants signed."""

    def typed(**steps: Any) -> Campaign:
        batch = make_batch(count=200)
        campaign = games.plan(games.client_of("mia"), [batch], OPENS, **steps)
        games.sign_all(games.client_of("leo", "legal"), campaign)
        return campaign

    return typed


def published(campaign: Campaign, clock: Clock) -> Campaign:
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    asked = client.post(f"{page}/publish")
    assert asked["Location"].startswith("/console/approvals/"), [
        str(m) for m in client.get(games.step(campaign, "publish")).context["messages"]
    ]
    games.client_of("ola", "owner")
    games.approve("ola", at=clock.at)
    games.make_manifests()
    done = client.post(f"{page}/publish")
    assert done["Location"] == page
    campaign.refresh_from_db()
    return campaign


def armed(campaign: Campaign, clock: Clock) -> Campaign:
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    clock.at += timedelta(hours=1)
    _commitment, value = arming.first_commitment(campaign)
    round_no = value["beacon"]["round"]
    beaconing.store(private_chain.beacon(), round_no, private_chain.sign(round_no), at=clock.at)
    client.post(f"{page}/arm")
    games.approve("ola", at=clock.at)
    client.post(f"{page}/arm")
    campaign.refresh_from_db()
    return campaign


def test_from_goal_to_an_open_campaign(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready()
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    assert client.get(page)["Location"] == games.step(campaign, "publish")

    assert published(campaign, clock).state == "published"
    assert armed(campaign, clock).state == "armed"
    clock.at = OPENS
    arming.open_due(at=clock.at)

    campaign.refresh_from_db()
    assert campaign.state == "open"
    assert client.get(page).status_code == 200
    live = client.get(f"{page}/live")
    assert [one.left for one in live.context["found"].prizes] == [2]
    pool = Pool.objects.get()
    assert (pool.eligible, pool.quantities) == (200, [2])
    assert PrizeTier.objects.get().market_price == 12_800
    assert client.get(games.step(campaign, "goal"))["Location"] == page  # no step of a published plan opens again


COUNTED = (Play, Pick, Claim, Entry, Transfer, BudgetSlot, RulesVersion)


def test_a_dry_run_writes_nothing_but_its_report(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready(prizes=games.prizes(games.prize(quantity="50")))
    client = games.client_of("mia")
    before = [model.objects.count() for model in COUNTED]

    client.post(f"/console/games/{campaign.public_id}/rehearse")
    job = Job.objects.get(kind=rehearsing.JOB_KIND)
    rehearsing.rehearse(job.pk)

    assert [model.objects.count() for model in COUNTED] == before
    job.refresh_from_db()
    found = job.detail
    assert (job.state, job.done, found["rehearsal"]) == ("done", 10_000, True)
    assert (found["scans"], found["labels"], found["all"]["won"]) == (200, 200, 50)  # all labels were scanned: exact
    assert [tier["won"] for tier in found["draw"]["tiers"]] == [50]
    page = client.get(games.step(campaign, "rehearsal"))
    assert b"REHEARSAL" in page.content


def test_a_dry_run_leaves_out_labels_that_were_scanned(clock: Clock) -> None:
    batch, client = make_active_batch(200, at=clock.at), games.client_of("mia")
    for code in secrets_of(batch)[:3]:
        verify(make_check(code=code, at=clock.at))
    campaign = games.plan(client, [batch], OPENS)

    client.post(f"/console/games/{campaign.public_id}/rehearse")
    job = Job.objects.get(kind=rehearsing.JOB_KIND)
    rehearsing.rehearse(job.pk)

    job.refresh_from_db()
    assert job.detail["labels"] == 197
    assert job.detail["out"] == [[labels_of(batch)[0], labels_of(batch)[2] + 1]]


def test_a_dry_run_that_died_goes_on_and_comes_to_the_same(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready(prizes=games.prizes(games.prize(quantity="50")))
    job = rehearsing.ask_rehearsal(campaign.pk, at=clock.at, asked_by="mia")
    rehearsing.rehearse(job.pk)
    whole = Job.objects.get(pk=job.pk).detail
    half = rehearsing._scan(rehearsing._set(campaign, job.public_id), 0, 100)[1]
    Job.objects.filter(pk=job.pk).update(state="running", done=100, detail={"won": {"1": half}}, ended_at=None)

    rehearsing.rehearse(job.pk)

    assert Job.objects.get(pk=job.pk).detail == whole


def test_what_is_wrong_is_named_and_what_was_typed_stays(clock: Clock) -> None:
    batch = make_batch(count=20)
    client = games.client_of("mia")
    campaign = games.plan(client, [batch], OPENS)
    typed = games.prizes(games.prize(), games.prize(kind="points", name="Many points", points=""))

    refused = client.post(games.step(campaign, "prizes"), typed)

    assert refused.status_code == 422
    assert [sorted(row.errors) for row in refused.context["rows"].forms] == [[], ["points"]]
    again = client.get(games.step(campaign, "prizes"))  # opened again, it says the same
    assert b"Many points" in again.content
    assert [sorted(row.errors) for row in again.context["rows"].forms] == [[], ["points"]]
    assert next(one for one in again.context["steps"] if one["name"] == "prizes")["wrong"]
    told = client.post(f"/console/games/{campaign.public_id}/publish")
    assert told["Location"] == games.step(campaign, "publish")


def test_one_more_prize_is_no_fault_before_it_is_filled_in(clock: Clock) -> None:
    batch = make_batch(count=20)
    client = games.client_of("mia")
    campaign = games.plan(client, [batch], OPENS)

    client.post(games.step(campaign, "prizes"), {**games.prizes(games.prize()), "add": "1"})
    opened = client.get(games.step(campaign, "prizes"))

    rows = opened.context["rows"]
    assert [row.errors for row in rows.forms] == [{}, {}]
    fresh = {f"prizes-1-{field.name}": field.value() or "" for field in rows.forms[1]}
    assert fresh["prizes-1-claim_days"] == "30"
    kept = client.post(games.step(campaign, "prizes"), {**games.prizes(games.prize(), {}), **fresh})
    assert kept.status_code == 302  # left blank, it is none
    assert list(campaign.tiers.values_list("name", flat=True)) == ["Tea set"]
    named = client.post(
        games.step(campaign, "prizes"), {**games.prizes(games.prize(), {}), **fresh, "prizes-1-name": "A"}
    )
    assert named.status_code == 422


@pytest.mark.parametrize(("use", "reserve"), [("draw", "on"), ("instant", "")])
def test_a_draw_gives_its_own_prizes_or_those_that_nobody_won(clock: Clock, use: str, reserve: str) -> None:
    batch = make_batch(count=20)
    client = games.client_of("mia")
    campaign = games.plan(client, [batch], OPENS)
    more = games.prize(use=use, name="Teapot", quantity="1")
    client.post(games.step(campaign, "prizes"), games.prizes(games.prize(), more))

    refused = client.post(games.step(campaign, "dates"), games.dates(OPENS, reserve=reserve))
    taken = client.post(games.step(campaign, "dates"), games.dates(OPENS, reserve="" if reserve else "on"))

    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["reserve"]
    assert taken.status_code == 302


def test_a_game_to_be_scratched_has_something_under_it(clock: Clock) -> None:
    client = games.client_of("mia")
    client.post("/console/games/new", games.goal())
    campaign = Campaign.objects.latest("pk")

    refused = client.post(games.step(campaign, "prizes"), games.prizes(games.prize(use="draw")))

    assert refused.status_code == 422
    assert "add one that is won at once" in refused.content.decode()


@pytest.mark.parametrize(
    ("step", "typed", "field"),
    [
        ("goal", {"places": [], "elsewhere": ""}, "places"),
        ("goal", {"elsewhere": "France"}, "elsewhere"),
        ("goal", {"zone": "Mars/Base"}, "zone"),
        ("labels", {"batches": ["999"]}, "batches"),
        ("labels", {"winners": "three"}, "winners"),
        ("doors", {"waves": "0"}, "waves"),
        ("doors", {"left_out": ["web"]}, "left_out"),  # a free entry is made there
        ("doors", {"left_out": ["web", "api", "sms", "voice"], "free": "0"}, "left_out"),
        ("dates", {"closes_at": "2026-01-01T00:00"}, "closes_at"),
        ("dates", {"first_close": "2026-11-28T00:00"}, "first_close"),
        ("dates", {"times": "3", "every_days": ""}, "every_days"),
        ("texts", {"how_zh": ""}, "how_zh"),
        ("cost", {"redeemed": "101"}, "redeemed"),
        ("cost", {"budget": "-1"}, "budget"),
    ],
)
def test_each_fault_stands_at_its_own_field(clock: Clock, step: str, typed: games.Typed, field: str) -> None:
    batch = make_batch(count=20)
    client = games.client_of("mia")
    usual: dict[str, games.Typed] = {
        "goal": games.goal(),
        "labels": {"batches": [str(batch.pk)], "pooling": "one", "winners": "", "months": "24"},
        "doors": games.doors(),
        "dates": games.dates(OPENS),
        "texts": games.texts(),
        "cost": games.cost(),
    }
    client.post("/console/games/new", games.goal())
    campaign = Campaign.objects.latest("pk")

    refused = client.post(games.step(campaign, step), {**usual[step], **typed})

    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == [field]


def test_doors_left_out_are_in_the_rules(clock: Clock) -> None:
    client = games.client_of("mia")
    doors = games.doors(left_out=["sms", "voice"])

    campaign = games.plan(client, [make_batch(count=20)], OPENS, doors=doors)
    client.get(games.step(campaign, "publish"))

    campaign.refresh_from_db()
    assert campaign.terms["doors"] == ["web", "api"]
    assert draft_rules(campaign)["terms"]["doors"] == ["web", "api"]


def test_figures_follow_what_is_typed(clock: Clock) -> None:
    batch = make_batch(count=1000)
    client = games.client_of("mia")
    campaign = games.plan(client, [batch], OPENS)
    typed = games.prizes(
        games.prize(quantity="10"),
        games.prize(kind="points", points="50", quantity="100", unit_cost="0.50", market_price="1", delivery_cost=""),
    )

    box = client.post(f"/console/games/{campaign.public_id}/preview/prizes", typed)

    found = box.context["figures"]
    assert (found.worst, found.units, found.labels, found.points) == (109_000 + 5_000, 110, 1000, 5_000)
    assert found.expected == round(114_000 * 0.88)  # a second chance draws what nobody won
    kept = client.get(games.step(campaign, "prizes"))
    assert kept.context["figures"] == found  # typing alone keeps the step


def test_who_may_not_edit_changes_nothing(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready()
    page = f"/console/games/{campaign.public_id}"
    before = campaign.plan.steps
    analyst, mia = games.client_of("ann", "analyst"), games.client_of("mia")

    assert analyst.get(games.step(campaign, "prizes")).status_code == 200
    assert analyst.post(games.step(campaign, "prizes"), games.prizes(games.prize(quantity="9"))).status_code == 302
    acts = ("publish", "arm", "reveal", "halt", "rehearse", "sign", "change", "change/apply", "preview/prizes")
    assert {act: analyst.post(f"{page}/{act}").status_code for act in acts} == dict.fromkeys(acts, 403)
    assert mia.post(f"{page}/sign", {"item": "cn.records", "name": "Mia"}).status_code == 403  # legal alone signs

    campaign.plan.refresh_from_db()
    assert campaign.plan.steps == before


def test_a_request_is_void_once_the_plan_has_changed(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready()
    client = games.client_of("mia")
    client.post(f"/console/games/{campaign.public_id}/publish")
    games.client_of("ola", "owner")
    games.approve("ola", at=clock.at)
    games.make_manifests()
    client.post(games.step(campaign, "prizes"), games.prizes(games.prize(quantity="3")))

    again = client.post(f"/console/games/{campaign.public_id}/publish")

    assert again["Location"].startswith("/console/approvals/")
    assert not RulesVersion.objects.exists()


def test_papers_are_brought_by_legal_and_only_pdf_or_pictures(clock: Clock) -> None:
    campaign = games.plan(games.client_of("mia"), [make_batch(count=20)], OPENS, goal={"places": ["uk"]}, law={})
    leo = games.client_of("leo", "legal")
    page = f"/console/games/{campaign.public_id}"
    typed = {"item": "uk.instant_statement", "name": "L. Counsel"}

    leo.post(f"{page}/sign", {**typed, "document": SimpleUploadedFile("a.exe", b"MZ")})
    leo.post(f"{page}/sign", typed)
    assert not LawDocument.objects.exists()
    leo.post(f"{page}/sign", {**typed, "document": SimpleUploadedFile("报告 1.pdf", b"%PDF-1.7 x")})

    paper = LawDocument.objects.get()
    answer = leo.get(f"{page}/documents/{paper.pk}")
    assert (answer.content, answer["Content-Type"]) == (b"%PDF-1.7 x", "application/pdf")
    assert answer["Content-Disposition"].startswith("attachment")


def test_the_life_after_publication(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = published(ready(), clock)
    client = games.client_of("mia")
    page, rules = f"/console/games/{campaign.public_id}", f"/rules/{campaign.public_id}"
    tier = PrizeTier.objects.get()
    form = client.get(f"{page}/change").context["form"]
    typed = {name: str(form[name].value()) for name in form.fields} | {"reason": "Holidays"}

    assert client.post(f"{page}/change", typed).status_code == 422  # nothing is changed
    assert client.post(f"{page}/change", {**typed, f"days_{tier.pk}": "29"}).status_code == 422  # only upwards
    client.post(f"{page}/change", {**typed, f"days_{tier.pk}": "60", "how_en": "Scan and scratch."})
    client.post(f"{page}/change/apply")
    assert campaign.versions.count() == 1  # nobody has approved
    games.client_of("olu", "owner")
    games.approve("ola", at=clock.at)
    games.approve("olu", at=clock.at)
    client.post(f"{page}/change/apply")

    assert campaign.versions.count() == 2
    tier.refresh_from_db()
    assert tier.claim_days == 60
    now_page, first = client.get(rules), client.get(f"{rules}/v1")
    changed = {one.path: (one.before, one.after) for one in now_page.context["changed"]}
    assert changed["prizes.1.claim_days"] == ("30", "60")
    assert changed["terms.texts.en.how"] == ("how en", "Scan and scratch.")
    assert (now_page.context["is_signed"], first.context["is_current"], first.context["is_signed"]) == (
        True,
        False,
        True,
    )
    kept = RulesVersion.objects.get(campaign=campaign, n=1)
    assert client.get(f"{rules}/v1.json").content == bytes(kept.content)
    assert client.get(f"{rules}/v9").status_code == 404
    assert client.get(f"{rules}/v99999.json").status_code == 404

    reason = {"reason": "The press made a mistake.", "typed": campaign.public_id}
    assert client.post(f"{page}/halt", {**reason, "typed": "no"}).status_code == 422
    client.post(f"{page}/halt", reason)
    games.approve("ola", at=clock.at)
    client.post(f"{page}/halt", reason)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halt_reason) == ("halted", "The press made a mistake.")
    assert b"The press made a mistake." in client.get(rules).content


@pytest.mark.parametrize("witness", [False, True])
def test_a_closed_game_is_revealed_on_its_page(clock: Clock, *, witness: bool) -> None:
    s2, n2 = bytes(range(32)), bytes(range(32, 64))
    bound = {"witness": prf.committed(s2, n2)} if witness else {}
    secrets = {"s2": s2, "n2": n2} if witness else {}
    batch = make_batch(count=20)
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.published(world.instant(ranges, world.tier(1, 1), terms={"witness": witness}), **bound)
    world.opened(world.armed(campaign, **secrets))
    client, page, clock.at = games.client_of("mia"), f"/console/games/{campaign.public_id}", world.CLOSES
    typed = {name: value.hex() for name, value in secrets.items()}

    def revealed(by: Any, form: games.Typed) -> bool:
        by.post(f"{page}/reveal", form)
        campaign.refresh_from_db()
        return bool(campaign.state == "revealed")

    assert not revealed(client, typed)  # it is open
    arming.close_due(at=clock.at)
    assert not revealed(games.client_of("ann", "analyst"), typed)
    assert witness == (b's2"' in (shown := client.get(page).content))
    assert b"Reveal the game now" in shown
    if witness:
        assert not revealed(client, {})
        assert not revealed(client, {**typed, "s2": bytes(32).hex()})
    assert revealed(client, typed)
    assert campaign.bundles.get().kind == "reveal"
    assert b"Reveal the game now" not in client.get(page).content


def test_no_game_is_revealed_while_a_prize_waits(clock: Clock) -> None:
    batch = make_batch(count=2)
    campaign = world.open_game(batch, world.tier(1, 2))
    keys.load([campaign.pk])
    member = make_member()
    [label, _other] = labels_of(batch)
    ask = Ask(label_no=label, scan_id=1, account_id=member.account_id, member_id=member.pk, at=world.OPENS, slot=3)
    with transaction.atomic():
        world.play_all([ask])
    arming.close_due(at=world.CLOSES)
    clock.at, client = world.CLOSES, games.client_of("mia")

    client.post(f"/console/games/{campaign.public_id}/reveal")

    campaign.refresh_from_db()
    assert campaign.state == "closed"
    assert b"Reveal the game now" not in client.get(f"/console/games/{campaign.public_id}").content


def test_a_filing_pack_holds_what_an_authority_asks_for(clock: Clock) -> None:
    campaign = games.keep(
        START + timedelta(days=40),
        clock.at,
        goal={"places": ["us"]},
        prizes=games.prizes(games.prize(use="draw", market_price="5000.01", quantity="1"), currency="USD"),
        dates=games.dates(START + timedelta(days=40), reserve=""),
    )
    client = games.client_of("mia")
    client.get(games.step(campaign, "law"))
    games.stand_for_all(campaign, at=clock.at)
    published(campaign, clock)
    page = f"/console/games/{campaign.public_id}"

    answer = client.get(f"{page}/packs/us.zip")

    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        names = set(pack.namelist())
        assert pack.read("rules/v1.json") == bytes(RulesVersion.objects.get().content)
        assert b"us.ny_bond" in pack.read("checklist.csv")
    assert {"README.txt", "rules/v1.signature.json", "prizes.csv", "dates.csv", "winners.csv"} <= names
    assert sum(name.startswith("documents/") for name in names) == 3
    assert client.get(f"{page}/packs/fr.zip")["Location"] == page
    due = dict(Filing.objects.values_list("item", "due_on"))
    opens, closes = START + timedelta(days=40), START + timedelta(days=70)
    assert due["us.ny_bond"] == (opens - timedelta(days=30)).date()
    assert due["us.ny_winners"] == (closes + timedelta(days=90)).date()
    assert due["us.fl_winners"] == (closes + timedelta(days=60)).date()
    open_task = Filing.objects.get(item="us.ny_winners")
    client.post(f"{page}/filings/{open_task.pk}", {"note": "NY-2027-1"})
    open_task.refresh_from_db()
    assert (open_task.done_by, open_task.note) == ("mia", "NY-2027-1")


def test_live_figures_count_what_was_played(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = armed(published(ready(prizes=games.prizes(games.prize(quantity="10"))), clock), clock)
    arming.open_due(at=OPENS)
    clock.at = OPENS + timedelta(days=3)
    tier, pool = PrizeTier.objects.get(), Pool.objects.get()
    first = int(pool.ranges[0][0])
    account = make_member().account_id
    for place in range(6):
        won = place < 2
        Play.objects.create(
            id=place, label_no=first + place, scan_id=place, account_id=account, at=clock.at - timedelta(minutes=5 + 600 * place), campaign=campaign,
            pool=pool, tier=tier if won else None, outcome=1 if won else 0, version=1, over_budget=place == 0,
        )  # fmt: skip
    client = games.client_of("mia")
    assert b"beyond its counters" not in client.get("/console/").content
    BudgetSlot.objects.filter(budget__tier=tier).update(left=0)
    assert b"beyond its counters" in client.get("/console/").content
    BudgetSlot.objects.filter(budget__tier=tier, slot__gt=0, slot__lte=9).update(left=1)

    found = client.get(f"/console/games/{campaign.public_id}/live").context["found"]

    assert (found.plays, found.wins, found.a_minute, found.over_budget) == (6, 2, 0.1, 1)
    [one] = found.prizes
    assert (one.left, one.planned) == (9, 9)
    assert one.ends_on == (clock.at + timedelta(days=9 / (2 / 3))).astimezone(games.ZONE).date()
    part = client.get(f"/console/games/{campaign.public_id}/live", HTTP_HX_REQUEST="true")
    assert b"<html" not in part.content
    assert b"owed" in part.content
    table = client.get(f"/console/games/{campaign.public_id}/live?format=csv&of=days").content.decode()
    assert table.count("\n") == 5  # a head, and the four days since it opened
