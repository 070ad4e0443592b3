"""The drawing of a partner's area."""

from hypothesis import given, strategies as st

from portal.area import LARGEST, MOST_NAMED, WIDTH, Place, draw

GUANGZHOU = Place("CN-440100", "Guangzhou", 23.12, 113.25, 40, 15_000_000)
SHENZHEN = Place("CN-440300", "Shenzhen", 22.55, 114.07, 10, 13_000_000)
SHAOGUAN = Place("CN-440200", "Shaoguan", 24.80, 113.58, 0, 3_000_000)


def test_north_is_up_east_is_right_and_bubbles_are_as_their_packs() -> None:
    drawing = draw([GUANGZHOU, SHENZHEN, SHAOGUAN])

    assert drawing
    first, second, third = drawing.dots
    assert [dot.place.name for dot in drawing.dots] == ["Guangzhou", "Shenzhen", "Shaoguan"]
    assert third.y < first.y < second.y
    assert first.x < second.x
    assert (first.radius, second.radius, third.radius) == (LARGEST, LARGEST / 2, 0)
    assert first.named


def test_fewer_than_two_places_are_no_drawing() -> None:
    assert draw([GUANGZHOU]) is None
    assert draw([GUANGZHOU, SHENZHEN]) is not None


PLACES = st.lists(
    st.builds(
        Place,
        code=st.text("0123456789", min_size=6, max_size=6),
        name=st.sampled_from(["Guangzhou", "广州市", "Xi", "Ürümqi"]),
        lat=st.floats(-60, 70),
        lon=st.floats(-170, 170),
        packs=st.integers(0, 500),
    ),
    min_size=2,
    max_size=40,
)


@given(PLACES)
def test_all_lies_within_the_frame(places: list[Place]) -> None:
    drawing = draw(places)

    assert drawing
    assert len(drawing.dots) == len(places)
    assert sum(dot.named for dot in drawing.dots) <= MOST_NAMED
    for dot in drawing.dots:
        assert dot.radius <= dot.x <= WIDTH - dot.radius
        assert dot.radius <= dot.y <= drawing.height - dot.radius
        assert not dot.named or dot.turned or dot.name_x < WIDTH
