"""Public values: stored only after their check, for ever. Whoever brings one (a relay, a person) is not trusted."""

import json
import re
import urllib.request
from collections.abc import Iterator
from datetime import date, datetime

from django.conf import settings
from django.utils.translation import gettext as _

from common.db import inside_transaction
from lottery import beacons
from lottery.beacons import Beacon
from lottery.errors import BadValue
from lottery.models import BeaconValue, TypedValue

_TIMEOUT_S = 10
_MOST_BYTES = 10_000
_KEY_STRING = re.compile(r"(?:(?:[0-9]{1,20}\.)+/)+")


def value_of(beacon: Beacon, round_no: int) -> bytes | None:
    """Return the stored bytes of a round, None while it is waited for."""
    found = BeaconValue.objects.filter(source=beacon.source, chain=beacon.chain, round=round_no)
    value = found.values_list("value", flat=True).first()
    return None if value is None else bytes(value)


def store(beacon: Beacon, round_no: int, signature: str, *, at: datetime, url: str = "", by: str = "") -> BeaconValue:
    """Check and store the signature of a round of drand or of a private chain; stored before, it is the same.

    Raises `BadValue`.
    """
    if beacon.source == "manual":
        raise BadValue(_("A value that is typed needs two persons."))
    try:
        value = beacons.check(beacon, round_no, signature)
    except beacons.BadValue as error:
        raise BadValue(_("This is not the value of round %(round)s.") % {"round": round_no}) from error
    return _keep(beacon, round_no, value, at=at, url=url, by=by)


@inside_transaction
def type_value(
    beacon: Beacon,
    round_no: int,
    text: str,
    *,
    published_on: date,
    url: str,
    by: str,
    at: datetime,
    image: bytes | None = None,
) -> BeaconValue | None:
    """Note a public value as one person read it (RFC 3797's key string); equal ones of two persons are stored.

    ``published_on``: the day of the numbers, equal as well. None while a second person is waited for. The caller holds a
    lock, so that two persons at once see each other. Raises `BadValue` for text of another form.
    """
    if beacon.source != "manual" or not _KEY_STRING.fullmatch(text):
        raise BadValue(
            _("Type the numbers as the rules say: each followed by a full stop, each source ended by a slash.")
        )
    row = TypedValue(
        chain=beacon.chain,
        round=round_no,
        text=text,
        published_on=published_on,
        url=url[:300],
        image=image,
        typed_by=by,
        at=at,
    )
    TypedValue.objects.bulk_create([row], ignore_conflicts=True)
    typed = TypedValue.objects.filter(chain=beacon.chain, round=round_no).order_by("id")
    mine = typed.get(typed_by=by)
    if (mine.text, mine.published_on) != (text, published_on):
        raise BadValue(_("You typed another value before. Another person must type it."))
    same = [row for row in typed if (row.text, row.published_on) == (text, published_on)]
    if len(same) < 2:
        return None
    return _keep(beacon, round_no, text.encode("ascii"), at=at, url=url, by=f"{same[0].typed_by}, {same[1].typed_by}")


def _keep(beacon: Beacon, round_no: int, value: bytes, *, at: datetime, url: str, by: str) -> BeaconValue:
    row = BeaconValue(
        source=beacon.source, chain=beacon.chain, round=round_no, value=value, url=url[:300], brought_by=by[:150], at=at
    )
    BeaconValue.objects.bulk_create([row], ignore_conflicts=True)
    found = BeaconValue.objects.get(source=beacon.source, chain=beacon.chain, round=round_no)
    if bytes(found.value) != value:
        raise BadValue(_("Another value of this round was stored before."))
    return found


def fetch(beacon: Beacon, round_no: int, *, at: datetime) -> BeaconValue | None:
    """Ask the relays for a round that is out, or sign it on the private chain; None if it is not to be had yet.

    Not inside a transaction. A relay that answers nonsense is passed over.
    """
    if at.timestamp() < beacon.time_of(round_no) or beacon.source == "manual":
        return None
    for signature, url in _offers(beacon, round_no):
        try:
            return store(beacon, round_no, signature, at=at, url=url, by="task")
        except BadValue:
            continue
    return None


def _offers(beacon: Beacon, round_no: int) -> Iterator[tuple[str, str]]:
    if beacon.source == "private":
        from lottery import private_chain

        if beacon == private_chain.beacon():
            yield private_chain.sign(round_no), ""
        return
    for relay in settings.DRAND_RELAYS:
        url = f"{relay}/{beacon.chain}/public/{round_no}"
        signature = _ask(url)
        if signature is not None:
            yield signature, url


def _ask(url: str) -> str | None:
    if not url.startswith("https://"):
        return None
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # nosec B310 - https only, the operator's own setting
            found = json.loads(answer.read(_MOST_BYTES))
        signature = found["signature"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return signature if isinstance(signature, str) else None
