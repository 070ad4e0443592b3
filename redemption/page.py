"""What the consumer's page says about a receipt: one of three looks, a word, a line, and the one next step.

Reads nothing and decides nothing; the texts are those of docs/guide/consumer.md, shorter than an SMS because the page
has the receipt number, the product and the help beside them.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext as _, ngettext, pgettext

from brands.models import Brand
from redemption.messages import standing
from redemption.rules import By, Detail, Door, Outcome, Receipt
from redemption.templatetags.consumer import day

THEME_COLOURS = {"ok": "#0c6b45", "wait": "#ffc53d", "no": "#b3231f", "calm": "#ecece6"}
STATUS = {Outcome.TYPO: 400, Outcome.UNKNOWN: 404, Outcome.TOO_MANY_TRIES: 429}
TRIES_SHOWN_UP_TO = 10
_COLOUR = re.compile(r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The band: ``look`` is ok, wait, no (verdicts) or calm (grey: nothing is said about a label)."""

    look: str
    word: str
    line: str

    @property
    def theme_colour(self) -> str:
        return THEME_COLOURS[self.look]


def status_of(receipt: Receipt) -> int:
    """Return the HTTP status that carries the page of a receipt."""
    return STATUS.get(receipt.outcome, 200)


def is_yours(receipt: Receipt) -> bool:
    """Return whether the asker is the one who redeemed the label before."""
    return receipt.redeemed is not None and receipt.redeemed.by is By.YOU


def verdict_of(receipt: Receipt) -> Verdict:
    """Return look, word and line of a receipt, in the present language."""
    return Verdict(standing(receipt).value, *words_of(receipt))


def words_of(receipt: Receipt) -> tuple[str, str]:
    """Return the word and the line below it."""
    match receipt.outcome, receipt.detail:
        case Outcome.GENUINE_FIRST, _detail:
            return _("Genuine"), _("First check of this label")
        case Outcome.REDEEMED, _detail:
            return _("Genuine"), _("Redeemed: the points are yours")
        case Outcome.GENUINE_REPEAT, _detail:
            return _repeated(receipt)
        case Outcome.ALREADY_REDEEMED, _detail:
            return _spent(receipt)
        case Outcome.NOT_RELEASED, _detail:
            return _("Not released"), _("This label is not released for sale yet")
        case Outcome.RECALLED, _detail:
            return pgettext("verdict", "Recalled"), _("Do not use this product")
        case Outcome.WITHDRAWN, Detail.TEST_LABEL:
            return pgettext("verdict", "Sample"), _("This is a sample label. It is not for sale and earns nothing.")
        case Outcome.WITHDRAWN, Detail.STOLEN:
            return pgettext("verdict", "Withdrawn"), _("This label was withdrawn from sale")
        case Outcome.WITHDRAWN, _detail:
            return _("Not valid"), _("This label was withdrawn")
        case Outcome.ENDED, Detail.RETIRED:
            return _("Old series"), _("Codes of this series are no longer checked and earn no points")
        case Outcome.ENDED, _detail:
            return _("Genuine"), _ended(receipt)
        case Outcome.CAMPAIGN_EXHAUSTED, _detail:
            return _("Genuine"), _("All points of this offer are given out. Your code stays unused.")
        case Outcome.TYPO, _detail:
            return _("Read it again"), typo_text(receipt)
        case Outcome.UNKNOWN, Detail.MISMATCH:
            return _("Not a pair"), _("This is not the code of the label you scanned")
        case Outcome.UNKNOWN, _detail:
            return _("No such code"), _("We have not issued this number")
        case Outcome.TOO_MANY_TRIES, _detail if receipt.needs_work:
            return _("One moment"), _("Your phone shows first that it is no machine that guesses")
        case Outcome.TOO_MANY_TRIES, _detail:
            return _("Please wait"), wait_text(receipt)
    raise ValueError(receipt.outcome)


def _repeated(receipt: Receipt) -> tuple[str, str]:
    earlier = receipt.earlier
    count = earlier.count if earlier else 0
    if earlier is None or earlier.by is By.YOU or is_yours(receipt):
        line = ngettext(
            "You checked this label {count} time before", "You checked this label {count} times before", count
        )
        return _("Genuine"), line.format(count=count) if count else _("You redeemed this label yourself")
    line = ngettext(
        "The label is genuine, but was checked {count} time before",
        "The label is genuine, but was checked {count} times before",
        count,
    )
    return _("Checked before"), line.format(count=count)


def _spent(receipt: Receipt) -> tuple[str, str]:
    redeemed = receipt.redeemed
    if redeemed is None:
        return _("Redeemed before"), _("This code was redeemed before")
    if redeemed.by is By.YOU:
        line = _("You redeemed this code on {date}").format(date=day(redeemed.at))
        return pgettext("verdict", "Redeemed"), line
    place = place_name(redeemed.place)
    if place:
        line = _("This code was redeemed on {date} near {place}").format(date=day(redeemed.at), place=place)
    else:
        line = _("This code was redeemed on {date}").format(date=day(redeemed.at))
    return _("Redeemed before"), line


def _ended(receipt: Receipt) -> str:
    if receipt.ended_on is None:
        return _("The points offer has ended")
    return _("The points offer ended on {date}").format(date=day(receipt.ended_on))


def typo_text(receipt: Receipt) -> str:
    """Return what is wrong with a code that cannot be one."""
    if receipt.detail is Detail.SERIAL_TYPED:
        return _("That is the number beside the QR code. Please use the one under the scratch layer.")
    if receipt.detail is Detail.MALFORMED and receipt.want and receipt.got is not None:
        return _("The code has {want} digits, you typed {got}.").format(want=receipt.want, got=receipt.got)
    if receipt.by_serial:
        return _("One character seems wrong. Scan the label again, or compare each character with it.")
    return _("One digit seems wrong. Compare each digit with the label.")


def wait_text(receipt: Receipt) -> str:
    """Return when to come back, in the brand's zone."""
    if not receipt.retry_after_s:
        return _("Too many tries. Please come back later.")
    back = timezone.localtime(receipt.at + timedelta(seconds=receipt.retry_after_s))
    return _("Too many tries. Please try again after {time}.").format(time=f"{back:%H:%M}")


def code_error(receipt: Receipt) -> str:
    """Return what stands below the code's field after a refusal that can be mended, else nothing."""
    if receipt.outcome is Outcome.TYPO:
        return typo_text(receipt)
    if receipt.outcome is Outcome.UNKNOWN and receipt.detail is Detail.MISMATCH:
        return _("Use the code and the QR code of one and the same pack.")
    if receipt.outcome is Outcome.UNKNOWN:
        return _("1 and 7, 3 and 8 are easily mixed up.")
    return ""


def tries_left(receipt: Receipt) -> int | None:
    """Return the tries left where few enough are left to be worth saying."""
    left = receipt.tries_left
    return left if left is not None and left <= TRIES_SHOWN_UP_TO else None


def place_name(place: tuple[str, str] | None) -> str:
    """Return a city in the page's language."""
    return "" if place is None else place[1 if (get_language() or "").startswith("zh") else 0]


@dataclass(frozen=True, slots=True)
class Help:
    """A card with the hotline. ``look`` is no or wait."""

    look: str
    title: str
    text: str


def item_name(receipt: Receipt) -> str:
    """Return the product's name in the page's language."""
    if receipt.product is None:
        return ""
    chinese = (get_language() or "").startswith("zh")
    return (receipt.product.name_zh if chinese else receipt.product.name) or receipt.product.name


def door_name(door: Door) -> str:
    return {Door.WEB: _("web page"), Door.API: _("app"), Door.SMS: _("text message"), Door.VOICE: _("phone call")}[door]


def others_paid(receipt: Receipt) -> str:
    """Say what the shop and the promoter earned beside the consumer."""
    paid = {part.party: part.points for part in receipt.paid}
    retailer, promoter = paid.get("retailer", 0), paid.get("promoter", 0)
    if retailer and promoter:
        text = _("The shop earned {retailer} points, the promoter {promoter}.")
    elif retailer:
        text = _("The shop earned {retailer} points.")
    elif promoter:
        text = _("The promoter earned {promoter} points.")
    else:
        return ""
    return text.format(retailer=retailer, promoter=promoter)


def help_for(receipt: Receipt) -> Help | None:
    """Return the card with the hotline, where help is the next step."""
    match receipt.outcome, receipt.detail:
        case Outcome.UNKNOWN, Detail.MISMATCH:
            return Help("no", _("Both from one pack?"), _("Then keep the pack, and tell us where you bought it."))
        case Outcome.UNKNOWN, _detail:
            return Help(
                "no",
                _("Same on the label?"),
                _("Beware of a fake. Do not use the product, keep the pack, and tell us where you bought it."),
            )
        case Outcome.ALREADY_REDEEMED, _detail if not is_yours(receipt):
            return Help(
                "wait",
                _("Have you just scratched it?"),
                _("Then someone else used its code. Keep the pack, and tell us where you bought it."),
            )
        case Outcome.NOT_RELEASED, _detail:
            return Help("wait", _("Where did you get it?"), _("Keep the pack, and tell us where you bought it."))
        case Outcome.RECALLED, _detail:
            return Help(
                "no", _("What to do now"), _("Stop using the product, and call us. We tell you what comes next.")
            )
        case Outcome.WITHDRAWN, Detail.TEST_LABEL:
            return Help("wait", _("Found on a product?"), _("Samples are not for sale. Tell us where you found it."))
        case Outcome.WITHDRAWN, _detail:
            return Help("no", _("Where did you get it?"), _("Keep the pack, and tell us where you bought it."))
        case Outcome.ENDED, Detail.RETIRED:
            return Help("wait", _("Questions?"), _("We cannot check this series here any more. Please call us."))
        case Outcome.TOO_MANY_TRIES, _detail:
            return Help("wait", _("You cannot wait?"), _("Nothing was used up. Call us, and have the pack at hand."))
    return None


# --- style and script, inlined so that the first response is the whole page -----------------------------------------


def _static(name: str) -> str:
    return (Path(settings.BASE_DIR) / "static" / name).read_text()


def shorten(css: str) -> str:
    """Drop comments and blanks that mean nothing."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r"\s*([{};,])\s*", r"\1", css)
    return re.sub(r":\s+", ":", css).replace(";}", "}").strip()


@lru_cache(maxsize=1)
def base_style() -> str:
    """Return the tokens and the style of all consumer pages."""
    return shorten(_static("src/tokens.css") + _static("consumer.css"))


@lru_cache(maxsize=1)
def script() -> SafeString:
    """Return the script; pages work without it."""
    return mark_safe(_static("consumer.js"))  # noqa: S308 - our own file


@lru_cache(maxsize=1)
def scratch_script() -> SafeString:
    """Return the script that covers a result until it is scratched."""
    return mark_safe(_static("scratch.js"))  # noqa: S308 - our own file


@lru_cache(maxsize=1)
def work_script() -> SafeString:
    """Return the script that solves a puzzle, for the pages that ask one."""
    return mark_safe(_static("work.js"))  # noqa: S308 - our own file


def style_of(brand: Brand) -> SafeString:
    """Return the style with the brand's three variables. Colours that are none are left out; a logo is a data URI."""
    variables = [
        f"--{name}:{value}"
        for name, value in (("brand", brand.colour), ("on-brand", brand.on_colour))
        if _COLOUR.fullmatch(value)
    ]
    logo = brand.logo_svg.strip()
    if logo.startswith("<svg"):
        variables.append(f'--brand-logo:url("data:image/svg+xml,{quote(logo, safe=" =:/,;()-._")}")')
    own = f":root{{{';'.join(variables)}}}" if variables else ""
    return mark_safe(base_style() + own)  # noqa: S308 - colours by pattern, the logo percent-encoded
