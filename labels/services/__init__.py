"""The verbs of labels: products, slots and orders, generation, activation, blocks; one module a noun.

Locks: an order takes the counter's row; activation and block take the batch's row. Both before any other row.
"""

from labels.services.activation import (
    AlreadyActive,
    NotOnSale,
    OfGoods,
    RangeOutsideBatch,
    UnderRecall,
    WrongGtin,
    activate,
    activate_ranges,
    bind_anew,
    cancel_activation,
    lock_batch_of,
    merged,
)
from labels.services.blocks import BlockIsFinal, NoSuchReason, block, lift
from labels.services.generation import ACTIVATE_WITHIN, JOB_KIND, NotReady, generate_batch, restart_generation
from labels.services.orders import (
    LEAST_ROLL,
    MAX_ORDER,
    MAX_ROLL,
    STRIPS,
    BadCount,
    BadRoll,
    OrderKeyReused,
    UnknownForm,
    order_batch,
    strips_of,
)
from labels.services.products import BadGtin, GtinTaken, change_product, create_product, gtin14
from labels.services.slots import FormsClash, OddsTooHigh, Quote, SlotsInUse, max_odds_of_brand, odds, quote, shred_root

__all__ = [
    "ACTIVATE_WITHIN",
    "JOB_KIND",
    "LEAST_ROLL",
    "MAX_ORDER",
    "MAX_ROLL",
    "STRIPS",
    "AlreadyActive",
    "BadCount",
    "BadGtin",
    "BadRoll",
    "BlockIsFinal",
    "FormsClash",
    "GtinTaken",
    "NoSuchReason",
    "NotOnSale",
    "NotReady",
    "OddsTooHigh",
    "OfGoods",
    "OrderKeyReused",
    "Quote",
    "RangeOutsideBatch",
    "SlotsInUse",
    "UnderRecall",
    "UnknownForm",
    "WrongGtin",
    "activate",
    "activate_ranges",
    "bind_anew",
    "block",
    "cancel_activation",
    "change_product",
    "create_product",
    "generate_batch",
    "gtin14",
    "lift",
    "lock_batch_of",
    "max_odds_of_brand",
    "merged",
    "odds",
    "order_batch",
    "quote",
    "restart_generation",
    "shred_root",
    "strips_of",
]
