"""Laws that hold for any input, checked on many made ones, always the same."""

from math import cos, radians, sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations import voc_file
from annotations.attributes import FLAGS, normalize
from annotations.model import Annotation, Box, Object
from annotations.values import NUMBER

many = settings(derandomize=True, max_examples=40, deadline=None, database=None)

plain = st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\") | st.just(" ")
legal = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
texts = st.text(legal | st.sampled_from("\t\n\x7f\x85<&>\"'"), max_size=12)
labels = st.text(plain, min_size=1, max_size=12).filter(
    lambda each: bool(each.strip()) and each[0] not in ".-"
)
names = st.lists(labels, min_size=1, max_size=3).map("/".join)
hundredths = st.integers(-9_999_999_99, 9_999_999_99).map(lambda n: n / 100)
near = st.integers(-20_00, 100_00).map(lambda n: n / 100)
angles = st.integers(-360_00, 720_00).map(lambda n: n / 100)
flags = st.booleans()


def boxes(edges: st.SearchStrategy[float]) -> st.SearchStrategy[Box]:
    """Boxes between edges, those without area included."""
    pairs = st.tuples(edges, edges).map(sorted)
    return st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), pairs, pairs)


def made(label: str, box: Box, pairs: dict[str, str], rotation: float, **more: object) -> Object:
    """An object whose attributes are spelled and ordered as they are when they are read."""
    attributes, _ = normalize(tuple(pairs.items()), rotation)
    return Object(label, box, rotation=rotation, attributes=attributes)._replace(**more)  # type: ignore[arg-type]


pairs = st.dictionaries(
    texts.filter(lambda each: bool(each) and each not in (*FLAGS, "rotation")), texts, max_size=3
)
anything = st.builds(
    made,
    labels,
    boxes(hundredths),
    pairs,
    st.just(0.0) | st.integers(0, 359_99).map(lambda n: n / 100),
    occluded=flags,
    truncated=flags,
    difficult=flags,
    pose=texts,
)
annotations = st.builds(
    Annotation,
    names,
    st.integers(0, 999_999_999),
    st.integers(0, 999_999_999),
    st.lists(anything, max_size=3).map(tuple),
)


@many
@given(annotations)
def test_a_picture_is_read_as_it_was_written(annotation: Annotation) -> None:
    assert voc_file.read(voc_file.write(annotation), "a.xml") == annotation


def test_a_carriage_return_is_read_as_it_was_written() -> None:
    car = Object("Car", Box(0, 0, 1, 1), attributes=(("note", "one\r\ntwo"),))
    annotation = Annotation("a.PNG", 9, 9, (car,))

    assert voc_file.read(voc_file.write(annotation), "a.xml") == annotation


@many
@given(st.floats(-9_999_999, 9_999_999))
def test_every_edge_is_a_number_as_python_writes_it(edge: float) -> None:
    assert NUMBER.fullmatch(repr(edge))


@many
@given(boxes(near), st.integers(1, 80), st.integers(1, 80))
def test_a_clipped_box_is_what_both_the_box_and_the_picture_hold(
    box: Box, width: int, height: int
) -> None:
    clipped = box.clipped(width, height)
    common = Box(max(box.xmin, 0), max(box.ymin, 0), min(box.xmax, width), min(box.ymax, height))

    assert clipped.empty == common.empty
    assert clipped.empty or clipped == common
    assert clipped.clipped(width, height) == clipped
    assert 0 <= clipped.xmin <= clipped.xmax <= width
    assert 0 <= clipped.ymin <= clipped.ymax <= height


@many
@given(boxes(near), angles)
def test_a_circumscribed_box_touches_all_turned_corners(box: Box, angle: float) -> None:
    x, y = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    turn, rise = cos(radians(angle)), sin(radians(angle))
    corners = [
        (x + (a - x) * turn - (b - y) * rise, y + (a - x) * rise + (b - y) * turn)
        for a in (box.xmin, box.xmax)
        for b in (box.ymin, box.ymax)
    ]
    xs, ys = zip(*corners, strict=True)
    around = box.circumscribed(angle)

    assert around == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-9)
    assert around == pytest.approx(box.circumscribed(angle + 180), abs=1e-9)
    assert box.circumscribed(0) == pytest.approx(box)
