"""Every text that is sent to a telephone: its words in both languages, what it may name, how many parts it may take.

Written as an SMS says it, with the brand before it; the other doors leave the brand out. A brand may word a text anew
(`redemption.wording`); the facts that the four doors must agree on stay in it.
"""

import string
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _, ngettext_lazy, override

from lottery.told import PlayTold
from redemption.rules import By, Detail, Outcome, Receipt

# The longest value that each name may stand for, (English, Chinese): the texts are held to their parts with these.
LONGEST: dict[str, tuple[str, str]] = {
    "brand": ("B" * 18, "茗" * 8),
    "product": ("N" * 24, "茶" * 12),
    "place": ("P" * 20, "州" * 8),
    "hotline": ("+86 400 810 6666", "+86 400 810 6666"),
    "receipt": ("4821 0973 5526", "482109735526"),
    "points": ("9999999", "9999999"),
    "balance": ("99999999", "99999999"),
    "expiring": ("9999999", "9999999"),
    "n": ("88", "88"),
    "date": ("22 Nov 2026", "2026年11月22日"),
    "time": ("22 Nov 2026 11:42", "2026年11月22日 11:42"),
    "want": ("16", "16"),
    "got": ("15", "15"),
    "left": ("9", "9"),
    "prize": ("W" * 80, "奖" * 40),
    "won": ("9999999", "9999999"),
}
# What no wording may leave out where the text as delivered has it: all doors tell the same facts.
FACTS = frozenset(
    {"receipt", "points", "balance", "n", "date", "time", "want", "got", "left", "expiring", "prize", "won"}
)

ADDED = frozenset({"news", "play"})  # groups of sentences that follow an answer: the brand does not stand before them


@dataclass(frozen=True, slots=True)
class Text:
    """One text. ``plural``: the words depend on the number ``count_by``. ``most_parts``: of an SMS, 1 or 2."""

    name: Any
    words: Any
    most_parts: int = 1
    count_by: str = ""
    group: str = "outcome"
    key: str = field(default="", compare=False)

    def said(self, count: int = 0) -> str:
        """Return the words in the present language, names still in braces, the brand before them."""
        return str(self.words % count if self.count_by else self.words)

    @property
    def names(self) -> frozenset[str]:
        """What the words may name: all that the delivered text names, in either language."""
        found: set[str] = set()
        for language in ("en", "zh-hans"):
            with override(language):
                found |= names_in(self.said(2))
        return frozenset(found)

    @property
    def facts(self) -> frozenset[str]:
        """What every wording must name."""
        return self.names & FACTS


def names_in(template: str) -> frozenset[str]:
    """Return the names in braces. Raises ValueError for a brace that names nothing, or with a format of its own."""
    found = set()
    for _text, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise ValueError(template)
        found.add(name)
    return frozenset(found)


TEXTS: dict[str, Text] = {
    "genuine_first": Text(
        _("Genuine, first check"),
        _("{brand}: GENUINE. {product}, first check of this label. Receipt {receipt}"),
    ),
    "redeemed": Text(
        _("Redeemed"),
        _("{brand}: GENUINE. {product}. +{points} points, balance {balance}. Receipt {receipt}"),
    ),
    "repeat_you": Text(
        _("Genuine, checked before by the same person"),
        ngettext_lazy(
            "{brand}: GENUINE. You checked this label {n} time before, first on {date}. Receipt {receipt}",
            "{brand}: GENUINE. You checked this label {n} times before, first on {date}. Receipt {receipt}",
        ),
        count_by="n",
    ),
    "repeat_other": Text(
        _("Code genuine, checked before by somebody else"),
        ngettext_lazy(
            "{brand}: the code is genuine but was checked {n} time before, first on {date} near {place}. If that was "
            "not you, it may be a copy: call {hotline}. Receipt {receipt}",
            "{brand}: the code is genuine but was checked {n} times before, first on {date} near {place}. If that was "
            "not you, it may be a copy: call {hotline}. Receipt {receipt}",
        ),
        most_parts=2,
        count_by="n",
    ),
    "repeat_nowhere": Text(
        _("Code genuine, checked before by somebody else, place unknown"),
        ngettext_lazy(
            "{brand}: the code is genuine but was checked {n} time before, first on {date}. If that was not you, it "
            "may be a copy: call {hotline}. Receipt {receipt}",
            "{brand}: the code is genuine but was checked {n} times before, first on {date}. If that was not you, it "
            "may be a copy: call {hotline}. Receipt {receipt}",
        ),
        most_parts=2,
        count_by="n",
    ),
    "unused": Text(
        _("Label genuine, checked before, hidden code unused"),
        ngettext_lazy(
            "{brand}: genuine label, checked {n} time before, first on {date} near {place}. Its hidden code is unused: "
            "to be sure, send the code under the scratch layer. Receipt {receipt}",
            "{brand}: genuine label, checked {n} times before, first on {date} near {place}. Its hidden code is "
            "unused: to be sure, send the code under the scratch layer. Receipt {receipt}",
        ),
        most_parts=2,
        count_by="n",
    ),
    "unused_nowhere": Text(
        _("Label genuine, checked before, hidden code unused, place unknown"),
        ngettext_lazy(
            "{brand}: genuine label, checked {n} time before, first on {date}. Its hidden code is unused: to be sure, "
            "send the code under the scratch layer. Receipt {receipt}",
            "{brand}: genuine label, checked {n} times before, first on {date}. Its hidden code is unused: to be sure, "
            "send the code under the scratch layer. Receipt {receipt}",
        ),
        most_parts=2,
        count_by="n",
    ),
    "spent_you": Text(
        _("Redeemed before by the same person"),
        _("{brand}: you redeemed this code on {date}: +{points} points. Receipt {receipt}"),
    ),
    "spent_other": Text(
        _("Redeemed before by somebody else"),
        _(
            "{brand}: this code was redeemed on {date} near {place}. If you have just scratched it, keep the pack and "
            "call {hotline}. Receipt {receipt}"
        ),
        most_parts=2,
    ),
    "spent_nowhere": Text(
        _("Redeemed before by somebody else, place unknown"),
        _(
            "{brand}: this code was redeemed on {date}. If you have just scratched it, keep the pack and call "
            "{hotline}. Receipt {receipt}"
        ),
        most_parts=2,
    ),
    "not_released": Text(
        _("Not released"),
        _(
            "{brand}: this label is not released for sale yet. Keep the pack and tell us where you got it: "
            "{hotline}. Receipt {receipt}"
        ),
    ),
    "recalled": Text(
        _("Recalled"),
        _("{brand}: this product is RECALLED. Do not use it. Call {hotline}. Receipt {receipt}"),
    ),
    "withdrawn": Text(
        _("Withdrawn"),
        _("{brand}: this label was withdrawn and is not valid. Keep the pack and call {hotline}. Receipt {receipt}"),
    ),
    "stolen": Text(
        _("Withdrawn, stolen"),
        _(
            "{brand}: this label was withdrawn from sale. Keep the pack and tell us where you got it: {hotline}. "
            "Receipt {receipt}"
        ),
    ),
    "test_label": Text(
        _("Sample label"),
        _(
            "{brand}: this is a sample label. It is not for sale and earns nothing. Questions: {hotline}. "
            "Receipt {receipt}"
        ),
    ),
    "ended": Text(
        _("Genuine, offer ended"),
        _("{brand}: GENUINE. {product}. The points offer ended on {date}. Receipt {receipt}"),
    ),
    "retired": Text(
        _("Old series"),
        _(
            "{brand}: codes of this old series are no longer checked and earn no points. Questions: {hotline}. "
            "Receipt {receipt}"
        ),
    ),
    "exhausted": Text(
        _("Genuine, all points given out"),
        _(
            "{brand}: GENUINE. {product}. All points of this offer are given out; your code stays unused. "
            "Receipt {receipt}"
        ),
    ),
    "malformed": Text(
        _("Wrong number of digits"),
        _("{brand}: the code has {want} digits, you sent {got}. Please check and send it again."),
    ),
    "typo": Text(
        _("One digit wrong"),
        _("{brand}: one digit seems wrong. Please compare each digit with the label and send the code again."),
    ),
    "serial_typed": Text(
        _("Number beside the QR code sent"),
        _("{brand}: that is the number beside the QR code. Please use the one under the scratch layer."),
    ),
    "unknown": Text(
        _("No such code"),
        ngettext_lazy(
            "{brand}: no such code. Check each digit, send it again ({left} try left). If it is the same, beware of a "
            "fake: {hotline}. Receipt {receipt}",
            "{brand}: no such code. Check each digit, send it again ({left} tries left). If it is the same, beware of a "
            "fake: {hotline}. Receipt {receipt}",
        ),
        count_by="left",
    ),
    "mismatch": Text(
        _("Code of another label"),
        ngettext_lazy(
            "{brand}: this is not the code of the label you scanned. Use both from one pack ({left} try left) or call "
            "{hotline}. Receipt {receipt}",
            "{brand}: this is not the code of the label you scanned. Use both from one pack ({left} tries left) or "
            "call {hotline}. Receipt {receipt}",
        ),
        count_by="left",
    ),
    "too_many": Text(
        _("Too many tries"),
        _("{brand}: too many tries. Please try again after {time} or call {hotline}."),
    ),
    "try_later": Text(
        _("Cannot answer now"),
        _("{brand}: we cannot answer now. Nothing was used up. Please send the same code again in a few minutes."),
    ),
    # --- answers to messages that hold no code
    "one_code": Text(
        _("Two codes in one message"),
        _("{brand}: please send one code per message. Nothing was used up."),
        group="message",
    ),
    "help": Text(
        _("Help"),
        _(
            "{brand}: send the code under the scratch layer to earn points, or CHECK and the code. BALANCE: your "
            "points. STOP: no news. {hotline}"
        ),
        group="message",
    ),
    "balance": Text(_("Balance"), _("{brand}: you have {balance} points."), group="message"),
    "balance_expiring": Text(
        _("Balance, some points expire soon"),
        _("{brand}: you have {balance} points; {expiring} of them expire on {date}."),
        group="message",
    ),
    "no_points": Text(
        _("Balance of a number without points"),
        _("{brand}: you have no points yet. Send the code under the scratch layer of a label to earn some."),
        group="message",
    ),
    "welcome": Text(
        _("Signed up"),
        _("{brand}: welcome, you are a member with {balance} points. BALANCE: your points. STOP: no news."),
        group="message",
    ),
    "stopped": Text(
        _("News stopped"),
        _("{brand}: you get no more news. What you ask is still answered. Send START to get news again."),
        group="message",
    ),
    "started": Text(
        _("News started again"),
        _("{brand}: you get our news again. Send STOP to end them."),
        group="message",
    ),
    "language_set": Text(
        _("Language chosen"), _("{brand}: we answer you in English from now on."), group="message"
    ),
    "too_many_codes": Text(
        _("Too many one-time codes"),
        _("{brand}: too many sign-in codes were asked for. Please try again in an hour."),
        group="message",
    ),
    # --- added to the answer of a redemption whose label plays; together they take two parts at the most
    "play_won": Text(
        _("Prize won, to be claimed"), _("You won {prize}. Claim it in your wallet."), most_parts=2, group="play"
    ),
    "play_won_points": Text(
        _("Prize of points won"), _("You won {prize}: +{won} points."), most_parts=2, group="play"
    ),
    "play_won_coupon": Text(
        _("Coupon won"), _("You won {prize}. It is in your wallet."), most_parts=2, group="play"
    ),
    "play_no_prize": Text(_("No prize won"), _("No prize this time."), group="play"),
    "play_points_only": Text(_("Label earns points only"), _("This code earns points only, no prize."), group="play"),
    # --- added to an answer where it makes it no dearer
    "news_entered": Text(_("News: entered in a draw"), _("You are in the draw of {date}."), group="news"),
    "news_expiring": Text(
        _("News: points expire soon"), _("{expiring} points expire on {date}."), group="news"
    ),
}  # fmt: skip
for _key, _text in TEXTS.items():
    object.__setattr__(_text, "key", _key)
assert all(isinstance(text.words, Promise) or text.count_by for text in TEXTS.values())  # noqa: S101


def key_of(receipt: Receipt) -> str:
    """Return which text an answer is told by."""
    match receipt.outcome, receipt.detail:
        case Outcome.GENUINE_FIRST, _detail:
            return "genuine_first"
        case Outcome.REDEEMED, _detail:
            return "redeemed"
        case Outcome.GENUINE_REPEAT, _detail:
            return _repeat(receipt)
        case Outcome.ALREADY_REDEEMED, _detail:
            return "spent_you" if is_yours(receipt) else "spent_other" if place_of(receipt) else "spent_nowhere"
        case Outcome.NOT_RELEASED, _detail:
            return "not_released"
        case Outcome.RECALLED, _detail:
            return "recalled"
        case Outcome.WITHDRAWN, Detail.STOLEN:
            return "stolen"
        case Outcome.WITHDRAWN, Detail.TEST_LABEL:
            return "test_label"
        case Outcome.WITHDRAWN, _detail:
            return "withdrawn"
        case Outcome.ENDED, Detail.RETIRED:
            return "retired"
        case Outcome.ENDED, _detail:
            return "ended"
        case Outcome.CAMPAIGN_EXHAUSTED, _detail:
            return "exhausted"
        case Outcome.TYPO, Detail.SERIAL_TYPED:
            return "serial_typed"
        case Outcome.TYPO, Detail.MALFORMED if receipt.want is not None and receipt.want != receipt.got:
            return "malformed"
        case Outcome.TYPO, _detail:
            return "typo"
        case Outcome.UNKNOWN, Detail.MISMATCH:
            return "mismatch"
        case Outcome.UNKNOWN, _detail:
            return "unknown"
        case Outcome.TOO_MANY_TRIES, _detail:
            return "too_many"
    raise ValueError(receipt.outcome)


def _repeat(receipt: Receipt) -> str:
    if is_yours(receipt):
        return "repeat_you"
    key = "unused" if receipt.by_serial and receipt.secret_unused else "repeat"
    return f"{key}_nowhere" if place_of(receipt) is None else {"unused": "unused", "repeat": "repeat_other"}[key]


def play_key_of(play: PlayTold) -> str:
    """Return which text tells what a label's play came to."""
    if play.prize is None:
        return f"play_{play.outcome}"
    return {"points": "play_won_points", "coupon": "play_won_coupon"}.get(play.prize.kind, "play_won")


def is_yours(receipt: Receipt) -> bool:
    """Return whether what came before was the asker's own doing."""
    if receipt.redeemed:
        return receipt.redeemed.by is By.YOU
    return receipt.earlier is not None and receipt.earlier.by is By.YOU


def place_of(receipt: Receipt) -> tuple[str, str] | None:
    """Return the place that the text of an answer names, as (English, Chinese)."""
    if receipt.outcome is Outcome.ALREADY_REDEEMED:
        return receipt.redeemed.place if receipt.redeemed else None
    return receipt.earlier.first_place if receipt.earlier else None
