"""The verbs of labels: order, generate, activate, block."""

from datetime import date, datetime

from labels.models import Activation, Batch, Block, Product


def create_product(
    *, gtin: str, name: str, name_zh: str, sku: str = "", description: str = "", description_zh: str = "", at: datetime
) -> Product:
    """Make a product."""
    raise NotImplementedError


def order_batch(
    *,
    order_key: str,
    product: Product,
    count: int,
    secret_form: str = "N16",  # noqa: S107
    at: datetime,
    asked_by: str = "",
    max_odds: float | None = None,
    test_series: bool = False,
) -> Batch:
    """Order labels, once per ``order_key``."""
    raise NotImplementedError


def generate_batch(batch_id: int) -> None:
    """Prove a batch's codes and open it (the task's body). Can be run again at any point."""
    raise NotImplementedError


def activate(
    *,
    label_range: tuple[int, int],
    product: Product,
    at: datetime,
    lot: str = "",
    expires_on: date | None = None,
    market: str = "",
    valid_until: date | None = None,
    document: str = "",
    asked_by: str = "",
) -> Activation:
    """Put labels ``[first, end)`` on sale."""
    raise NotImplementedError


def cancel_activation(activation: Activation, *, at: datetime, asked_by: str = "") -> None:
    """Take an activation back."""
    raise NotImplementedError


def block(
    *,
    label_range: tuple[int, int],
    reason: str,
    at: datetime,
    spares_redeemed: bool | None = None,
    note: str = "",
    asked_by: str = "",
) -> Block:
    """Block labels ``[first, end)``."""
    raise NotImplementedError


def lift(block: Block, *, at: datetime, asked_by: str = "") -> None:
    """Lift a reversible block."""
    raise NotImplementedError
