"""Public ids: a prefix that says the kind, and random symbols that say nothing."""

import base64
import uuid

SYMBOLS = 20


def new_public_id(prefix: str) -> str:
    """Return ``prefix_`` and 20 base32 symbols (lower case) of a random uuid: ``prd_4qk2…``."""
    return f"{prefix}_{base64.b32encode(uuid.uuid4().bytes).decode().lower()[:SYMBOLS]}"
