"""Why an attempt gets no answer: nothing was written for it, and it may be sent again."""

from common.errors import Conflict, Invalid
from common.problems import Unavailable


class KeyReused(Conflict):
    """Other content was sent under this request id before."""

    code = "key_reused"


class InProgress(Conflict):
    """A request with this id is still running. Ask again in a moment."""

    code = "in_progress"


class UnknownPartner(Invalid):
    """There is no such retailer or promoter."""

    code = "unknown_partner"


class WhoEarns(Invalid):
    """Name the consumer by exactly one of phone and asker."""

    code = "who_earns"


class TryLater(Unavailable):
    """We cannot answer now. Nothing was used up. Please send the same again in a few minutes."""


class AlreadyReversed(Conflict):
    """The redemption was taken back before."""

    code = "already_reversed"
