"""The vectors of docs/algorithms/draws.md, and RFC 3797's own."""

from hashlib import md5
from uuid import UUID

import pytest

from lottery import prf
from lottery.beacons import QUICKNET, BadValue, check, key_string
from lottery.draw import Entry, Prize, listed, seed_of, select, who_of

SIGNATURE = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
BEACON = bytes.fromhex(SIGNATURE)
CAMPAIGN = UUID("00000000-0000-4000-8000-000000000c01")
S1, N1 = bytes(range(0x20)), bytes(range(0x20, 0x40))
LABELS = [(1000, 1001003)]
QUANTITIES = [1, 10, 1000]
TH = [(0x00000B05376429E6, 950517), (0x0000AB5F824D9C96, 924478), (0x00413C3F72AC8D79, 988373)]
K = "52e6d8b736cb194206b0bad3e63e5bcb470c2c544645bb1eb9851e477e4be590"  # pragma: allowlist secret


# --- the beacon ----------------------------------------------------------------------------------------------------


def test_a_round_of_quicknet() -> None:
    assert check(QUICKNET, 1000, SIGNATURE) == BEACON
    with pytest.raises(BadValue):
        check(QUICKNET, 1001, SIGNATURE)


@pytest.mark.parametrize(
    "text", ["", "zz" * 48, SIGNATURE.upper(), SIGNATURE[:-2], SIGNATURE + "\n", "0" * 96, "é" * 96]
)
def test_what_is_no_signature_is_refused_quietly(text: str) -> None:
    with pytest.raises(BadValue):
        check(QUICKNET, 1000, text)


def test_rounds_and_times() -> None:
    assert [QUICKNET.time_of(n) for n in (1, 2, 1000)] == [1692803367, 1692803370, 1692806364]
    for moment in range(1692803360, 1692803380):
        newest, coming = QUICKNET.round_at(moment), QUICKNET.first_round_from(moment)
        assert newest == 0 or QUICKNET.time_of(newest) <= moment < QUICKNET.time_of(newest + 1)
        assert QUICKNET.time_of(coming) >= moment
        assert coming == 1 or QUICKNET.time_of(coming - 1) < moment
    assert QUICKNET.first_round_from(0) == 1


# --- IW1 -----------------------------------------------------------------------------------------------------------


def test_iw1_secrets_and_key() -> None:
    assert prf.committed(S1, N1).hex() == "b219b0893f671011a4938dd788471bb414e0e56f8b6bded7d844e9674c1dddea"
    assert prf.game_key(s1=S1, s2=b"", beacon=BEACON, campaign=CAMPAIGN).hex() == K
    assert prf.pool_tag(CAMPAIGN, 1).hex() == "f5e9be4d0c0688b5"


def test_iw1_thresholds_over_1_000_003_labels() -> None:
    key, tag = bytes.fromhex(K), prf.pool_tag(CAMPAIGN, 1)

    found = prf.thresholds(key, tag, LABELS, QUANTITIES)

    assert prf.number(key, tag, 1000) == 0xCFB0FA2B441E2DA6
    assert found == TH
    assert prf.count(LABELS) == 1_000_003
    assert prf.tier_counts(key, tag, LABELS, found) == QUANTITIES


def test_iw1_counts_are_exact_over_10_000_019_labels() -> None:
    key, tag = bytes.fromhex(K), prf.pool_tag(CAMPAIGN, 2)
    spans, quantities = [(7, 6_000_007), (20_000_000, 24_000_019)], [1, 0, 500, 100_000]
    assert prf.count(spans) == 10_000_019

    found = prf.thresholds(key, tag, spans, quantities)

    assert prf.tier_counts(key, tag, spans, found) == quantities


# --- LD1 -----------------------------------------------------------------------------------------------------------


def ld1_entries() -> list[Entry]:
    key = bytes(range(32))
    members = [UUID(bytes=bytes([byte]) * 16) for byte in (1, 2, 3, 1, 4, 5, 6, 7)]
    weights = [1, 2, 3, 4, 5, 1, 10, 1]
    return [
        Entry(entry=no, who=who_of(key, member), weight=weight, src="points", ref=f"{no:032x}")
        for no, (member, weight) in enumerate(zip(members, weights, strict=True), 1)
    ]


def test_ld1_root_seed_and_picks() -> None:
    rules_hash = bytes.fromhex("dbbb9101b75a4699a8397590e75868098a3ac86dc9e24ca8dddad1cd83be09e1")
    entries = listed(ld1_entries())
    seed = seed_of(rules_hash=rules_hash, root=entries.root, beacon=BEACON)

    picks = select(seed=seed, entries=entries.entries, prizes=[Prize(1, 1, 2), Prize(2, 2, 2)], one_per="who")

    assert entries.root.hex() == "aaa8988275387c2df93a497017db1673911472a091bc14d390a6c3c12b882b10"
    assert seed.hex() == "f30dd8bc3e6d7393eaa16e997398c2d97166bf0112228a74ac107dc36ea34b70"
    assert [entries.entries[pick.index].entry for pick in picks] == [7, 5, 2, 4, 3, 8, 6]
    assert [(pick.tier, pick.unit, pick.role) for pick in picks] == [
        (1, 1, "winner"), (2, 1, "winner"), (2, 2, "winner"),
        (1, 1, "alternate"), (1, 2, "alternate"), (2, 1, "alternate"), (2, 2, "alternate"),
    ]  # fmt: skip
    assert picks[-1].tries == 77


# --- RFC 3797 ------------------------------------------------------------------------------------------------------


def test_rfc_3797_key_string_and_picks() -> None:
    """Section 6: the key string is ours; picks by MD5 as the RFC has them, to show that the string is read alike."""
    key = key_string([([9319], False), ([2, 5, 12, 8, 10], False), ([9, 18, 26, 34, 41, 45], True)])
    assert key == "9319./2.5.8.10.12./9.18.26.34.41.45./"

    pool, picks, digests = list(range(1, 26)), [], []
    for i in range(10):
        number = i.to_bytes(2, "big")
        digest = md5(number + key.encode() + number).digest()
        digests.append(digest.hex().upper())
        picks.append(pool.pop(int.from_bytes(digest, "big") % len(pool)))

    assert digests[0] == "990DD0A5692A029A98B5E01AA28F3459"
    assert picks == [17, 7, 2, 16, 25, 23, 8, 24, 19, 13]
