"""How the console names and colours what was answered: one word, one icon, one of three looks."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from redemption.rules import By, Door, Outcome


@dataclass(frozen=True, slots=True)
class Look:
    """A word for an answer, and its look: ok, wait, no, or "" for what says nothing about the goods."""

    word: Any
    look: str
    icon: str

    @property
    def fill(self) -> str:
        """The class of a bar in this look."""
        return f"f{self.look}" if self.look else "fm"


_OK, _WAIT, _NO, _QUIET = ("ok", "seal"), ("wait", "clock"), ("no", "octagon"), ("", "info")
REPEAT_SAME = Look(_("Repeat, same asker"), *_OK)
LOOKS = {
    Outcome.GENUINE_FIRST: Look(_("Genuine, first"), *_OK),
    Outcome.REDEEMED: Look(_("Redeemed"), "ok", "coin"),
    Outcome.GENUINE_REPEAT: Look(_("Repeat, someone else"), *_WAIT),
    Outcome.ALREADY_REDEEMED: Look(_("Already redeemed"), *_WAIT),
    Outcome.CAMPAIGN_EXHAUSTED: Look(_("Points given out"), *_QUIET),
    Outcome.ENDED: Look(_("Offer ended"), *_QUIET),
    Outcome.TYPO: Look(_("Mistyped"), *_QUIET),
    Outcome.UNKNOWN: Look(_("No such code"), *_NO),
    Outcome.NOT_RELEASED: Look(_("Not released"), *_NO),
    Outcome.RECALLED: Look(_("Recalled"), *_NO),
    Outcome.WITHDRAWN: Look(_("Withdrawn"), *_NO),
    Outcome.TOO_MANY_TRIES: Look(_("Too many tries"), *_QUIET),
}
DOORS = {Door.WEB: _("web"), Door.API: _("API"), Door.SMS: _("SMS"), Door.VOICE: _("voice")}
ORDER = list(LOOKS)


def look_of(outcome: Outcome, by: By | None) -> Look:
    """Return the look of an answer; a repeat by the same asker is nothing to worry about."""
    if outcome is Outcome.GENUINE_REPEAT and by is By.YOU:
        return REPEAT_SAME
    return LOOKS[outcome]
