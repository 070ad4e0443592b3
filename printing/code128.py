"""Code 128, set C (ISO/IEC 15417): pairs of digits, so that numbers of one length give bar codes of one width."""

from functools import cache

import numpy as np

from printing.stencil import Bytes

START_C, STOP = 105, 106
# Widths of bars and spaces, by value; the stop has a bar more.
_WIDTHS = [
    "212222",
    "222122",
    "222221",
    "121223",
    "121322",
    "131222",
    "122213",
    "122312",
    "132212",
    "221213",
    "221312",
    "231212",
    "112232",
    "122132",
    "122231",
    "113222",
    "123122",
    "123221",
    "223211",
    "221132",
    "221231",
    "213212",
    "223112",
    "312131",
    "311222",
    "321122",
    "321221",
    "312212",
    "322112",
    "322211",
    "212123",
    "212321",
    "232121",
    "111323",
    "131123",
    "131321",
    "112313",
    "132113",
    "132311",
    "211313",
    "231113",
    "231311",
    "112133",
    "112331",
    "132131",
    "113123",
    "113321",
    "133121",
    "313121",
    "211331",
    "231131",
    "213113",
    "213311",
    "213131",
    "311123",
    "311321",
    "331121",
    "312113",
    "312311",
    "332111",
    "314111",
    "221411",
    "431111",
    "111224",
    "111422",
    "121124",
    "121421",
    "141122",
    "141221",
    "112214",
    "112412",
    "122114",
    "122411",
    "142112",
    "142211",
    "241211",
    "221114",
    "413111",
    "241112",
    "134111",
    "111242",
    "121142",
    "121241",
    "114212",
    "124112",
    "124211",
    "411212",
    "421112",
    "421211",
    "212141",
    "214121",
    "412121",
    "111143",
    "111341",
    "131141",
    "114113",
    "114311",
    "411113",
    "411311",
    "113141",
    "114131",
    "311141",
    "411131",
    "211412",
    "211214",
    "211232",
    "2331112",
]


def width(digits: int) -> int:
    """Return how many modules the bar code of so many digits has, without quiet zones."""
    return 11 * (digits // 2 + 2) + 13


def modules(rows: Bytes) -> Bytes:
    """Return bar codes as rows of modules, 1 = dark; ``rows`` are ASCII digits, an even number of them."""
    pairs = (rows[:, 0::2] - ord("0")).astype(np.int64) * 10 + (rows[:, 1::2] - ord("0"))
    check = (START_C + (pairs * np.arange(1, pairs.shape[1] + 1)).sum(axis=1)) % 103
    start = np.full((len(rows), 1), START_C)
    values = np.concatenate([start, pairs, check[:, None]], axis=1)
    bars = _patterns()[values].reshape(len(rows), -1)
    stop = np.broadcast_to(np.array(_bars(_WIDTHS[STOP]), np.uint8), (len(rows), 13))
    return np.concatenate([bars, stop], axis=1)


@cache
def _patterns() -> Bytes:
    return np.array([_bars(widths) for widths in _WIDTHS[:STOP]], np.uint8)


def _bars(widths: str) -> list[int]:
    return [1 - place % 2 for place, width_ in enumerate(widths) for _ in range(int(width_))]
