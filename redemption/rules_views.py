"""The public rules of a campaign with prizes: the text in force, every version for ever, and what proves them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.http import HttpResponse
from django.utils.translation import get_language, gettext as _
from django.views.decorators.http import require_safe

from common.canonical import canonical
from common.signing import is_signed
from lottery import law
from lottery.content import RULES_TAG
from lottery.models import Campaign, PrizeTier, RulesVersion
from lottery.rules import DOORS
from redemption.door import ConsumerRequest, consumer_page, missing, page

_SHOWN = 200  # letters of a changed value


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it was in the version before."""

    path: str
    before: str
    after: str


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Yield the values by which two JSON values differ; ``path`` names the place, as in "prizes.1.claim_days"."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            here = before[place] if place < len(before) else None
            there = after[place] if place < len(after) else None
            yield from differences(here, there, f"{path}.{place + 1}")
    elif before != after:
        yield Difference(path, _text(before), _text(after))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def game_rules(request: ConsumerRequest, campaign: Campaign, version: RulesVersion) -> HttpResponse:
    """Show one version of a campaign's rules, and whether it is the one in force."""
    versions = list(campaign.versions.order_by("n").only("n", "published_at", "reason", "campaign"))
    rules = json.loads(bytes(version.content))
    earlier = campaign.versions.filter(n=version.n - 1).first()
    changed = list(differences(json.loads(bytes(earlier.content)), rules)) if earlier else []
    chinese = (get_language() or "").startswith("zh")
    language = "zh" if chinese else "en"
    name = rules["name_zh"] if chinese else rules["name"]
    terms = rules["terms"]
    first = campaign.commitments.filter(kind=1).order_by("-attempt").first()
    pools = json.loads(bytes(first.content))["pools"] if first else []
    labels = sum(pool["n"] for pool in pools)
    context: dict[str, Any] = {
        "campaign": campaign,
        "name": name,
        "rules": rules,
        "texts": terms.get("texts", {}).get(language) or terms.get("texts", {}).get("en", {}),
        "version": version,
        "versions": versions,
        "is_current": version.n == versions[-1].n,
        "is_signed": is_signed(bytes(version.key), RULES_TAG, bytes(version.content), bytes(version.signature)),
        "changed": changed,
        "prizes": _prizes(campaign, rules, labels, chinese=chinese),
        "labels": labels,
        "draws": campaign.draws.order_by("number").defer("rules", "root_json", "excluded", "result"),
        "commitments": campaign.commitments.order_by("at", "pk"),
        "stated": _stated(rules, language),
        "enter": _ways(terms),
        "limits": _limits(terms),
        "doors": _doors(terms),
    }
    return page(request, "game_rules.html", title=f"{name} · v{version.n}", **context)


def _prizes(campaign: Campaign, rules: Mapping[str, Any], labels: int, *, chinese: bool) -> list[dict[str, Any]]:
    left = {
        (tier.use, tier.tier): tier.units_left
        for tier in campaign.tiers.annotate(units_left=Sum("budget__slots__left"))
    }
    return [
        {
            **prize,
            "shown": prize["name_zh"] if chinese else prize["name"],
            "use_shown": PrizeTier.Use(prize["use"]).label,
            "left": left.get((prize["use"], prize["tier"])) if prize["use"] == "instant" else None,
            "one_in": round(labels / prize["quantity"], 1)
            if labels and prize["quantity"] and prize["use"] == "instant"
            else None,
        }
        for prize in rules["prizes"]
    ]


def _stated(rules: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    """Return what the rules state because a country's law asks for it: label and words."""
    said = rules["terms"].get("law", {})
    found = []
    for place in rules["places"]:
        values = said.get(place, {})
        if not isinstance(values, Mapping):
            continue
        if place not in law.PLACES:
            found += [(place.upper(), text) for text in values.values()]
            continue
        texts = {row["field"]: row["text"][language] for row in law.country(place)["items"] if row["kind"] == "field"}
        found += [(texts.get(field, field), words) for field, words in values.items()]
    return [(label.rpartition(": ")[2].rpartition("：")[2].rstrip(".。"), words) for label, words in found]


def _ways(terms: Mapping[str, Any]) -> list[str]:
    """Return the ways into draws, as sentences."""
    enter = terms.get("enter", {})
    ways = []
    if enter.get("label"):
        ways.append(_("A redeemed code enters with weight %(n)s.") % {"n": enter["label"]})
    if enter.get("losing_play"):
        ways.append(_("A play that won nothing adds weight %(n)s.") % {"n": enter["losing_play"]})
    if enter.get("points_price"):
        ways.append(_("%(n)s points buy one unit of weight.") % {"n": enter["points_price"]})
    if enter.get("free"):
        ways.append(_("A free entry, without any purchase, has weight %(n)s.") % {"n": enter["free"]})
    return ways


def _doors(terms: Mapping[str, Any]) -> list[str]:
    """Return the doors at which codes take part, in words; none where every door is open."""
    names = {
        "web": _("the web page"),
        "api": _("an app or program"),
        "sms": _("text message"),
        "voice": _("telephone"),
    }
    return [names[door] for door in DOORS if door in terms.get("doors", [])]


def _limits(terms: Mapping[str, Any]) -> list[str]:
    acts = {"play": _("plays"), "entry": _("entries"), "win": _("wins")}
    subjects = {
        "member": _("member"),
        "phone": _("telephone number"),
        "device": _("device"),
        "household": _("household"),
        "payout": _("payout account"),
    }
    periods = {"hour": _("an hour"), "day": _("a day"), "all": _("in all")}
    return [
        _("For each %(subject)s at most %(most)s %(act)s %(period)s.")
        % {
            "subject": subjects[row["subject"]],
            "most": row["most"],
            "act": acts[row["act"]],
            "period": periods[row["period"]],
        }
        for row in terms.get("limits", [])
    ]


@require_safe
@consumer_page
def rules_version(request: ConsumerRequest, campaign: str, n: int) -> HttpResponse:
    """Show one version of the rules; each stays for ever."""
    found = _version(campaign, n)
    return missing(request) if found is None else game_rules(request, found.campaign, found)


@require_safe
@consumer_page
def rules_json(request: ConsumerRequest, campaign: str, n: int) -> HttpResponse:
    """Return a version's text byte for byte as it was hashed and signed."""
    found = _version(campaign, n)
    if found is None:
        return missing(request)
    answer = HttpResponse(bytes(found.content), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{found.campaign.public_id}-v{n}.json"'
    return answer


def _version(campaign: str, n: int) -> RulesVersion | None:
    if n > 32_767:
        return None
    return RulesVersion.objects.select_related("campaign").filter(campaign__public_id=campaign, n=n).first()
