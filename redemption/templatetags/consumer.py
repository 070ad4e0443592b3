"""Small parts of the consumer's pages: icons, the four outlines of a verdict, and how numbers and times are written."""

from datetime import date, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _, pgettext

register = template.Library()

ICONS = {
    "down": "m6 9.5 6 6 6-6",
    "export": "M12 3.5v11m-4-4 4 4 4-4M4.5 17v3.5h15V17",
    "file": "M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5M9 12.5h6M9 16h6",
    "flag": "M5.5 20.5v-17h12l-2.2 4.5 2.2 4.5h-12",
    "gift": "M4.5 11.5h15V20h-15zM3.5 7.5h17v4h-17zM12 7.5V20M12 7.5C7 7.5 6 3.5 8.5 3.3c2-.1 3 2 3.5 4.2"
    ".5-2.2 1.5-4.3 3.5-4.2 2.5.2 1.5 4.2-3.5 4.2",
    "key": "M11.7 15.5a3.7 3.7 0 1 1-7.4 0 3.7 3.7 0 0 1 7.4 0zM10.7 12.8l8-8M15.5 8l2.5 2.5",
    "left": "m14.5 6-6 6 6 6",
    "octagon": "M8.5 3.5h7l5 5v7l-5 5h-7l-5-5v-7zM9.2 9.2l5.6 5.6m0-5.6-5.6 5.6",
    "phone": "M5 4.5h4l1.8 4.6-2.3 1.7a11 11 0 0 0 4.7 4.7l1.7-2.3 4.6 1.8v4C11.5 20 4 12.5 5 4.5z",
    "pin": "M12 21c4.5-4.6 6.8-8 6.8-11A6.8 6.8 0 0 0 5.2 10c0 3 2.3 6.4 6.8 11z"
    "M14.4 10a2.4 2.4 0 1 1-4.8 0 2.4 2.4 0 0 1 4.8 0z",
    "right": "m9.5 6 6 6-6 6",
    "scan": "M4 8.5V4h4.5M15.5 4H20v4.5M20 15.5V20h-4.5M8.5 20H4v-4.5M4 12h16",
    "shield": "M12 3.5 19 6v5.5c0 4.2-2.8 7.3-7 9-4.2-1.7-7-4.8-7-9V6zM9 11.8l2.2 2.2 4-4.2",
    "store": "M4.5 10v9.5h15V10M3.5 8.5 5.5 4h13l2 4.5c0 1.4-1 2.3-2.1 2.3S16.2 10 16.2 8.5c0 1.5-.9 2.3-2.1 2.3"
    "S12 10 12 8.5c0 1.5-.9 2.3-2.1 2.3S7.8 10 7.8 8.5c0 1.5-.9 2.3-2.1 2.3S3.5 9.9 3.5 8.5z"
    "M9.5 19.5V14.5h5v5",
    "ticket": "M4 7h16v3.2a1.9 1.9 0 0 0 0 3.6V17H4v-3.2a1.9 1.9 0 0 0 0-3.6zM14 7.5v2m0 2v2m0 2v1.5",
    "tick": "m5 12.5 4.5 4.5L19 7.5",
    "undo": "M8.5 5 4.5 9l4 4M4.5 9H14a5.5 5.5 0 0 1 0 11H9",
    "clock": "M20.5 12a8.5 8.5 0 1 1-17 0 8.5 8.5 0 0 1 17 0zM12 7.2V12l3.2 2",
    "user": "M15.7 8.5a3.7 3.7 0 1 1-7.4 0 3.7 3.7 0 0 1 7.4 0zM4.8 20c.5-3.7 3.2-6 7.2-6s6.7 2.3 7.2 6",
    "wallet": "M4 7.5h16v12H4zM4 7.5 15 4v3.5M20 11.5h-4a2 2 0 0 0 0 4h4",
}
_SEAL = (
    "M32 5.5A6.37 6.37 0 0 1 43.5 8.12A6.37 6.37 0 0 1 52.72 15.48A6.37 6.37 0 0 1 57.84 26.1A6.37 6.37 0 0 1 57.84 37.9"
    "A6.37 6.37 0 0 1 52.72 48.52A6.37 6.37 0 0 1 43.5 55.88A6.37 6.37 0 0 1 32 58.5A6.37 6.37 0 0 1 20.5 55.88"
    "A6.37 6.37 0 0 1 11.28 48.52A6.37 6.37 0 0 1 6.16 37.9A6.37 6.37 0 0 1 6.16 26.1A6.37 6.37 0 0 1 11.28 15.48"
    "A6.37 6.37 0 0 1 20.5 8.12A6.37 6.37 0 0 1 32 5.5Z"
)
MARKS = {
    "ok": f'<path class="mo" d="{_SEAL}"/><path class="mi" d="m20.5 33 8 8 15.5-17"/>',
    "wait": '<circle class="mo" cx="32" cy="32" r="29"/><path class="mi" d="M32 17.5V32l9.5 6"/>',
    "no": '<path class="mo" d="M20.5 4h23L60 20.5v23L43.5 60h-23L4 43.5v-23z"/>'
    '<path class="mi" d="m22.5 22.5 19 19m0-19-19 19"/>',
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the set; the word beside it carries the meaning."""
    return format_html('<svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>', ICONS[name])


@register.simple_tag
def mark(look: str) -> SafeString:
    """Draw the outline of a verdict: seal with tick, round clock, octagon with cross."""
    return mark_safe(f'<svg class="mark" viewBox="0 0 64 64" aria-hidden="true">{MARKS[look]}</svg>')  # noqa: S308


@register.simple_tag
def rose() -> SafeString:
    """Draw the guilloche lines of a printed label."""
    turns = "".join(f'<use href="#e" transform="rotate({angle})"/>' for angle in range(9, 180, 9))
    return mark_safe(  # noqa: S308
        '<svg class="rose" viewBox="-150 -150 300 300" aria-hidden="true">'
        f'<g><ellipse id="e" rx="146" ry="62"/>{turns}</g></svg>'
    )


@register.simple_tag
def tries(left: int, of: int = 5) -> SafeString:
    """Draw the tries left as filled dots."""
    dots = "".join(
        f'<circle{"" if spot < left else " class=off"} cx="{6 + 16 * spot}" cy="6" r="{5 if spot < left else 4.5}"/>'
        for spot in range(max(left, of))
    )
    width = 16 * max(left, of)
    return mark_safe(  # noqa: S308
        f'<svg width="{width}" viewBox="0 0 {width} 12" aria-hidden="true">{dots}</svg>'
    )


@register.filter
def fours(code: str | None) -> str:
    """Write a code in groups of four: 4821 0937 5567."""
    plain = (code or "").replace(" ", "").replace("-", "")
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))


@register.filter
def points(value: int) -> str:
    """Write whole points with thousands commas and a true minus."""
    return f"{value:,}".replace("-", "−")


@register.filter
def change(value: int) -> str:
    """Write a change of points with its sign."""
    return f"+{value:,}" if value > 0 else points(value)


@register.filter
def day(value: date | datetime | None) -> str:
    """Write a day as people of the page's language do; a moment counts in the brand's zone."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return date_format(value, pgettext("date format", "j M Y"))


@register.filter
def last_day(until: datetime) -> str:
    """Write the last day before a moment that ends a period."""
    return day(until - timedelta(seconds=1))


@register.filter
def moment(value: datetime | None) -> str:
    """Write a day with its time in the brand's zone; today is called so."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    if local.date() == timezone.localdate():
        return _("Today {time}").format(time=f"{local:%H:%M}")
    return date_format(local, pgettext("date format", "j M Y, H:i"))


@register.filter
def tel(number: str) -> str:
    """Return a telephone number as its link wants it."""
    return "".join(sign for sign in number if sign.isdigit() or sign == "+")
