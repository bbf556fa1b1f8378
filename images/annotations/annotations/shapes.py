"""Shapes as CVAT's XML has them: <box>, <polygon>, ..., and the upright boxes around them."""

from annotations.attributes import Attributes, check_kinds, normalize
from annotations.model import NOWHERE, Box, Object, around_ellipse
from annotations.safe_xml import Element, at
from annotations.values import check_label, find_attribute, parse_box, parse_number
from stage.errors import StageError

EDGES = ("xtl", "ytl", "xbr", "ybr")


def read_object(element: Element, name: str, where: str, extra: Attributes = ()) -> Object:
    """Return the object that an element (<box>, <polygon>, ...) draws; extra: more attributes."""
    kind = element.tag
    rotation = parse_number(element.get("rotation") or "0", "rotation", element, where)
    own = [each for each in element.children if each.tag == "attribute"]
    pairs = [(find_attribute(each, "name", where), each.text) for each in own]
    check_kinds(pairs, element, where)
    attributes, flags = normalize((*pairs, *extra), rotation)
    return Object(
        label=check_label(name, element, where),
        box=find_box(element, where),
        shape=kind,
        rotation=rotation if kind == "box" else 0.0,
        occluded=element.get("occluded") == "1",
        truncated="truncated" in flags,
        difficult="difficult" in flags,
        attributes=attributes,
    )


def find_box(element: Element, where: str) -> Box:
    """Return the upright box around what an element draws; one without area if it draws nothing."""
    return BOXES.get(element.tag, _none)(element, where)


def _box(element: Element, where: str) -> Box:
    try:
        edges = [element.attributes[edge] for edge in EDGES]
    except KeyError:
        edges = [find_attribute(element, edge, where) for edge in EDGES]
    return parse_box(edges, EDGES, element, where)


def _points(element: Element, where: str) -> Box:
    """Return the box around `x,y;x,y`."""
    return surround(find_attribute(element, "points", where).split(";"), element, where)


def _skeleton(element: Element, where: str) -> Box:
    """Return the box around the points of a skeleton that are in the picture."""
    visible = [p for p in element.children if p.tag == "points" and p.get("outside") != "1"]
    pairs = [each for p in visible for each in find_attribute(p, "points", where).split(";")]
    return surround(pairs, element, where) if pairs else NOWHERE


def surround(pairs: list[str], element: Element, where: str) -> Box:
    """Return the box around points, each written `x,y`."""
    if not all(pair.count(",") == 1 for pair in pairs):
        raise StageError(f"{at(element, where)}: points= is no `x,y;x,y`; export again")
    xs, ys = (
        [parse_number(each, "points", element, where) for each in axis]
        for axis in zip(*(pair.split(",") for pair in pairs), strict=True)
    )
    return Box(min(xs), min(ys), max(xs), max(ys))


def _ellipse(element: Element, where: str) -> Box:
    names = ("cx", "cy", "rx", "ry")
    x, y, rx, ry = (
        parse_number(find_attribute(element, n, where), n, element, where) for n in names
    )
    return around_ellipse(
        x, y, rx, ry, parse_number(element.get("rotation") or "0", "rotation", element, where)
    )


def _cuboid(element: Element, where: str) -> Box:
    """Return the box around a cuboid's eight corners: xtl1, ytl1, ... xbr2, ybr2."""
    corners = [f"{corner}{side}" for corner in ("tl", "bl", "tr", "br") for side in "12"]
    pairs = [f"{element.get(f'x{c}', '')},{element.get(f'y{c}', '')}" for c in corners]
    return surround(pairs, element, where)


def _mask(element: Element, where: str) -> Box:
    left, top, width, height = (
        parse_number(find_attribute(element, n, where), n, element, where)
        for n in ("left", "top", "width", "height")
    )
    return Box(left, top, left + width, top + height)


def _none(_element: Element, _where: str) -> Box:
    return NOWHERE


BOXES = {
    "box": _box,
    "polygon": _points,
    "polyline": _points,
    "points": _points,
    "ellipse": _ellipse,
    "cuboid": _cuboid,
    "mask": _mask,
    "skeleton": _skeleton,
}
"""A shape's element -> how the upright box around it is found. A tag, say, has none."""
