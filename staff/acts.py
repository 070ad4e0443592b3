"""The acts that need two persons, as data: who decides about each, and how it and what it is about are called."""

from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _, pgettext_lazy

Name = str | Promise


class Act(NamedTuple):
    """``decides``: what somebody must be able to do (`staff.permissions.TABLE`) who decides about it."""

    decides: str
    name: Name


ACTS = {
    "staff.owner": Act("staff.edit", _("Change of an owner")),
    "labels.void": Act("labels.void", _("Void a batch")),
    "labels.activate": Act("labels.activate", _("Put labels on sale")),
    "labels.close": Act("labels.void", _("Close a batch")),
    "printing.handover": Act("printing.approve", _("Hand print files to a press")),
    "ledger.reverse": Act("ledger.reverse", _("Reverse transfers")),
    "redemption.reverse": Act("redemption.reverse", _("Take a redemption back")),
    "lottery.budget": Act("lottery.publish", _("Raise the budget of a campaign")),
    "lottery.claim": Act("claims.approve", _("Give a valuable prize")),
    "lottery.publish": Act("lottery.approve", _("Publish a campaign")),
    "lottery.arm": Act("lottery.approve", _("Arm a game")),
    "lottery.give_up": Act("lottery.approve", _("Give up a commitment")),
    "lottery.halt": Act("lottery.approve", _("Halt a campaign")),
    "lottery.amend": Act("lottery.approve", _("A new version of the rules")),
    "messages.budget": Act("messages.budget", _("Raise a limit of spending")),
}
# What a request is about, by the names under which its payload has it; others stand as they are.
FACTS: dict[str, Name] = {
    "batch": pgettext_lazy("approval", "Batch"),
    "campaign": pgettext_lazy("approval", "Campaign"),
    "change": pgettext_lazy("approval", "SHA-256 of the change"),
    "claim": pgettext_lazy("approval", "Claim"),
    "commitment": pgettext_lazy("approval", "Commitment"),
    "count": pgettext_lazy("approval", "How many labels"),
    "currency": pgettext_lazy("approval", "Currency"),
    "document": pgettext_lazy("approval", "Document"),
    "expires_on": pgettext_lazy("approval", "Expiry of the goods"),
    "file": pgettext_lazy("approval", "Kind of file"),
    "from": pgettext_lazy("approval", "From"),
    "hash": pgettext_lazy("approval", "SHA-256 of the rules"),
    "instead_of": pgettext_lazy("approval", "Instead of"),
    "key": pgettext_lazy("approval", "Key"),
    "labels": pgettext_lazy("approval", "Labels"),
    "lot": pgettext_lazy("approval", "Lot"),
    "market": pgettext_lazy("approval", "Market"),
    "name": pgettext_lazy("approval", "Name"),
    "not_by": pgettext_lazy("approval", "Not by"),
    "number": pgettext_lazy("approval", "Number of the batch"),
    "points": pgettext_lazy("approval", "Points"),
    "press": pgettext_lazy("approval", "Press"),
    "price": pgettext_lazy("approval", "Market price"),
    "print": pgettext_lazy("approval", "Print job"),
    "prize": pgettext_lazy("approval", "Prize"),
    "product": pgettext_lazy("approval", "Product"),
    "reason": pgettext_lazy("approval", "Reason"),
    "rolls": pgettext_lazy("approval", "Rolls"),
    "serial": pgettext_lazy("approval", "Serial"),
    "subject": pgettext_lazy("approval", "What is limited"),
    "template": pgettext_lazy("approval", "Template"),
    "template_sha256": pgettext_lazy("approval", "SHA-256 of the template"),
    "to": pgettext_lazy("approval", "To"),
    "transfer": pgettext_lazy("approval", "Transfer"),
    "user": pgettext_lazy("approval", "Account number"),
    "username": pgettext_lazy("approval", "User name"),
    "valid_until": pgettext_lazy("approval", "May be redeemed until"),
    "voice": pgettext_lazy("approval", "Which of the two voices"),
}


def name_of(kind: str) -> Name:
    """Return how an act is called; one that is not in the table stands as it is."""
    return ACTS[kind].name if kind in ACTS else kind


def facts_of(payload: dict[str, Any]) -> list[tuple[str, Name, Any]]:
    """Return what a request is about: (name in the payload, how it is called, value)."""
    return [(key, FACTS.get(key, key), value) for key, value in payload.items()]
