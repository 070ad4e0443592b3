"""The rows of campaigns, prizes, instant games and draws; one file for each noun."""

from lottery.models.budget import Budget, BudgetSlot, CapUse, LimitUse
from lottery.models.campaign import Award, Campaign, RulesVersion, SignOff
from lottery.models.claim import Claim, ClaimDetails, ClaimDocument, ClaimMove, Payout, VoucherCode
from lottery.models.draw import BeaconValue, Bundle, Draw, Entry, FreeEntry, Pick, TypedValue
from lottery.models.game import Commitment, Play, Pool, PoolRange
from lottery.models.people import Exclusion, Household
from lottery.models.plan import Filing, LawDocument, Plan, RulesChange
from lottery.models.prize import PrizeTier

__all__ = [
    "Award",
    "BeaconValue",
    "Budget",
    "BudgetSlot",
    "Bundle",
    "Campaign",
    "CapUse",
    "Claim",
    "ClaimDetails",
    "ClaimDocument",
    "ClaimMove",
    "Commitment",
    "Draw",
    "Entry",
    "Exclusion",
    "Filing",
    "FreeEntry",
    "Household",
    "LawDocument",
    "LimitUse",
    "Payout",
    "Pick",
    "Plan",
    "Play",
    "Pool",
    "PoolRange",
    "PrizeTier",
    "RulesChange",
    "RulesVersion",
    "SignOff",
    "TypedValue",
    "VoucherCode",
]
