"""Which number belongs to whom, and by which account it reaches us. Kept in this process for ten seconds."""

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from brands.models import Brand, CarrierAccount, PhoneNumber, SlotLease, UnroutedMessage
from common.errors import Invalid
from common.kept import Kept
from common.keys import kek_provider


class BadAccount(Invalid):
    """The carrier account lacks something. See the operations manual, carriers."""

    code = "bad_account"


@dataclass(frozen=True, slots=True)
class Account:
    """A carrier account with its secrets in clear; what they are called is the adapter's business."""

    id: int
    name: str
    carrier: str
    sources: tuple[str, ...]
    secrets: Mapping[str, Any] = field(repr=False)

    def admits(self, address: str) -> bool:
        """Return whether a request may come from this address. Without a list of sources nothing may."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in ipaddress.ip_network(source, strict=False) for source in self.sources)


@dataclass(frozen=True, slots=True)
class Number:
    """One of our numbers, as the doors and carriers see it. ``brand`` is None on a shared one."""

    id: int
    e164: str
    account: Account
    brand: Brand | None
    base_url: str
    languages: tuple[str, ...]
    texts: Mapping[str, Mapping[str, str]]
    takes_texts: bool
    takes_calls: bool
    preference: int


class Directory:
    """All active numbers and accounts, as they stood at one moment."""

    def __init__(self) -> None:
        accounts = {row.pk: _account(row) for row in CarrierAccount.objects.filter(is_active=True)}
        self.by_path = {
            bytes(digest or b""): accounts[pk]
            for pk, digest in CarrierAccount.objects.filter(pk__in=accounts, path_digest__isnull=False).values_list(
                "pk", "path_digest"
            )
        }
        rows = PhoneNumber.objects.filter(is_active=True, account__in=accounts).select_related("brand")
        brands: dict[int, Brand] = {}
        self.numbers = [
            _number(row, accounts[row.account_id], row.brand and brands.setdefault(row.brand_id or 0, row.brand))
            for row in rows.order_by("preference", "pk")
        ]
        self.by_called = {(number.account.carrier, number.e164): number for number in reversed(self.numbers)}

    def number_called(self, carrier: str, e164: str) -> Number | None:
        """Return our number of that name with that carrier, or None."""
        return self.by_called.get((carrier, e164))

    def account_of_path(self, carrier: str, secret: str) -> Account | None:
        """Return the account whose webhooks have this secret in their path, or None."""
        found = self.by_path.get(hashlib.sha256(secret.encode()).digest())
        return found if found and found.carrier == carrier else None


directory: Kept[Directory] = Kept(lambda _key: Directory())


def forget_numbers() -> None:
    """Drop what is kept, after a change of numbers in this process."""
    directory.forget()


def number_called(carrier: str, e164: str) -> Number | None:
    """Return our number of that name with that carrier, or None."""
    return directory().number_called(carrier, e164)


def numbers_for(brand: Brand) -> list[Number]:
    """Return the numbers by which a brand may write, in its order of preference; shared ones after its own."""
    numbers = [number for number in directory().numbers if number.takes_texts]
    own = [number for number in numbers if number.brand and number.brand.pk == brand.pk]
    return own + [number for number in numbers if number.brand is None]


def numbers_of(brand: Brand) -> list[Number]:
    """Return every active number of a brand, for texts and for calls."""
    return [number for number in directory().numbers if number.brand and number.brand.pk == brand.pk]


def brand_with_schema(schema: str) -> Brand | None:
    """Return the brand of a schema: that of one of our numbers, else read anew."""
    known = (number.brand for number in directory().numbers if number.brand and number.brand.schema_name == schema)
    found = next(known, None)
    return found or (Brand.objects.filter(schema_name=schema).first() if schema.isidentifier() else None)


def brand_of_slot(form: str, slot: int) -> Brand | None:
    """Return the brand to which a platform-wide slot is lent, or None."""
    lease = SlotLease.objects.filter(form=form, number=slot, ended_at=None).select_related("brand").first()
    if lease is None:
        return None
    known = (number.brand for number in directory().numbers if number.brand and number.brand.pk == lease.brand_id)
    return next(known, lease.brand)


def keep_unrouted(
    *, carrier: str, message_id: str, number: str, sender_masked: str, length: int, slot: tuple[str, int] | None,
    language: str, answered: bool, at: datetime,
) -> tuple[UnroutedMessage, bool]:  # fmt: skip
    """Keep that a message to a shared number named no brand; one that comes again finds the first one's row.

    Return the row, and whether it is new.
    """
    form, lot = slot or ("", None)
    return UnroutedMessage.objects.get_or_create(
        carrier=carrier,
        message_id=message_id,
        defaults={
            "number": number,
            "sender_masked": sender_masked,
            "length": length,
            "form": form,
            "slot": lot,
            "language": language,
            "answered": answered,
            "received_at": at,
        },
    )


# --- writing -----------------------------------------------------------------------------------------------------------


def keep_account(
    name: str, *, carrier: str, secrets: Mapping[str, Any], at: datetime, sources: list[str] | None = None
) -> CarrierAccount:
    """Make an account or change it. A secret named "path" is what stands in the path of its webhooks.

    Raises `BadAccount` for sources that are no networks.
    """
    try:
        networks = [str(ipaddress.ip_network(source, strict=False)) for source in sources or []]
    except ValueError:
        raise BadAccount from None
    row = CarrierAccount.objects.filter(name=name).first() or CarrierAccount(name=name, created_at=at)
    row.carrier, row.sources = carrier, networks
    row.secrets_blob = kek_provider().wrap(json.dumps(dict(secrets)).encode(), _aad(row))
    path = secrets.get("path")
    row.path_digest = hashlib.sha256(path.encode()).digest() if path else None
    row.save()
    forget_numbers()
    return row


def keep_number(e164: str, *, account: CarrierAccount, brand: Brand | None, at: datetime, **fields: Any) -> PhoneNumber:
    """Make a number, or change it."""
    row, _created = PhoneNumber.objects.update_or_create(
        e164=e164,
        account=account,
        defaults={"brand": brand, **fields},
        create_defaults={"brand": brand, "created_at": at, **fields},
    )
    forget_numbers()
    return row


def change_number(number_id: int, **fields: Any) -> None:
    """Change how a number is used."""
    PhoneNumber.objects.filter(pk=number_id).update(**fields)
    forget_numbers()


def _aad(row: CarrierAccount) -> bytes:
    return b"carrier-account/v1" + row.uuid.bytes


def _account(row: CarrierAccount) -> Account:
    secrets = json.loads(kek_provider().unwrap(bytes(row.secrets_blob), _aad(row)))
    return Account(row.pk, row.name, row.carrier, tuple(row.sources), secrets)


def _number(row: PhoneNumber, account: Account, brand: Brand | None) -> Number:
    return Number(
        id=row.pk,
        e164=row.e164,
        account=account,
        brand=brand,
        base_url=(row.base_url or settings.PUBLIC_BASE_URL).rstrip("/"),
        languages=tuple(row.languages) or ("zh-hans", "en"),
        texts=row.texts,
        takes_texts=row.takes_texts,
        takes_calls=row.takes_calls,
        preference=row.preference,
    )
