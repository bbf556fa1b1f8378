"""Frames between keyframes, for exports that leave them out.

CVAT's rule (cvat-ai/cvat, cvat/apps/dataset_manager/annotation.py, TrackManager): the edges of a
box move linearly, its rotation goes the shorter way round, everything else is the left keyframe's.
From a keyframe that is outside nothing is seen; after the last one, it stays to the last frame.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from annotations.attributes import normalize
from annotations.model import Box, Object
from stage.errors import StageError


class Seen(NamedTuple):
    """A shape of a track: at which frame, and whether it is in the picture there."""

    number: int
    visible: bool
    thing: Object


def complete(
    track: Sequence[Seen], numbers: range, where: str, without: Set[int] = frozenset()
) -> list[Seen]:
    """Return a track with the frames between its keyframes, of those in numbers but not without."""
    for seen in track:
        if seen.thing.shape != "box":
            raise StageError(
                f"{where}: has keyframes of a {seen.thing.shape}, only boxes are interpolated; "
                "export 'CVAT for video 1.1' from CVAT, which writes every frame"
            )
    made: list[Seen] = []
    for one, other in pairwise([*track, None]):
        if one is None:
            break
        made.append(one)
        end = numbers.stop if other is None else other.number
        if one.visible:
            between = range(one.number, end, numbers.step)[1:]
            made += _fill(one, other, (n for n in between if n not in without))
    return made


def _fill(one: Seen, other: Seen | None, numbers: Iterable[int]) -> Iterator[Seen]:
    for number in numbers:
        thing = one.thing
        if other is not None:
            share = (number - one.number) / (other.number - one.number)
            thing = _move(thing, other.thing, share)
        yield Seen(number, True, _unmark(thing))


def _move(one: Object, other: Object, share: float) -> Object:
    edges = zip(one.box, other.box, strict=True)
    turn = (other.rotation - one.rotation + 180) % 360 - 180
    rotation = (one.rotation + turn * share) % 360
    attributes, _ = normalize(one.attributes, round(rotation, 2))
    return one._replace(
        box=Box(*(round(a + (b - a) * share, 2) for a, b in edges)),
        rotation=rotation,
        attributes=attributes,
    )


def _unmark(thing: Object) -> Object:
    attributes = (("keyframe", "false") if n == "keyframe" else (n, v) for n, v in thing.attributes)
    return thing._replace(attributes=tuple(attributes))
