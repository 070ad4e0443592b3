"""Network addresses: whose they are, and the prefix under which we remember them."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_PREFIX_V4, _PREFIX_V6 = 24, 56


def client_ip(request: HttpRequest) -> str:
    """Return the caller's address; a forwarded one is believed only from the proxies that the settings list."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if address not in settings.TRUSTED_PROXIES or not hop.strip():
            break
        address = hop.strip()
    return address


def ip_prefix(address: str) -> str:
    """Return the /24 or /56 network of an address ("203.0.113.0/24"), or "" for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    length = _PREFIX_V4 if ip.version == 4 else _PREFIX_V6
    return str(ipaddress.ip_network(f"{ip}/{length}", strict=False))
