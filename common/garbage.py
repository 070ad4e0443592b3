"""Collecting garbage, seldom: what serves thousands of requests a second makes few rings."""

import gc

AFTER = 50_000
"""A batch makes thousands of objects, which go by themselves: Python would look through the young ones every 700."""


def collect_seldom() -> None:
    """Leave alone what was loaded so far, and look for rings among new objects every ``AFTER`` of them."""
    gc.freeze()
    gc.set_threshold(AFTER)
