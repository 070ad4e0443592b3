"""Keys of labels: derived from the brand's roots."""

import hashlib
import hmac

from common.keys import hkdf
from staff.keys import brand_uuid, root_key


def derive(root: bytes, brand: bytes, *, purpose: str, form: str, number: int = 0, generation: int = 0) -> bytes:
    """Return the key of one purpose, form, slot and generation: HKDF-SHA256, salted with the brand's uuid."""
    info = b"labelcode/v1\x00" + f"{purpose}\x00{form}\x00".encode()
    return hkdf(root, salt=brand, info=info + number.to_bytes(2, "big") + generation.to_bytes(2, "big"))


def audit_mac(data: bytes) -> bytes:
    """Return HMAC-SHA256 of ``data`` under the brand's audit key: for comparing what must not be stored."""
    key = derive(root_key(), brand_uuid(), purpose="audit", form="none")
    return hmac.new(key, data, hashlib.sha256).digest()
