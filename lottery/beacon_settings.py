"""Which beacon the settings name: drand quicknet, or in the demo and in tests a private chain of the same scheme."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from lottery.beacons import QUICKNET, Beacon


def default_beacon() -> Beacon:
    """Return the beacon that new rules name. Raises ImproperlyConfigured for a private chain in production."""
    if settings.DRAW_BEACON == "quicknet":
        return QUICKNET
    if settings.PRODUCTION:
        raise ImproperlyConfigured("production draws by drand quicknet only")
    from lottery import private_chain

    return private_chain.beacon()


def is_allowed(beacon: Beacon) -> bool:
    """Return whether rules may name this beacon here: production knows quicknet and public values typed by two persons."""
    if beacon.source == "drand":
        return beacon == QUICKNET
    return beacon.source == "manual" or not settings.PRODUCTION
