"""What every format is read into: frozen values; changes make new ones."""

from dataclasses import dataclass, replace
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
        x = [min(max(v, 0.0), float(width)) for v in (self.xmin, self.xmax)]
        y = [min(max(v, 0.0), float(height)) for v in (self.ymin, self.ymax)]
        return replace(self, xmin=x[0], xmax=x[1], ymin=y[0], ymax=y[1])


@dataclass(frozen=True, slots=True)
class Object:
    """One annotated object.

    attributes: (name, value) pairs in the order of the export. shape: what it was drawn as, by
    its name in CVAT's XML; box is empty for a shape that is none.
    """

    label: str
    box: Box
    shape: str = "box"
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
