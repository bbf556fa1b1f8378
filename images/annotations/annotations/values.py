"""What elements say: texts and attributes that must be there, numbers, labels, boxes.

Each function takes the element, for its line in errors, and where: the name of the file.
"""

import re
from collections.abc import Sequence

from lxml import etree

from annotations.labels import LONGEST, is_label
from annotations.model import Box
from annotations.safe_xml import Placed, at
from stage.errors import StageError

FRACTION = r"(?:\.[0-9]{1,25}+)?+"

NUMBER = re.compile(
    rf"-?+(?:[0-9]{{1,7}}+{FRACTION}(?:[eE]-[0-9]{{1,3}}+)?+|[0-9]{FRACTION}[eE]\+?0?[0-6])",
    re.ASCII,
)
"""A number below ten million as programs write it: 12, 0.055555555555542924, 1e-05, 1e+06.

float() alone would take nan, inf, 1e300, 1_0 and Arabic digits.
"""

WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)

FOUR = re.compile(f"{NUMBER.pattern}(,{NUMBER.pattern}){{3}}", re.ASCII)
"""Four of them: matched at once, they take a third of the time."""


def find_text(element: etree._Element, path: str, where: str) -> str:
    """Return the text found at path, which must be there."""
    found = element.findtext(path)
    if not found or not found.strip():
        raise StageError(f"{at(element, where)}: <{element.tag}> lacks <{path}>; export again")
    return str(found)


def find_attribute(element: Placed, name: str, where: str) -> str:
    """Return the value of an attribute, which must be there."""
    found = element.get(name)
    if found is None:
        raise StageError(f"{at(element, where)}: <{element.tag}> lacks {name}=; export again")
    return str(found)


def check_label(value: str, element: Placed, where: str) -> str:
    """Return a label that is one: neither empty nor something that acts as a path or on a log."""
    if is_label(value):
        return value
    if not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise StageError(f"{at(element, where)}: {value[:40]!r} is no label; rename it in CVAT")
    raise StageError(f"{at(element, where)}: the label {value!r} is a path; rename it in CVAT")


def parse_number(value: str, what: str, element: Placed, where: str) -> float:
    """Return a value as a number; what names it."""
    if not NUMBER.fullmatch(value):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, which is no number")
    return float(value)


def parse_whole(value: str, what: str, element: Placed, where: str) -> int:
    """Return a value as a whole number from 0."""
    if not WHOLE.fullmatch(value):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, no whole number from 0")
    return int(value)


def parse_box(edges: Sequence[str], names: Sequence[str], element: Placed, where: str) -> Box:
    """Return the box of four edges as written: left, top, right, bottom; names: what they are."""
    if FOUR.fullmatch(",".join(edges)):
        values = Box(*map(float, edges))
    else:
        each = zip(edges, names, strict=True)
        values = Box(*[parse_number(edge, name, element, where) for edge, name in each])
    if values.xmin > values.xmax or values.ymin > values.ymax:
        raise StageError(f"{at(element, where)}: the box is inside out ({', '.join(edges)})")
    return values
