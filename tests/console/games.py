"""A marketer's typing, step by step, for tests of the wizard."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.test import Client

from labels import manifests
from labels.models import Batch, Manifest
from lottery import law, services
from lottery.models import Campaign
from staff import approvals
from staff.models import Approval, User

ZONE = ZoneInfo("Asia/Shanghai")
Typed = dict[str, Any]


def local(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")


def client_of(name: str, role: str = "marketer") -> Client:
    user, _ = User.objects.get_or_create(username=name, defaults={"role": role})
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(user)
    return client


def goal(**more: Any) -> Typed:
    typed = {
        "name": "Spring scratch",
        "name_zh": "春茶刮刮乐",
        "kind": "both",
        "zone": "Asia/Shanghai",
        "places": ["cn"],
    }
    return {**typed, **more}


def prizes(*rows: Typed, currency: str = "CNY") -> Typed:
    typed: Typed = {"currency": currency, "prizes-TOTAL_FORMS": str(len(rows)), "prizes-INITIAL_FORMS": "0"}
    for number, row in enumerate(rows):
        typed |= {f"prizes-{number}-{name}": value for name, value in row.items()}
    return typed


def prize(**more: Any) -> Typed:
    usual = {
        "use": "instant", "kind": "goods", "name": "Tea set", "name_zh": "茶具", "quantity": "2", "unit_cost": "100",
        "market_price": "128.00", "delivery_cost": "9", "withheld_tax": "0", "claim_days": "30", "id_level": "1",
    }  # fmt: skip
    return {**usual, **more}


def doors(*limits: Typed, **more: Any) -> Typed:
    typed: Typed = {
        "label": "1", "losing_play": "0", "free": "1", "points_price": "0", "max_weight": "1000", "one_per": "who",
        "insiders_excluded": "on", "waves": "1", "regions": "", "limits-TOTAL_FORMS": str(max(len(limits), 1)),
        "limits-INITIAL_FORMS": "0", "limits-0-act": "play", "limits-0-subject": "member", "limits-0-period": "day",
    }  # fmt: skip
    for number, row in enumerate(limits):
        typed |= {f"limits-{number}-{name}": value for name, value in row.items()}
    return {**typed, **more}


def dates(opens: datetime, **more: Any) -> Typed:
    typed = {
        "opens_at": local(opens),
        "closes_at": local(opens + timedelta(days=30)),
        "first_close": local(opens + timedelta(days=61)),
        "times": "1",
        "every_days": "7",
        "beacon": "usual",
        "reserve": "on",
    }
    return {**typed, **more}


def texts() -> Typed:
    return {
        f"{word}_{language}": f"{word} {language}"
        for word in ("summary", "how", "contact")
        for language in ("en", "zh")
    }


def cost(**more: Any) -> Typed:
    return {"budget": "", "redeemed": "24", "claimed": "88", **more}


def law_cn() -> Typed:
    return {f"cn-{field}": "as stated" for field in _fields("cn")}


def plan(client: Client, batches: list[Batch], opens: datetime, **steps: Typed) -> Campaign:
    """Type a whole plan; ``steps`` replaces what is usual. Return the campaign."""
    client.post("/console/games/new", {**goal(), **steps.get("goal", {})})
    campaign = Campaign.objects.exclude(kind="points").latest("pk")
    usual = {
        "labels": {
            "batches": [str(batch.pk) for batch in batches],
            "pooling": "one",
            "winners": "",
            "points": "",
            "months": "24",
        },
        "prizes": prizes(prize()),
        "doors": doors(),
        "dates": dates(opens),
        "law": law_cn(),
        "texts": texts(),
        "cost": cost(),
    }
    for name, typed in usual.items():
        answer = client.post(step(campaign, name), steps.get(name, typed))
        assert answer.status_code == 302, (
            name,
            answer.context["form"].errors,
            answer.context.get("rows") and answer.context["rows"].errors,
        )
    return campaign


def keep(opens: datetime, at: datetime, **steps: Typed) -> Campaign:
    """Keep a whole plan without its pages: what is not in ``steps`` is as usual, for draws alone."""
    first = {**goal(kind="draw"), **steps.pop("goal", {})}
    campaign = services.start_plan(
        name="Spring", name_zh="春", kind=first["kind"], zone=first["zone"], typed=_lists(first), at=at, by="mia"
    )
    usual = {
        "labels": {"points": "", "months": "24"},
        "prizes": prizes(prize(use="draw")),
        "doors": doors(),
        "dates": dates(opens, reserve=""),
        "law": {f"{place}-{field}": "as stated" for place in first["places"] for field in _fields(place)},
        "texts": texts(),
        "cost": cost(),
    }
    for name, typed in usual.items():
        services.save_step(campaign.pk, name, _lists({**typed, **steps.get(name, {})}), at=at, by="mia")
    return campaign


def _lists(typed: Typed) -> dict[str, list[str]]:
    return {name: value if isinstance(value, list) else [value] for name, value in typed.items() if value != ""}


def _fields(place: str) -> list[str]:
    return [row["field"] for row in law.country(place)["items"] if row["kind"] == "field"]


def stand_for_all(campaign: Campaign, *, at: datetime, but: str = "") -> None:
    """Let a named person stand for all that wants it, papers included; ``but`` one item."""
    campaign.refresh_from_db()
    for item in services.checklist(campaign, at=at):
        if item.is_open and item.id != but and item.kind == "document":
            services.bring_document(
                campaign.pk, item.id, file_name="a.pdf", data=b"%PDF-1", name="L. Counsel", brought_by="leo", at=at
            )
        elif item.is_open and item.id != but and item.kind == "sign-off":
            services.sign_off(campaign.pk, item.id, name="L. Counsel", signed_by="leo", at=at)


def step(campaign: Campaign, name: str) -> str:
    return f"/console/games/{campaign.public_id}/plan/{name}"


def sign_all(client: Client, campaign: Campaign) -> None:
    """Sign all that is open, with papers, as the role legal."""
    page = client.get(step(campaign, "law"))
    for _place, rows in page.context["checks"]:
        for row in rows:
            if row["item"].is_open and row["item"].kind in {"sign-off", "document"}:
                typed: Typed = {"item": row["item"].id, "name": "L. Counsel"}
                if row["item"].kind == "document":
                    from django.core.files.uploadedfile import SimpleUploadedFile

                    typed["document"] = SimpleUploadedFile("paper.pdf", b"%PDF-1.7 paper", "application/pdf")
                client.post(f"/console/games/{campaign.public_id}/sign", typed)


def approve(by: str, *, at: datetime) -> Approval:
    """Approve the newest request that waits, as another person."""
    user = User.objects.get(username=by)
    row = approvals.waiting(at).latest("pk")
    with transaction.atomic():
        approvals.decide(row.pk, approved=True, by=user, at=at)
    return row


def make_manifests() -> None:
    for row in Manifest.objects.filter(root=None):
        manifests.make(row.pk)
