"""Frames between keyframes, by the rule that CVAT uses (the corpus has its own results)."""

import pytest

from annotations import interpolation
from annotations.interpolation import Seen
from annotations.model import Box, Object
from stage.errors import StageError


def seen(
    number: int, x: float, *, visible: bool = True, rotation: float = 0, note: str = ""
) -> Seen:
    """A keyframe of a box at x."""
    attributes = (("keyframe", "true"), ("note", note))
    return Seen(
        number,
        visible,
        Object("Car", Box(x, 0, x + 10, 5), rotation=rotation, attributes=attributes),
    )


def edges(track: list[Seen]) -> dict[int, float]:
    """Number of a frame -> left edge, where the box is visible."""
    return {each.number: each.thing.box.xmin for each in track if each.visible}


def completed(*track: Seen, numbers: range = range(10)) -> list[Seen]:
    """Complete a track of a movie."""
    return interpolation.complete(list(track), numbers, "a.xml")


def test_a_box_moves_evenly_and_stays_after_its_last_keyframe() -> None:
    assert edges(completed(seen(2, 0), seen(5, 9), numbers=range(8))) == {
        2: 0,
        3: 3,
        4: 6,
        5: 9,
        6: 9,
        7: 9,
    }


def test_a_box_moves_towards_where_it_leaves_and_is_gone_until_it_comes_back() -> None:
    track = completed(seen(0, 0), seen(2, 8, visible=False), seen(5, 3), numbers=range(7))

    assert edges(track) == {0: 0, 1: 4, 5: 3, 6: 3}


def test_only_the_tasks_frames_are_made() -> None:
    track = completed(seen(1, 0), seen(10, 9), numbers=range(1, 14, 3))

    assert edges(track) == {1: 0, 4: 3, 7: 6, 10: 9, 13: 9}


@pytest.mark.parametrize(
    ("start", "end", "between"), [(0, 90, 45), (350, 10, 0), (10, 350, 0), (270, 90, 180)]
)
def test_a_box_turns_the_shorter_way(start: float, end: float, between: float) -> None:
    track = completed(seen(0, 0, rotation=start), seen(2, 0, rotation=end))

    assert track[1].thing.rotation % 360 == pytest.approx(between)


def test_everything_else_is_as_on_the_keyframe_before() -> None:
    track = completed(seen(0, 0, note="first"), seen(2, 4, note="second"), numbers=range(3))

    assert [dict(each.thing.attributes)["note"] for each in track] == ["first", "first", "second"]
    assert [dict(each.thing.attributes)["keyframe"] for each in track] == ["true", "false", "true"]


def test_other_shapes_are_not_made_up() -> None:
    with pytest.raises(StageError, match=r"a\.xml: has keyframes of a polygon, only boxes are"):
        completed(Seen(0, True, Object("Car", Box(0, 0, 1, 1), shape="polygon")))
