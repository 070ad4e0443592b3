"""A beacon of our own for the demo and the tests, which have no network: the scheme of quicknet, signed on request.

Nobody need believe it: the verifier says "NOT the public drand network", and production refuses it. Signing needs the
package py-ecc (requirements/demo.txt): ``bls-unchained-g1-rfc9380`` is BLS12-381 with signatures in G1, the message
SHA-256(be64(round)) hashed to the curve as RFC 9380 says.
"""

import sys
from functools import cache
from hashlib import sha256
from types import ModuleType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from lottery.beacons import Beacon

GENESIS = 1_735_689_600  # 2025-01-01
_DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


@cache
def _curve() -> ModuleType:
    """Return py-ecc's BLS12-381.

    Importing it lifts the interpreter's limit of recursion a hundredfold, for good: after that a deeply nested JSON text
    from outside would end the process. The limit is put back; the sums here go some 300 calls deep.
    """
    limit = sys.getrecursionlimit()
    try:
        from py_ecc import optimized_bls12_381
        from py_ecc.bls import hash_to_curve, point_compression  # noqa: F401 - all of it is imported here
    except ImportError as error:
        raise ImproperlyConfigured("the private chain needs py-ecc: install requirements/demo.txt") from error
    finally:
        sys.setrecursionlimit(limit)
    return optimized_bls12_381


def _secret() -> int:
    """Return the chain's secret key, made from the settings so that every process has the same."""
    if settings.PRODUCTION:
        raise ImproperlyConfigured("production has no private chain")
    digest = sha256(b"zhenbiao private chain" + settings.SECRET_KEY.encode()).digest()
    order: int = _curve().curve_order
    return int.from_bytes(digest, "big") % (order - 1) + 1


@cache
def beacon() -> Beacon:
    """Return the private chain."""
    secret, curve = _secret(), _curve()
    from py_ecc.bls.point_compression import compress_G2

    first, second = compress_G2(curve.multiply(curve.G2, secret))
    key = (first.to_bytes(48, "big") + second.to_bytes(48, "big")).hex()
    return Beacon("private", sha256(b"private chain" + bytes.fromhex(key)).hexdigest(), key, GENESIS)


def sign(round_no: int) -> str:
    """Return the signature of a round, 96 hexadecimal digits."""
    secret, curve = _secret(), _curve()
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.bls.point_compression import compress_G1

    message = sha256(round_no.to_bytes(8, "big")).digest()
    point = hash_to_G1(message, _DST, sha256)  # type: ignore[arg-type]  # its annotation names the result
    return compress_G1(curve.multiply(point, secret)).to_bytes(48, "big").hex()
