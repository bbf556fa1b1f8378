"""Which box each shape becomes, and what keys of params.yaml do to objects of every format."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]
Parameters = Callable[[str], None]
Kept = Callable[..., tuple[list[tuple[str, list[float]]], dict[str, int]]]

WHOLE = "<width>64</width><height>48</height>"
META = f"<id>1</id><stop_frame>0</stop_frame><original_size>{WHOLE}</original_size>"


def images(shapes: list[str]) -> str:
    """An export 'CVAT for images 1.1' of one picture, from shapes without their labels."""
    drawn = "".join(each.replace(" ", ' label="Car" ', 1) for each in shapes)
    picture = f'<image id="0" name="frame_000000" width="64" height="48">{drawn}</image>'
    return f"<annotations><meta><task>{META}</task></meta>{picture}</annotations>"


def video(shapes: list[str]) -> str:
    """An export 'CVAT for video 1.1' of one frame, a track for each shape."""
    seen = ' frame="0" keyframe="1" outside="0" '
    tracks = (
        f'<track id="{n}" label="Car">{each.replace(" ", seen, 1)}</track>'
        for n, each in enumerate(shapes)
    )
    return f"<annotations><meta><task>{META}</task></meta>{''.join(tracks)}</annotations>"


@pytest.fixture(params=[images, video], ids=["images", "video"])
def kept(
    root: Path, prepare: Prepare, boxes: Boxes, parameters: Parameters,
    request: pytest.FixtureRequest,
) -> Kept:  # fmt: skip
    """Prepare shapes of one picture by some rules: those that are kept, and the dropped."""

    def run(rules: str, *shapes: str, own: str = "") -> tuple[Any, dict[str, int]]:
        valid = "" if "valid-labels" in rules else "valid-labels: [Car], "
        parameters(f"annotations: {{{valid}{rules}, keep-empty: True}}\ndatasets: {{{own}}}")
        (root / "annotations.xml").write_text(request.param(list(shapes)))
        metrics = prepare(root / "annotations.xml")
        return boxes(root / "Annotations")["frame_000000"], metrics["dropped"]

    return run


def around(points: list[tuple[float, float]]) -> list[float]:
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def turned(x: float, y: float, about: tuple[float, float], degrees: float) -> tuple[float, float]:
    """A point turned about another."""
    angle, dx, dy = math.radians(degrees), x - about[0], y - about[1]
    cos, sin = math.cos(angle), math.sin(angle)
    return about[0] + dx * cos - dy * sin, about[1] + dx * sin + dy * cos


def rim(x: float, y: float, rx: float, ry: float, degrees: float) -> list[float]:
    """The box around an ellipse, from many points of its rim."""
    angles = [2 * math.pi * n / 20_000 for n in range(20_000)]
    drawn = [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]
    return around([turned(*each, (x, y), degrees) for each in drawn])


CORNERS = {"tl1": (10, 12), "bl1": (10.5, 30), "tr1": (25, 11), "br1": (26, 31),
           "tl2": (20, 8.25), "bl2": (20, 25), "tr2": (40.75, 9), "br2": (39, 24)}  # fmt: skip
CUBOID = " ".join(f'x{name}="{x}" y{name}="{y}"' for name, (x, y) in CORNERS.items())
NODES = "".join(
    f'<points label="{n}" outside="{out}" occluded="0" points="{at}"/>'
    for n, (out, at) in enumerate([(0, "12.5,14.25"), (1, "60,47"), (0, "30,9"), (1, "0,0")])
)
SHAPES = {
    "polygon": ('<polygon points="10.5,10;30,20.25;20,40"/>', [10.5, 10, 30, 40]),
    "polyline": ('<polyline points="25,7;5,30"/>', [5, 7, 25, 30]),
    "points": ('<points points="9,20;3,4;40,8.5"/>', [3, 4, 40, 20]),
    "ellipse": ('<ellipse cx="30" cy="24" rx="10" ry="5"/>', [20, 19, 40, 29]),
    "cuboid": (f"<cuboid {CUBOID}/>", around(list(CORNERS.values()))),
    "mask": ('<mask rle="3, 2, 2, 5, 1, 7" left="10" top="20" width="5" height="4"/>',
             [10, 20, 15, 24]),
    "skeleton": (f'<skeleton z_order="0">{NODES}</skeleton>', [12.5, 9, 30, 14.25]),
}  # fmt: skip
EDGES = (10.0, 10.0, 30.0, 20.0)
PLAIN = 'xtl="10" ytl="10" xbr="30" ybr="20"'
BOX = f"<box {PLAIN}/>"


@pytest.mark.parametrize("name", SHAPES)
def test_only_shapes_that_are_named_become_the_boxes_around_them(kept: Kept, name: str) -> None:
    every = [shape for shape, _ in SHAPES.values()]
    [(label, found)], dropped = kept(f"shapes: [{name}]", *every)

    assert label == "Car"
    assert found == pytest.approx(SHAPES[name][1], abs=0.011)
    assert dropped == {f"shape {other}": 1 for other in SHAPES if other != name}


@pytest.mark.parametrize("degrees", [0.5, 30, 45, 90, 135, 222.22, 359.99])
def test_the_box_around_a_turned_ellipse_touches_its_rim(kept: Kept, degrees: float) -> None:
    ellipse = f'<ellipse cx="30" cy="24" rx="18.5" ry="5.25" rotation="{degrees}"/>'
    [(_, found)], _ = kept("shapes: [ellipse]", ellipse)

    assert found == pytest.approx(rim(30, 24, 18.5, 5.25, degrees), abs=0.011)


@pytest.mark.parametrize("degrees", [0.01, 12.34, 45, 90, 123.4, 180, 270, 300, 359.99])
def test_a_turned_box_becomes_the_one_around_its_corners(kept: Kept, degrees: float) -> None:
    [(_, found)], _ = kept("rotated: circumscribe", f'<box {PLAIN} rotation="{degrees}"/>')
    corners = [(x, y) for x in EDGES[::2] for y in EDGES[1::2]]
    wanted = around([turned(*each, (20, 15), degrees) for each in corners])

    assert found == pytest.approx(wanted, abs=0.011)


def test_a_turned_box_is_cut_after_it_was_circumscribed(kept: Kept) -> None:
    beside = '<box xtl="-19" ytl="20" xbr="21" ybr="24" rotation="90"/>'

    assert kept("clip: True", beside)[0] == [("Car", [0, 2, 3, 42])]


def test_turned_boxes_are_dropped_if_unwanted(kept: Kept) -> None:
    found, dropped = kept("rotated: drop", BOX, f'<box {PLAIN} rotation="15.5"/>')

    assert (len(found), dropped) == (1, {"rotated": 1})


FLAGGED = [
    BOX,
    f'<box {PLAIN} occluded="1"/>',
    f'<box {PLAIN} occluded="0"><attribute name="truncated">true</attribute></box>',
    f'<box {PLAIN} occluded="1"><attribute name="truncated">true</attribute></box>',
    f'<box {PLAIN} occluded="0"><attribute name="truncated">false</attribute></box>',
]


@pytest.mark.parametrize(
    ("rules", "dropped"),
    [
        ("drop-occluded: True", {"occluded": 2}),
        ("drop-truncated: True", {"truncated": 2}),
        ("drop-occluded: True, drop-truncated: True", {"occluded": 2, "truncated": 1}),
    ],
)
def test_flagged_objects_are_dropped_if_unwanted(
    kept: Kept, rules: str, dropped: dict[str, int]
) -> None:
    found, counted = kept(rules, *FLAGGED)

    assert (len(found), counted) == (5 - sum(dropped.values()), dropped)


@pytest.mark.parametrize(
    ("rules", "edges"),
    [
        ("clip: True", [0, 40, 64, 48]),
        ("min-size: [64, 8]", [0, 40, 64, 48]),
        ("min-size: [64, 8.01]", None),
        ("clip: False, min-size: [105.5, 20]", [-5.5, 40, 100, 60]),
    ],
)
@pytest.mark.parametrize(
    "shape",
    ['<box xtl="-5.5" ytl="40" xbr="100" ybr="60"/>', '<polygon points="-5.5,60;50,40;100,41"/>'],
)
def test_the_size_is_that_of_what_is_written(
    kept: Kept, rules: str, edges: list[float] | None, shape: str
) -> None:
    found, dropped = kept(f"shapes: [polygon], {rules}", shape)

    assert found == ([] if edges is None else [("Car", edges)])
    assert dropped == ({"box smaller than min-size": 1} if edges is None else {})


TYPED = f'<box {PLAIN}><attribute name="type">a</attribute><attribute name="x">b</attribute></box>'


@pytest.mark.parametrize(
    ("own", "label"),
    [
        ("", "First"),
        ("movie1: {annotations: {concat-attribute: x}}", "Second"),
        ("movie1: {annotations: {concat-type-attribute: False}}", "Car"),
        ("movie1: {annotations: {rename-labels: {Cara: Second}}}", "Second"),
        ("movie2: {annotations: {concat-type-attribute: False}}", "First"),
    ],
)
def test_labels_are_concatenated_renamed_once_and_filtered_and_datasets_override_key_by_key(
    kept: Kept, own: str, label: str
) -> None:
    rules = "valid-labels: [First, Second, Car], concat-type-attribute: True, "
    renamed = "rename-labels: {Cara: First, Carab: Second, First: Third, Car: Car}"

    assert kept(rules + renamed, TYPED, own=own)[0] == [(label, list(EDGES))]
