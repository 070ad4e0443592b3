"""Where a network address seems to be: a port, and readers of the two kinds of file that an operator may supply.

The file is named by the setting `IP_PLACES_FILE` and is read again when it was replaced. Without one, nothing is known
and nothing fails. What is told is evidence of a province at best: gateways of mobile networks stand 200 km away.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from django.conf import settings

from common.operator_file import Loaded, OperatorFile, Unusable


class IpPlace(NamedTuple):
    """What a file says of an address. ``province``: a code of ISO 3166-2 without its country, or a name; "" unknown."""

    country: str = ""
    province: str = ""
    city: str = ""
    lat: float | None = None
    lon: float | None = None
    radius_km: float = 0.0
    network: str = ""


class IpLocator(Protocol):
    """A file of places. ``built_at``: when it was made, as it says itself."""

    version: str
    built_at: datetime | None

    def locate(self, ip: str) -> IpPlace | None:
        """Return where an address is, None if nothing is known of it or it is no address."""


class MmdbLocator:
    """A file in the MaxMind DB format (.mmdb), as of GeoIP2 City and its like."""

    def __init__(self, path: Path) -> None:
        import maxminddb

        self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        told = self._reader.metadata()
        self.version = told.database_type
        self.built_at: datetime | None = datetime.fromtimestamp(told.build_epoch, UTC)

    def locate(self, ip: str) -> IpPlace | None:
        """Return where an address is."""
        try:
            found: Any = self._reader.get(ip)
        except ValueError:
            return None
        if not isinstance(found, dict):
            return None
        country = found.get("country") or {}
        parts = found.get("subdivisions") or [{}]
        city, at, traits = found.get("city") or {}, found.get("location") or {}, found.get("traits") or {}
        names = city.get("names") or {}
        return IpPlace(
            country=country.get("iso_code", ""),
            province=parts[0].get("iso_code") or (parts[0].get("names") or {}).get("en", ""),
            city=names.get("zh-CN") or names.get("en", ""),
            lat=at.get("latitude"),
            lon=at.get("longitude"),
            radius_km=float(at.get("accuracy_radius") or 0),
            network=str(traits.get("connection_type") or traits.get("user_type") or ""),
        )


class XdbLocator:
    """A file in the format of ip2region (.xdb): country | province | city | operator, in Chinese."""

    def __init__(self, path: Path) -> None:
        from ip2region import searcher, util

        content = util.load_content_from_file(str(path))
        header = util.load_header_from_file(str(path))
        version = util.version_from_header(header)
        if version is None:
            raise ValueError("neither addresses of IPv4 nor of IPv6")
        self._search = searcher.new_with_buffer(version, content).search
        self.version = f"ip2region {header.version}, IPv{header.ipVersion or 4}"
        self.built_at: datetime | None = datetime.fromtimestamp(header.createdAt, UTC) if header.createdAt else None
        self._lock = threading.Lock()

    def locate(self, ip: str) -> IpPlace | None:
        """Return where an address is."""
        try:
            with self._lock:
                found = self._search(ip)
        except (ValueError, OSError, IndexError):
            return None
        parts = [part for part in found.split("|") if part not in {"", "0"}]
        if not parts:
            return None
        country, province, city, network, *_ = (*parts, "", "", "", "")
        return IpPlace("CN" if country == "中国" else country, province, city, network=network)


READERS: dict[str, Callable[[Path], IpLocator]] = {".mmdb": MmdbLocator, ".xdb": XdbLocator}


def _read(path: Path) -> IpLocator:
    reader = READERS.get(path.suffix)
    if reader is None:
        raise Unusable("neither .mmdb nor .xdb")
    return reader(path)


_file = OperatorFile("the file of places of addresses", _read)
forget = _file.forget


def loaded() -> Loaded[IpLocator]:
    """Return the file in use. Never fails."""
    return _file(settings.IP_PLACES_FILE)


def locate(ip: str) -> IpPlace | None:
    """Return where an address seems to be, as the operator's file tells; None without one."""
    locator = loaded().content
    if locator is None or not ip:
        return None
    return locator.locate(ip)
