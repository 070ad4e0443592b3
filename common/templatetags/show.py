"""How figures, times and codes look on every page. Built into all templates (settings.TEMPLATES)."""

from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from common.money import shown

register = template.Library()

MINUS, NOTHING = "\u2212", "\u2013"


@register.filter
def num(value: Any) -> str:
    """Return an integer with thousands commas and a true minus; "–" for None."""
    if value is None or value == "":
        return NOTHING
    return f"{int(value):,}".replace("-", MINUS)


@register.filter
def signed(value: Any) -> str:
    """Return a change: "+120", "−143", and "–" for none."""
    if not value:
        return NOTHING
    return f"{int(value):+,}".replace("-", MINUS)


@register.filter
def percent(part: Any, whole: Any) -> str:
    """Return ``part`` of ``whole`` as "90.8 %", or "–" where there is no whole."""
    return f"{100 * int(part) / int(whole):.1f} %" if whole else NOTHING


@register.filter
def chance(value: float | None) -> str:
    """Return a probability: "0.94"; never quite 0 or 1: "< 0.01", "> 0.99"; "–" for None."""
    if value is None:
        return NOTHING
    return "> 0.99" if value > 0.994 else "< 0.01" if value < 0.006 else f"{value:.2f}"


@register.filter
def money(minor: Any, currency: Any) -> str:
    """Return an amount in minor units of a currency: "¥ 1,280", "¥ 0.30"; "–" for None."""
    return NOTHING if minor is None else shown(int(minor), str(currency))


@register.filter
def groups(code: Any) -> str:
    """Return a code in groups of four: "4821 0937 5567"."""
    text = str(code or "")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _local(value: datetime | date) -> datetime | date:
    return timezone.localtime(value) if isinstance(value, datetime) and timezone.is_aware(value) else value


@register.filter
def day(value: datetime | date | None) -> str:
    """Return a day in the brand's zone: "22 Nov 2026"."""
    return date_format(_local(value), pgettext("date format", "j M Y")) if value else NOTHING


@register.filter
def moment(value: datetime | None) -> str:
    """Return a time in the brand's zone: "22 Nov 2026, 10:42"."""
    return date_format(_local(value), pgettext("date format", "j M Y, H:i")) if value else NOTHING


@register.filter
def moment_s(value: datetime | None) -> str:
    """Return a time with seconds in the brand's zone: "22 Nov 2026, 10:42:08"."""
    return date_format(_local(value), pgettext("date format", "j M Y, H:i:s")) if value else NOTHING


@register.filter
def brief(value: datetime | None) -> str:
    """Return a time in the brand's zone, its year only if it is not this one: "22 Nov 10:42"."""
    if not value:
        return NOTHING
    local = _local(value)
    if local.year != timezone.localdate().year:
        return moment(value)
    return date_format(local, pgettext("date format", "j M H:i"))


@register.filter
def place_of_zone(name: str) -> str:
    """Return the city that a time zone is named after: "Asia/Shanghai" → "Shanghai"."""
    return name.rpartition("/")[2].replace("_", " ")


@register.filter
def weekday(value: datetime | date | None) -> str:
    """Return a day of this year by its weekday: "Sunday 22 November"."""
    return date_format(_local(value), pgettext("date format", "l j F")) if value else NOTHING


@register.filter
def tenths(value: int | None) -> str:
    """Return a change given in tenths of a percent: "▲ 6.2 %"."""
    if value is None:
        return NOTHING
    return f"{'▼' if value < 0 else '▲'} {abs(value) / 10:.1f} %"


@register.filter
def sum_points(lines: Any) -> int:
    """Return the sum of the ``points`` of some lines."""
    return sum(line.points for line in lines)


@register.filter
def clock(value: datetime | None) -> str:
    """Return the time of day in the brand's zone: "10:42:08"."""
    return date_format(_local(value), "H:i:s") if value else NOTHING


@register.filter
def local_name(thing: Any) -> str:
    """Return ``name_zh`` to readers of Chinese where there is one, else ``name``."""
    from django.utils.translation import get_language

    chinese = (get_language() or "").startswith("zh")
    names = thing if isinstance(thing, dict) else {name: getattr(thing, name, "") for name in ("name", "name_zh")}
    return str((names.get("name_zh") if chinese else "") or names.get("name") or "")


@register.filter
def local_text(texts: Any) -> str:
    """Return the reader's of texts by language: ``{"en": …, "zh": …}``."""
    from django.utils.translation import get_language

    language = "zh" if (get_language() or "").startswith("zh") else "en"
    return str(texts.get(language) or texts.get("en") or "") if isinstance(texts, dict) else ""


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], **changes: Any) -> str:
    """Return this page's address with some of its query changed; None drops a part: ``{% here format="csv" %}``."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"{context['request'].path}?{query.urlencode()}" if query else str(context["request"].path)
