"""What every format is read into: tuples with names; changes make new ones.

Named tuples, for millions of them are made: they are made in a third of a dataclass's time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians, sin
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in pixels of the picture as shown, edges as CVAT counts them, from 0."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def empty(self) -> bool:
        """Whether it has no area."""
        return self.xmin >= self.xmax or self.ymin >= self.ymax

    def inside(self, width: int, height: int) -> bool:
        """Tell whether it lies in a picture as a whole."""
        return self.xmin >= 0 and self.ymin >= 0 and self.xmax <= width and self.ymax <= height

    def clipped(self, width: int, height: int) -> "Box":
        """Return the part of it that lies in a picture; it may be empty."""
        x = [min(max(v, 0.0), float(width)) for v in (self.xmin, self.xmax)]
        y = [min(max(v, 0.0), float(height)) for v in (self.ymin, self.ymax)]
        return Box(x[0], y[0], x[1], y[1])

    def rounded(self) -> "Box":
        """Return it with two decimals, as CVAT writes it."""
        return Box(*[round(edge, 2) for edge in self])

    def circumscribed(self, rotation: float) -> "Box":
        """Return the upright box around it when it is turned about its centre, in degrees."""
        half_width, half_height = (self.xmax - self.xmin) / 2, (self.ymax - self.ymin) / 2
        turn, rise = abs(cos(radians(rotation))), abs(sin(radians(rotation)))
        x, y = (self.xmin + self.xmax) / 2, (self.ymin + self.ymax) / 2
        dx = half_width * turn + half_height * rise
        dy = half_width * rise + half_height * turn
        return Box(x - dx, y - dy, x + dx, y + dy)


NOWHERE = Box(0, 0, 0, 0)
"""The box of what has none."""


def around_ellipse(x: float, y: float, rx: float, ry: float, rotation: float) -> Box:
    """Return the upright box around an ellipse: centre, half axes, turned by degrees."""
    turn, rise = cos(radians(rotation)), sin(radians(rotation))
    dx, dy = hypot(rx * turn, ry * rise), hypot(rx * rise, ry * turn)
    return Box(x - dx, y - dy, x + dx, y + dy)


class Object(NamedTuple):
    """One annotated object.

    box: around it as drawn, before any rotation. rotation: of a rectangle, in degrees, clockwise.
    attributes: (name, value) pairs in the order of the export. shape: what it was drawn as, by
    its name in CVAT's XML.
    """

    label: str
    box: Box
    shape: str = "box"
    rotation: float = 0.0
    occluded: bool = False
    truncated: bool = False
    difficult: bool = False
    pose: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


class Annotation(NamedTuple):
    """All objects of one picture. picture: its name, relative to JPEGImages, `/` between folders.

    width, height: of the picture as shown, in pixels.
    """

    picture: str
    width: int
    height: int
    objects: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Deleted:
    """What is known of the frames that were deleted in CVAT, by number; no annotation has one.

    step: between the numbers of the task's frames. objects: frame -> how many objects the export
    has on it all the same. missing: runs of frames that the export leaves out, though not deleted.
    """

    numbers: frozenset[int]
    step: int
    objects: Mapping[int, int]
    missing: Sequence[range] = ()


@dataclass(frozen=True)
class Export:
    """What an export holds.

    annotations: read when they are asked for, while the export is open. numbers: of the frames
    that its task has, deleted ones included; empty if the export does not say. deleted: None if
    the export does not say which they are. ghosts: names of tracks that run on since a deleted
    frame, though their object may have left there. gaps: names of tracks that leave out frames
    that are not deleted.
    """

    annotations: Sequence[Annotation]
    numbers: range = range(0)
    deleted: Deleted | None = None
    ghosts: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
