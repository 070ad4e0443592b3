"""Scheme 1: codes computed from label numbers, so that none is stored. Pure (docs/algorithms/codes.md)."""
