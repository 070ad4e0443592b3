"""What the telephone door says beside the answers: read out by default, or a brand's own recording (`Recording`)."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from brands.queries import base_url
from redemption.models import Recording
from sms_gateway.doors import Line, Play, Say


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. What names something that changes from call to call cannot be a recording."""

    name: Any
    words: Any
    recordable: bool = True


PROMPTS: dict[str, Prompt] = {
    "greeting": Prompt(_("Greeting"), _("Welcome to {brand}.")),
    "choose_first": Prompt(_("Choice of language, first of the line"), _("For English press 1.")),
    "choose_second": Prompt(_("Choice of language, second of the line"), _("For English press 2.")),
    "withheld": Prompt(
        _("Number withheld"),
        _("Your number is withheld. Your code will be checked, but it will not be redeemed and earns no points."),
    ),
    "enter_code": Prompt(
        _("Asking for the code"),
        _(
            "Please enter the code under the scratch layer, then press the hash key. "
            "To start over press star. For an agent press 0 and the hash key."
        ),
    ),
    "enter_again": Prompt(
        _("Asking for the code again"), _("Please enter the code again, then press the hash key.")
    ),
    "go_on": Prompt(_("Going on after a star"), _("Please go on.")),
    "silence": Prompt(_("Nothing was entered"), _("We have not heard any digits.")),
    "heard": Prompt(_("Before the digits are read back"), _("We have heard:")),
    "confirm": Prompt(
        _("After the digits were read back"), _("If that is right, press 1. To enter the code again, press 2.")
    ),
    "receipt": Prompt(_("Receipt, once more"), _("Once more, your receipt: {receipt}."), recordable=False),
    "after": Prompt(
        _("After the answer"),
        _(
            "To hear this again press star. To get it as a text message press 1. For another code press 2. "
            "For an agent press 0."
        ),
    ),
    "after_withheld": Prompt(
        _("After the answer, number withheld"),
        _("To hear this again press star. For another code press 2. For an agent press 0."),
    ),
    "texted": Prompt(_("Sent as a text message"), _("We have sent it to you as a text message.")),
    "given_up": Prompt(
        _("After three tries"),
        _("You can also send the code as a text message to this number. For an agent press 0."),
    ),
    "given_up_calls_only": Prompt(
        _("After three tries, on a line without messages"), _("For an agent press 0.")
    ),
    "agent": Prompt(_("Connecting to an agent"), _("We are connecting you.")),
    "no_agent": Prompt(
        _("No agent"), _("Nobody can be reached by this line. Please call {hotline}."), recordable=False
    ),
    "goodbye": Prompt(_("End of the call"), _("Thank you for calling. Goodbye.")),
}  # fmt: skip


def spoken(key: str, language: str, line: Line, **values: Any) -> Say | Play:
    """Return a prompt in a language: the line's own, the brand's recording, else words to be read out."""
    own = line.texts.get(language, {})
    if own.get(f"play_{key}"):
        return Play(own[f"play_{key}"])
    if PROMPTS[key].recordable:
        recording = _recordings().get((key, language))
        if recording:
            return Play(recording)
    with translation.override(language):
        words = own.get(key) or str(PROMPTS[key].words)
        return Say(words.format(brand=connection.tenant.message_name, **values), language)


def _recordings() -> dict[tuple[str, str], str]:
    rows = Recording.objects.values_list("prompt", "language", "public_id")
    return {
        (prompt, language): base_url() + reverse("consumer:recording", args=[public_id])
        for prompt, language, public_id in rows
    }
