"""Who stands at the web door: a random cookie, a member who signed in here, the shop and promoter they came from.

All cookies are signed, HttpOnly, of one brand (its schema is part of the salt) and set only when a person acts.
The staff's session is another one; neither opens the other.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from django.conf import settings
from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponse

from channel.models import Partner
from members.models import Member
from redemption import work

ASKER_FOR = timedelta(days=365)
SIGNED_IN_FOR = timedelta(days=90)
FRESH_FOR = timedelta(minutes=15)
PARTNER_FOR = timedelta(days=7)
PROOF_FOR = work.LIVES
RECEIPTS_KEPT = 12
_PARTNER_NUMBER = re.compile(r"[A-Z0-9]{2,20}")

PartnerRole = Literal["retailer", "promoter"]
_ROLES: dict[str, PartnerRole] = {"retailer": "retailer", "promoter": "promoter"}


def _salt(name: str) -> str:
    return f"consumer:{connection.schema_name}:{name}"


def _cookie(name: str) -> str:
    return f"__Host-{name}" if settings.SECURE else name


@dataclass
class Visitor:
    """The person behind a request, read from cookies; what changes is written by `write`."""

    asker: str | None = None
    partners: dict[str, str] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    signed_in: tuple[str, int] | None = None
    proof: str = ""
    _changes: dict[str, tuple[Any, timedelta] | None] = field(default_factory=dict)

    @cached_property
    def member(self) -> Member | None:
        """The member who signed in on this device; none once erased. One query, when first asked for."""
        if self.signed_in is None:
            return None
        found = Member.objects.filter(public_id=self.signed_in[0])
        return found.exclude(state=Member.State.ERASED).first()

    def act(self) -> str:
        """Return the random cookie's value, making one if this is the first act."""
        if self.asker is None:
            self.asker = secrets.token_urlsafe(16)
            self._changes["asker"] = (self.asker, ASKER_FOR)
        return self.asker

    def sign_in(self, member: Member, at: datetime) -> None:
        """Remember the member on this device."""
        self.member, self.signed_in = member, (member.public_id, int(at.timestamp()))
        self._changes["member"] = (self.signed_in, SIGNED_IN_FOR)

    def sign_out(self) -> None:
        """Forget the member and all receipts on this device."""
        self.member = self.signed_in = None
        self.receipts = []
        self._changes["member"] = self._changes["receipts"] = None

    def is_fresh(self, at: datetime) -> bool:
        """Return whether the one-time code was given moments ago, as acts that cannot be undone ask."""
        if self.member is None or self.signed_in is None:
            return False
        return at - datetime.fromtimestamp(self.signed_in[1], tz=UTC) <= FRESH_FOR

    def keep_receipt(self, receipt_no: str | None) -> None:
        """Let this device open that receipt's page."""
        if receipt_no and receipt_no not in self.receipts:
            self.receipts = [receipt_no, *self.receipts][:RECEIPTS_KEPT]
            self._changes["receipts"] = (self.receipts, ASKER_FOR)

    def prove(self, challenge: str) -> None:
        """Remember the puzzle that this device has solved."""
        self.proof = challenge
        self._changes["proof"] = (challenge, PROOF_FOR)

    def come_from(self, role: PartnerRole, number: str) -> None:
        """Remember the shop or the promoter whose code was scanned."""
        self.partners[role] = number
        self._changes["partners"] = (self.partners, PARTNER_FOR)

    def forget_partners(self) -> None:
        """Forget shop and promoter."""
        self.partners = {}
        self._changes["partners"] = None

    def write(self, response: HttpResponse) -> None:
        """Set the cookies that changed."""
        for name, change in self._changes.items():
            if change is None:
                response.delete_cookie(_cookie(name), samesite="Lax")
                continue
            value, age = change
            response.set_cookie(
                _cookie(name),
                signing.dumps(value, salt=_salt(name), compress=True),
                max_age=age,
                secure=settings.SECURE,
                httponly=True,
                samesite="Lax",
            )


def _read(request: HttpRequest, name: str, age: timedelta) -> Any:
    raw = request.COOKIES.get(_cookie(name), "")
    try:
        return signing.loads(raw, salt=_salt(name), max_age=age) if raw else None
    except signing.BadSignature:
        return None


def visitor_of(request: HttpRequest) -> Visitor:
    """Read the visitor from the cookies; forged, stale or foreign ones count as none."""
    signed_in = _read(request, "member", SIGNED_IN_FOR)
    return Visitor(
        asker=_read(request, "asker", ASKER_FOR),
        partners=_read(request, "partners", PARTNER_FOR) or {},
        receipts=_read(request, "receipts", ASKER_FOR) or [],
        signed_in=(str(signed_in[0]), int(signed_in[1])) if signed_in else None,
        proof=_read(request, "proof", PROOF_FOR) or "",
    )


def role_of(partner: Partner) -> PartnerRole | None:
    """Return as whom a partner can be named at a redemption; a distributor cannot."""
    return _ROLES.get(partner.kind)


def is_partner_number(text: str) -> bool:
    """Return whether a text can be a partner's number at all."""
    return _PARTNER_NUMBER.fullmatch(text) is not None
