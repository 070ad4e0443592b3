"""The errors of campaigns: in each case nothing was written."""

from common.errors import Conflict, Forbidden, Invalid, NotFound


class BadCampaign(Invalid):
    """The campaign is not complete or contradicts itself."""

    code = "bad_campaign"


class NoSuchCampaign(NotFound):
    """There is no such campaign."""

    code = "campaign_not_found"


class CampaignState(Conflict):
    """The campaign's state does not allow that."""

    code = "campaign_state"


class LawOpen(Conflict):
    """Something that the law of a chosen country asks for is still open."""

    code = "law_open"


class NotYet(Conflict):
    """The public value that decides is not there yet."""

    code = "not_yet"


class NotReady(Conflict):
    """The labels of a pool are still being prepared."""

    code = "pool_not_ready"


class DrawState(Conflict):
    """The draw's state does not allow that."""

    code = "draw_state"


class NoSuchDraw(NotFound):
    """There is no such draw."""

    code = "draw_not_found"


class NoSuchEntry(NotFound):
    """There is no such entry."""

    code = "entry_not_found"


class BadEntry(Invalid):
    """That is no entry that the rules allow."""

    code = "bad_entry"


class MayNotTakePart(Forbidden):
    """You may not take part."""

    code = "may_not_take_part"


class LimitReached(Conflict):
    """The limit of the rules is reached."""

    code = "limit_reached"


class BadSecret(Invalid):
    """The secret is not the one that was committed to."""

    code = "bad_secret"


class BadValue(Invalid):
    """The public value did not pass its check."""

    code = "bad_value"


class KeysMissing(Exception):
    """Keys of these campaigns are not in memory: roll back, call `lottery.keys.load` with them, and try again."""

    def __init__(self, campaign_ids: set[int]) -> None:
        super().__init__(f"keys of campaigns {sorted(campaign_ids)} are not loaded")
        self.campaign_ids = campaign_ids


class NoSuchClaim(NotFound):
    """There is no such prize."""

    code = "claim_not_found"


class ClaimState(Conflict):
    """The prize has moved on, or its state does not allow that. Look at it again."""

    code = "claim_state"


class ClaimLate(Conflict):
    """The time to claim this prize is over."""

    code = "claim_late"


class BadClaim(Invalid):
    """Something that is needed for this prize is missing or cannot be read."""

    code = "bad_claim"


class BadStock(Invalid):
    """The file of codes cannot be taken."""

    code = "bad_stock"
