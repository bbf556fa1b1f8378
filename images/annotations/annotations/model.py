"""What every format is read into: frozen values; changes make new ones."""

from dataclasses import dataclass
from math import cos, hypot, radians, sin
from typing import Self


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the picture as shown, edges as CVAT counts them, from 0."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def empty(self) -> bool:
        """Whether it has no area."""
        return self.xmin >= self.xmax or self.ymin >= self.ymax

    def clipped(self, width: int, height: int) -> Self:
        """Return the part of it that lies in a picture; it may be empty."""
        if self.xmin >= 0 and self.ymin >= 0 and self.xmax <= width and self.ymax <= height:
            return self
        x = [min(max(v, 0.0), float(width)) for v in (self.xmin, self.xmax)]
        y = [min(max(v, 0.0), float(height)) for v in (self.ymin, self.ymax)]
        return type(self)(x[0], y[0], x[1], y[1])

    def rounded(self) -> Self:
        """Return it with two decimals, as CVAT writes it."""
        edges = (self.xmin, self.ymin, self.xmax, self.ymax)
        return type(self)(*(round(edge, 2) for edge in edges))

    def circumscribed(self, rotation: float) -> Self:
        """Return the upright box around it when it is turned about its centre, in degrees."""
        half_width, half_height = (self.xmax - self.xmin) / 2, (self.ymax - self.ymin) / 2
        turn, rise = abs(cos(radians(rotation))), abs(sin(radians(rotation)))
        x, y = (self.xmin + self.xmax) / 2, (self.ymin + self.ymax) / 2
        dx = half_width * turn + half_height * rise
        dy = half_width * rise + half_height * turn
        return type(self)(x - dx, y - dy, x + dx, y + dy)


def around_ellipse(x: float, y: float, rx: float, ry: float, rotation: float) -> Box:
    """Return the upright box around an ellipse: centre, half axes, turned by degrees."""
    turn, rise = cos(radians(rotation)), sin(radians(rotation))
    dx, dy = hypot(rx * turn, ry * rise), hypot(rx * rise, ry * turn)
    return Box(x - dx, y - dy, x + dx, y + dy)


@dataclass(frozen=True, slots=True)
class Object:
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


@dataclass(frozen=True, slots=True)
class Annotation:
    """All objects of one picture. picture: its name, relative to JPEGImages, `/` between folders.

    width, height: of the picture as shown, in pixels.
    """

    picture: str
    width: int
    height: int
    objects: tuple[Object, ...] = ()
