"""What the sample movies show: where things are in each frame, how it is drawn and read back.

The movies and the exports are both made from what stands here (see make.py). Tests look at decoded
pictures with `number_in` and `sits_on`: they see whether a picture is the frame that its name says,
and whether a box of an annotation really lies on its object.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]
"""Height x width x 3, RGB."""
Canvas = NDArray[np.float64]
"""A picture while it is drawn."""
Mask = NDArray[np.bool_]

COLOURS: dict[str, Colour] = {
    "Pedestrian": (205, 50, 45),
    "Bicycle": (25, 135, 75),
    "Car": (35, 85, 195),
    "Bird": (230, 140, 20),
}
"""Label -> the colour of its silhouettes, which nothing else in the movies has."""


# Where things are


@dataclass(frozen=True)
class Box:
    """Edges in pixels from the top left corner of the picture: pixel i covers i to i + 1."""

    left: float
    top: float
    right: float
    bottom: float

    def clipped(self, width: float, height: float) -> Box:
        """The part of the box that lies in a picture."""
        right, bottom = min(self.right, width), min(self.bottom, height)
        return Box(max(self.left, 0), max(self.top, 0), right, bottom)

    def grown(self, by: float) -> Box:
        """The box with every edge moved outwards."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def moved(self, x: float, y: float) -> Box:
        """The box at another place."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def overlaps(self, other: Box) -> bool:
        """Whether the two boxes share some area."""
        beside = self.right <= other.left or other.right <= self.left
        above = self.bottom <= other.top or other.bottom <= self.top
        return not beside and not above

    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True)
class Waypoint:
    """Where the top left corner of a thing is in one frame."""

    frame: int
    x: float
    y: float


Leg = tuple[Waypoint, ...]
"""Frames in which a thing is seen without a break; it moves evenly from waypoint to waypoint."""


@dataclass(frozen=True)
class Thing:
    """Something that moves through a movie. It looks like `SHAPES[kind]`."""

    label: str
    kind: str
    height: float
    legs: tuple[Leg, ...]

    def place(self, frame: int) -> tuple[Box, bool] | None:
        """Its box, which may leave the picture, and whether it faces left; None if it is away."""
        for start, end in chain.from_iterable(map(pairwise, self.legs)):
            if start.frame <= frame <= end.frame:
                done = (frame - start.frame) / (end.frame - start.frame)
                box = Box(0, 0, self.height * SHAPES[self.kind].aspect, self.height)
                x, y = start.x + done * (end.x - start.x), start.y + done * (end.y - start.y)
                return box.moved(x, y), end.x < start.x
        return None


@dataclass(frozen=True)
class Movie:
    """A sample movie. Of two things the later one is in front."""

    name: str
    width: int
    height: int
    frames: int
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Sight:
    """A thing as it is seen in one frame: `box` is the part of `whole` in the picture."""

    thing: Thing
    whole: Box
    box: Box
    faces_left: bool
    occluded: bool

    @property
    def truncated(self) -> bool:
        """Whether the edge of the picture cuts it."""
        return self.box != self.whole


def sights(movie: Movie, frame: int) -> list[Sight]:
    """What is seen in a frame, from back to front."""
    found: list[Sight] = []
    for thing in reversed(movie.things):
        place = thing.place(frame)
        if place:
            whole, faces_left = place
            box = whole.clipped(movie.width, movie.height)
            occluded = any(box.overlaps(other.box) for other in found)
            found.append(Sight(thing, whole, box, faces_left, occluded))
    return found[::-1]


# The movies


def leg(*waypoints: tuple[int, float, float]) -> Leg:
    """A leg from (frame, x, y), ..."""
    return tuple(Waypoint(*waypoint) for waypoint in waypoints)


def pedestrian(height: float, *legs: Leg) -> Thing:
    """Someone who walks."""
    return Thing("Pedestrian", "pedestrian", height, legs)


def bicycle(height: float, *legs: Leg) -> Thing:
    """A bicycle."""
    return Thing("Bicycle", "bicycle", height, legs)


def car(kind: str, height: float, *legs: Leg) -> Thing:
    """A car; its kind is the attribute `type` in the exports."""
    return Thing("Car", kind, height, legs)


def bird(height: float, *legs: Leg) -> Thing:
    """A bird, which nobody wants in the datasets."""
    return Thing("Bird", "bird", height, legs)


MOVIE1 = Movie(
    name="movie1",
    width=320,
    height=240,
    frames=60,
    things=(
        bird(
            14, leg((4, 14.2, 36.4), (22, 170.95, 62.8)), leg((44, 232.5, 72.2), (57, 281.3, 38.6))
        ),
        bicycle(30, leg((12, 307.5, 95.2), (44, -25.25, 96.9))),
        car("suv", 32, leg((8, 295.4, 129.3), (34, -48.35, 131.1))),
        car("van", 38, leg((36, -44.6, 164.6), (56, 305.9, 163.2))),
        pedestrian(46, leg((15, 309.7, 188.4), (59, 171.35, 190.1))),
        pedestrian(34, leg((22, -6.3, 203.7), (59, 96.4, 202.15))),
    ),
)
"""Nothing in frames 0 to 3, only a bird in 4 to 7. The bird goes away and comes back."""

MOVIE2 = Movie(
    name="movie2",
    width=320,
    height=180,
    frames=50,
    things=(
        bird(12, leg((8, 262.3, 54.1), (30, 150.85, 29.7))),
        bicycle(26, leg((3, -23.4, 63.3), (46, 303.15, 64.9))),
        car(
            "compact",
            26,
            leg((5, -19.5, 125.8), (18, 308.7, 126.4)),
            leg((28, 297.2, 95.3), (42, -30.65, 94.7)),
        ),
        car("suv", 26, leg((34, -27.2, 127.3), (49, 214.45, 126.1))),
        pedestrian(36, leg((4, -6.2, 141.3), (15, 47.65, 142.2), (26, -6.8, 141.1))),
    ),
)
"""Nothing in frames 0 to 2. The compact goes away and comes back, the suv stays to the end."""

MOVIE3 = Movie(
    name="movie3",
    width=160,
    height=240,
    frames=40,
    things=(
        bird(13, leg((8, 16.3, 68.2), (29, 118.6, 41.75))),
        pedestrian(34, leg((2, -4.6, 88.3), (39, 81.25, 89.9))),
        bicycle(28, leg((6, 149.3, 128.4), (33, -31.85, 129.7))),
        car("van", 36, leg((12, -51.7, 165.2), (31, 148.25, 163.9))),
        pedestrian(48, leg((0, 139.35, 186.6), (39, 58.9, 188.3))),
    ),
)
"""As it is shown: the file holds it lying on its side."""

MOVIES = (MOVIE1, MOVIE2, MOVIE3)


# Shapes: the unit is the height of the thing, the origin its top left corner; it faces right


class Form(Protocol):
    """An area."""

    def covers(self, x: Canvas, y: Canvas) -> Mask:
        """Which of the points lie in it."""


@dataclass(frozen=True)
class Disc:
    """A filled circle."""

    x: float
    y: float
    radius: float

    def covers(self, x: Canvas, y: Canvas) -> Mask:
        """Which of the points lie in it."""
        inside: Mask = (x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2
        return inside


@dataclass(frozen=True)
class Bar:
    """A thick line with round ends."""

    start: tuple[float, float]
    end: tuple[float, float]
    width: float

    def covers(self, x: Canvas, y: Canvas) -> Mask:
        """Which of the points lie in it."""
        (x1, y1), (x2, y2) = self.start, self.end
        along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2)
        along = np.clip(along, 0, 1)
        away = (x - x1 - along * (x2 - x1)) ** 2 + (y - y1 - along * (y2 - y1)) ** 2
        inside: Mask = away <= (self.width / 2) ** 2
        return inside


@dataclass(frozen=True)
class Polygon:
    """A filled polygon."""

    corners: tuple[tuple[float, float], ...]

    def covers(self, x: Canvas, y: Canvas) -> Mask:
        """Which of the points lie in it: a line to their right meets an odd number of sides."""
        inside = np.zeros(np.broadcast(x, y).shape, dtype=bool)
        for (x1, y1), (x2, y2) in pairwise((*self.corners, self.corners[0])):
            if y1 != y2:
                meets = (y1 > y) != (y2 > y)
                inside ^= meets & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        return inside


@dataclass(frozen=True)
class Part:
    """A part of a shape, in the colour of the label or light."""

    form: Form
    light: bool = False


@dataclass(frozen=True)
class Shape:
    """How a thing looks; later parts cover earlier ones."""

    aspect: float
    parts: tuple[Part, ...]


def shape(aspect: float, *parts: tuple[Part, ...]) -> Shape:
    """A shape of some groups of parts."""
    return Shape(aspect, tuple(chain.from_iterable(parts)))


def points(text: str) -> tuple[tuple[float, float], ...]:
    """Read `x,y x,y ...`."""
    pairs = (pair.split(",") for pair in text.split())
    return tuple((float(x), float(y)) for x, y in pairs)


def body(corners: str) -> tuple[Part, ...]:
    """A polygon in the colour of the label."""
    return (Part(Polygon(points(corners))),)


def window(corners: str) -> tuple[Part, ...]:
    """A light polygon."""
    return (Part(Polygon(points(corners)), light=True),)


def bars(width: float, line: str) -> tuple[Part, ...]:
    """Bars from point to point."""
    return tuple(Part(Bar(start, end, width)) for start, end in pairwise(points(line)))


def ball(x: float, y: float, radius: float) -> tuple[Part, ...]:
    """A disc in the colour of the label."""
    return (Part(Disc(x, y, radius)),)


def wheel(x: float, radius: float) -> tuple[Part, ...]:
    """A wheel of a car, which stands on the ground."""
    y = 1 - radius
    rim, hub = (
        Part(Disc(x, y, radius + 0.05), light=True),
        Part(Disc(x, y, radius / 2.6), light=True),
    )
    return (rim, *ball(x, y, radius), hub)


def hoop(x: float, radius: float, hole: float) -> tuple[Part, ...]:
    """A wheel of a bicycle."""
    y = 1 - radius
    return (*ball(x, y, radius), Part(Disc(x, y, hole), light=True))


SHAPES: dict[str, Shape] = {
    "suv": shape(
        1.9,
        body("0.1,0 1.2,0 1.48,0.38 1.9,0.46 1.9,0.84 0,0.84 0,0.38"),
        window("0.24,0.1 0.64,0.1 0.64,0.38 0.16,0.38"),
        window("0.74,0.1 1.14,0.1 1.34,0.38 0.74,0.38"),
        wheel(0.42, radius=0.21),
        wheel(1.48, radius=0.21),
    ),
    "van": shape(
        1.8,
        body("0,0 1.36,0 1.62,0.44 1.8,0.52 1.8,0.86 0,0.86"),
        window("0.14,0.12 0.46,0.12 0.46,0.4 0.14,0.4"),
        window("1,0.12 1.3,0.12 1.49,0.42 1,0.42"),
        wheel(0.4, radius=0.17),
        wheel(1.38, radius=0.17),
    ),
    "compact": shape(
        1.6,
        body("0.28,0 0.88,0 1.2,0.42 1.6,0.52 1.6,0.84 0,0.84 0,0.44"),
        window("0.36,0.12 0.56,0.12 0.56,0.42 0.2,0.42"),
        window("0.66,0.12 0.84,0.12 1.06,0.42 0.66,0.42"),
        wheel(0.35, radius=0.21),
        wheel(1.24, radius=0.21),
    ),
    "pedestrian": shape(
        0.42,
        ball(0.22, 0.11, radius=0.11),
        bars(0.2, "0.21,0.36 0.21,0.54"),
        bars(0.09, "0.045,0.56 0.21,0.3 0.375,0.54"),
        bars(0.1, "0.05,0.95 0.15,0.76 0.18,0.56"),
        bars(0.1, "0.36,0.95 0.3,0.76 0.24,0.56"),
    ),
    "bicycle": shape(
        1.5,
        hoop(0.36, radius=0.36, hole=0.25),
        hoop(1.14, radius=0.36, hole=0.25),
        bars(0.1, "1.14,0.64 1,0.26 0.6,0.26 0.36,0.64 0.74,0.64 1,0.26"),
        bars(0.1, "0.74,0.64 0.56,0.1"),
        bars(0.1, "0.46,0.07 0.68,0.07"),
        bars(0.1, "1.02,0.3 0.94,0.05 1.12,0.05"),
    ),
    "bird": shape(
        1.6,
        body("0,0 0.16,0 0.62,0.34 0.62,0.8 0.42,0.66 0,0.28"),
        body("1.6,0 1.44,0 0.98,0.34 0.98,0.8 1.18,0.66 1.6,0.28"),
        ball(0.8, 0.66, radius=0.34),
    ),
}


# Drawing

LIGHT: Colour = (240, 244, 246)
SUN: Colour = (255, 240, 190)
SKY_ABOVE: Colour = (196, 222, 240)
SKY_BELOW: Colour = (238, 244, 246)
HILL: Colour = (196, 217, 208)
GRASS: Colour = (205, 222, 182)
ROAD: Colour = (202, 203, 206)
PAVEMENT: Colour = (224, 217, 207)

HORIZON, ROADSIDE, KERB = 0.42, 0.53, 0.85
"""Where grass, road and pavement begin, in heights of the picture."""

FINE = 4
"""Samples per pixel, across and down: edges are smooth, a box may end within a pixel."""


def draw(movie: Movie, frame: int) -> Picture:
    """A frame of a movie, as it is shown."""
    canvas = background(movie.width, movie.height).copy()
    for sight in sights(movie, frame):
        draw_thing(canvas, sight)
    draw_number(canvas, frame)
    return np.rint(canvas).astype(np.uint8)


@cache
def background(width: int, height: int) -> Canvas:
    """A street on a bright morning, without anyone."""
    canvas = np.empty((height, width, 3))
    horizon, roadside, kerb = (round(height * part) for part in (HORIZON, ROADSIDE, KERB))
    depth = np.linspace(0, 1, horizon)[:, None, None]
    sky = canvas[:horizon]
    sky[:] = np.array(SKY_ABOVE) * (1 - depth) + np.array(SKY_BELOW) * depth
    fill(sky, Disc(0.84 * width, 0.19 * height, 0.055 * height), SUN)
    fill(sky, Disc(0.25 * width, horizon + 0.9 * width, 0.96 * width), HILL)
    fill(sky, Disc(0.9 * width, horizon + 0.7 * width, 0.74 * width), HILL)
    canvas[horizon:roadside] = GRASS
    canvas[roadside:kerb] = ROAD
    canvas[kerb:] = PAVEMENT
    canvas[kerb : kerb + 2] = LIGHT
    middle = (roadside + kerb) // 2
    for left in range(8, width, 40):
        canvas[middle : middle + 2, left : left + 20] = LIGHT
    return canvas


def draw_thing(canvas: Canvas, sight: Sight) -> None:
    """Draw a thing so that it just fills its box."""
    rows, columns = pixels(sight.box)
    form, box = SHAPES[sight.thing.kind], sight.whole
    y = (samples(rows) - box.top)[:, None] / sight.thing.height
    x = (samples(columns) - box.left)[None, :] / sight.thing.height
    if sight.faces_left:
        x = form.aspect - x
    within = (y >= 0) & (y <= 1) & (x >= 0) & (x <= form.aspect)
    for part in form.parts:
        colour = LIGHT if part.light else COLOURS[sight.thing.label]
        blend(canvas[rows, columns], part.form.covers(x, y) & within, colour)


def fill(canvas: Canvas, form: Form, colour: Colour) -> None:
    """Draw a form whose unit is the pixel."""
    height, width, _ = canvas.shape
    x, y = samples(slice(0, width))[None, :], samples(slice(0, height))[:, None]
    blend(canvas, form.covers(x, y), colour)


def blend(canvas: Canvas, mask: Mask, colour: Colour) -> None:
    """Colour each pixel as far as the mask covers its samples."""
    height, width, _ = canvas.shape
    share = mask.reshape(height, FINE, width, FINE).mean(axis=(1, 3))[..., None]
    canvas[:] = canvas * (1 - share) + np.array(colour) * share


def samples(of: slice) -> Canvas:
    """Where the samples of some pixels lie."""
    positions: Canvas = of.start + (np.arange((of.stop - of.start) * FINE) + 0.5) / FINE
    return positions


def pixels(box: Box) -> tuple[slice, slice]:
    """Rows and columns that a box touches."""
    rows = slice(math.floor(box.top), math.ceil(box.bottom))
    return rows, slice(math.floor(box.left), math.ceil(box.right))


# The number of a frame: blocks along the top, white for 1, the highest bit first; and digits

BITS = 12
STRIP = 20
STRIP_COLOUR: Colour = (128, 128, 128)
DIGITS_WIDTH = 40
DIGIT_SCALE = 3
DIGITS = (
    "### .#. ### ### #.# ### ### ### ### ###",
    "#.# ##. ..# ..# #.# #.. #.. ..# #.# #.#",
    "#.# .#. ### ### ### ### ### ..# ### ###",
    "#.# .#. #.. ..# ..# ..# #.# ..# #.# ..#",
    "### ### ### ### ..# ### ### ..# ### ###",
)


def draw_number(canvas: Canvas, number: int) -> None:
    """Write a number along the top, for machines and for people."""
    canvas[:STRIP] = STRIP_COLOUR
    width = canvas.shape[1]
    for block, bit in zip(blocks(width), f"{number:0{BITS}b}", strict=True):
        canvas[3 : STRIP - 3, block] = 255 * int(bit)
    for place, digit in enumerate(f"{number:03}"):
        dots = np.array([list(row.split()[int(digit)]) for row in DIGITS]) == "#"
        dots = dots.repeat(DIGIT_SCALE, axis=0).repeat(DIGIT_SCALE, axis=1)
        left = width - DIGITS_WIDTH + DIGIT_SCALE + place * 4 * DIGIT_SCALE
        canvas[3 : 3 + 5 * DIGIT_SCALE, left : left + 3 * DIGIT_SCALE][dots] = 255


def blocks(width: int) -> Iterator[slice]:
    """The columns of each block."""
    step = (width - DIGITS_WIDTH) / BITS
    for place in range(BITS):
        yield slice(round(place * step) + 2, round((place + 1) * step) - 1)


def number_in(picture: Picture) -> int:
    """Read the number of a frame from its picture; ValueError if it carries none."""
    number = 0
    for block in blocks(picture.shape[1]):
        inner = picture[6 : STRIP - 6, block.start + 2 : block.stop - 2]
        brightness = float(inner.mean())
        if 64 < brightness < 192:
            raise ValueError(f"no number: a block has brightness {brightness:.0f}")
        number = 2 * number + (brightness > 128)
    return number


# Looking at pictures


def colour_of(label: str) -> Colour:
    """The colour of a label, also with the type of a car behind it (`Carsuv`)."""
    return next(colour for known, colour in COLOURS.items() if label.startswith(known))


def has_colour(picture: Picture, colour: Colour, tolerance: float = 80) -> Mask:
    """Which pixels have a colour, nearly."""
    distance: Canvas = np.linalg.norm(picture.astype(float) - np.array(colour), axis=-1)
    return distance <= tolerance


def share_of(picture: Picture, box: Box, colour: Colour) -> float:
    """Which part of the pixels in a box has a colour."""
    rows, columns = pixels(box.clipped(picture.shape[1], picture.shape[0]))
    return float(has_colour(picture[rows, columns], colour).mean())


def extent_of(picture: Picture, near: Box, colour: Colour) -> Box | None:
    """The smallest box around what has a colour in and near a box; None if nothing has."""
    rows, columns = pixels(near.grown(4).clipped(picture.shape[1], picture.shape[0]))
    y, x = np.nonzero(has_colour(picture[rows, columns], colour))
    if not len(x):
        return None
    found = Box(float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
    return found.moved(columns.start, rows.start)


def sits_on(picture: Picture, box: Box, label: str, tolerance: float = 2) -> bool:
    """Whether a box lies on an object of a label, each edge within some pixels.

    For an occluded object look at `share_of`: what is in front may hide its edges.
    """
    extent = extent_of(picture, box, colour_of(label))
    if extent is None or share_of(picture, box, colour_of(label)) < 0.25:
        return False
    return all(abs(a - b) <= tolerance for a, b in zip(extent.edges(), box.edges(), strict=True))
