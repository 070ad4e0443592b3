import json
import random
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from sms_gateway.segments import Parts, fold, parts_of
from tests import judges


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the pair does not fit the first part's last place
        ("茶" * 70, "UCS-2", 70, 1),
        ("茶" * 71, "UCS-2", 71, 2),
        ("茶" * 134, "UCS-2", 134, 2),
        ("茶" * 66 + "🎁" + "茶" * 66, "UCS-2", 134, 3),
        ("’" * 10, "UCS-2", 10, 1),
    ],
)
def test_parts_are_counted(text: str, encoding: Literal["GSM-7", "UCS-2"], units: int, count: int) -> None:
    assert parts_of(text) == Parts(encoding, units, count)


def test_typographic_marks_cost_nothing() -> None:
    assert parts_of(fold("“You’re right” – it’s\u00a0fine…")).encoding == "GSM-7"


@given(st.text(max_size=400))
def test_parts_hold_all_units(text: str) -> None:
    parts = parts_of(text)

    single, each = (160, 153) if parts.encoding == "GSM-7" else (70, 67)
    if parts.units <= single:
        assert parts.count == (1 if text else 0)
    else:
        assert parts.units <= parts.count * each


COUNT = """
const { SegmentedMessage } = require("sms-segments-calculator");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => {
  const message = new SegmentedMessage(text);
  return [message.encodingName, message.segmentsCount];
})));
"""
ALPHABETS = (
    "abcdefghij ABC 0123456789",
    "abc{}[]^~\\|€0123456789",
    "éèùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæß",
    "真标正品溪岚茶业，。",
    "真标🙂👍𝕳abc",
    "a真🙂€\n",
    "αβγáíóúýčšž",
)


def random_texts(count: int) -> list[str]:
    draw = random.Random(4)
    texts = ["a" * 160, "a" * 161, "€" * 80, "a" + "€" * 80, "真" * 70, "真" * 71, "🙂" * 35, "a" + "🙂" * 35]
    while len(texts) < count:
        alphabet = draw.choice(ALPHABETS)
        length = draw.choice(
            (draw.randrange(0, 20), draw.randrange(60, 80), draw.randrange(125, 170), draw.randrange(400))
        )
        texts.append("".join(draw.choices(alphabet, k=length + 1)))  # an empty message is never sent
    return texts


def test_parts_are_counted_as_twilio_counts_them() -> None:
    texts = random_texts(10_000)

    theirs = json.loads(judges.node(COUNT, json.dumps(texts)))

    ours = [[parts_of(text).encoding, parts_of(text).count] for text in texts]
    differing = [(text, our, their) for text, our, their in zip(texts, ours, theirs, strict=True) if our != their]
    assert differing == []
    assert {their[0] for their in theirs} == {"GSM-7", "UCS-2"}
