"""Messages, calls and what they cost, as rows of the brand."""

from sms_gateway.models.calls import Call, CallTurn
from sms_gateway.models.messages import (
    BODY_FIELD,
    FROM_FIELD,
    TEXT_FIELD,
    TO_FIELD,
    DeliveryReport,
    InboundMessage,
    OutboundMessage,
    SendTry,
    Suppression,
)
from sms_gateway.models.money import CountryRate, Spending, SpendingBudget, Subject

__all__ = [
    "BODY_FIELD",
    "FROM_FIELD",
    "TEXT_FIELD",
    "TO_FIELD",
    "Call",
    "CallTurn",
    "CountryRate",
    "DeliveryReport",
    "InboundMessage",
    "OutboundMessage",
    "SendTry",
    "Spending",
    "SpendingBudget",
    "Subject",
    "Suppression",
]
