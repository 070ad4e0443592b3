"""Signed ids of pages: they name what a press of a button is about, so that the same press twice is one attempt."""

import uuid
from dataclasses import dataclass

from django.core import signing
from django.db import connection

from labels.keys import audit_mac

VISIT_TOKEN_FOR_S = 30 * 60
CLAIM_TOKEN_FOR_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Target:
    """The label that a page is about: none on the page for typed codes."""

    serial: str | None = None
    gtin: str | None = None


def make_token(kind: str, target: Target | None = None) -> str:
    """Sign a fresh id for one page of one label of this brand."""
    target = target or Target()
    return signing.dumps([uuid.uuid4().hex, target.gtin, target.serial], salt=_salt(kind), compress=True)


def read_token(kind: str, token: str, target: Target, lives_s: int) -> str | None:
    """Return the id of a token of this page, or None if it is forged, stale or another label's."""
    try:
        token_id, gtin, serial = signing.loads(token, salt=_salt(kind), max_age=lives_s)
    except (signing.BadSignature, ValueError):
        return None
    return str(token_id) if (gtin, serial) == (target.gtin, target.serial) else None


def _salt(kind: str) -> str:
    return f"consumer:{connection.schema_name}:{kind}"


def request_id(kind: str, token: str, member_id: int | None, *typed: str) -> str:
    """Name one page, who acts in it and what was typed: the same again is the same attempt, a corrected code another."""
    content = "|".join([str(member_id), *typed])
    mac = audit_mac(b"page\x00" + content.encode())
    return f"{kind}:{token}:{mac.hex()[:16]}"
