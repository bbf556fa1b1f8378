"""Pascal VOC 1.1: one XML file a picture.

<annotation>
  <folder>JPEGImages</folder>
  <filename>frame_000000.PNG</filename>
  <size><width>640</width><height>480</height><depth>3</depth></size>
  <object>
    <name>Car</name><truncated>0</truncated><occluded>0</occluded><difficult>0</difficult>
    <bndbox><xmin>10.0</xmin><ymin>20.5</ymin><xmax>110.0</xmax><ymax>60.25</ymax></bndbox>
    <attributes><attribute><name>type</name><value>suv</value></attribute></attributes>
  </object>
</annotation>
"""

import re
from functools import lru_cache

from lxml import etree

from annotations.attributes import KINDS, Attributes, check_kinds, is_set, normalize
from annotations.labels import climbs, is_label
from annotations.model import Annotation, Box, Object
from annotations.safe_xml import at, parse
from annotations.values import (
    NUMBER,
    check_label,
    find_text,
    parse_box,
    parse_number,
    parse_whole,
)
from stage import frames
from stage.errors import StageError

ROOT = "annotation"
EDGES = ("xmin", "ymin", "xmax", "ymax")

TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*+"
"""Text that means itself in XML, on one line."""


def _element(name: str, value: str = TEXT) -> str:
    """Return the expression of an element without attributes and children, after blanks."""
    return rf"\s*+<{name}>({value})</{name}>"


HEAD = re.compile(
    rf"<{ROOT}>(?:\s*+<folder>{TEXT}</folder>)?{_element('filename')}"
    rf"(?:\s*+<source>(?:\s*+<\w++>{TEXT}</\w++>)*+\s*+</source>)?"
    rf"\s*+<size>{_element('width', '[0-9]{1,9}')}{_element('height', '[0-9]{1,9}')}"
    rf"\s*+<depth>{TEXT}</depth>\s*+</size>\s*+<segmented>{TEXT}</segmented>",
    re.ASCII,
)
ATTRIBUTE = rf"\s*+<attribute>{_element('name', TEXT)}{_element('value', TEXT)}\s*+</attribute>"
OBJECT = re.compile(
    rf"\s*+<object>{_element('name')}(?:{_element('pose')})?"
    + "".join(_element(flag, "[01]") for flag in ("truncated", "occluded", "difficult"))
    + r"\s*+<bndbox>"
    + "".join(_element(edge, NUMBER.pattern) for edge in EDGES)
    + r"\s*+</bndbox>(?:\s*+<attributes>"
    + rf"((?:{ATTRIBUTE.replace('(', '(?:')})*+)\s*+</attributes>)?\s*+</object>",
    re.ASCII,
)
END = re.compile(rf"\s*+</{ROOT}>\s*+", re.ASCII)


def read(content: bytes, where: str) -> Annotation:
    """Read one VOC file; where names it in errors.

    What CVAT writes, and `write`, is matched as a whole by three expressions: that takes a third
    of a parser's time. Everything else is left to the parser.
    """
    return _match(content) or _parse(content, where)


def _match(content: bytes) -> Annotation | None:
    """Read a VOC file that looks as CVAT's do, and is sound; None if it is not."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    head = HEAD.match(text)
    if not head or not frames.inside(head[1]):
        return None
    objects, at = [], head.end()
    while found := OBJECT.match(text, at):
        label, pose, truncated, occluded, difficult, *edges, block = found.groups()
        box, more = Box(*map(float, edges)), _match_attributes(block or "")
        if not (more and is_label(label)) or box.xmin > box.xmax or box.ymin > box.ymax:
            return None
        attributes, flags, rotation = more
        objects.append(
            Object(
                label,
                box,
                "box",
                rotation,
                is_set(occluded),
                is_set(truncated) or "truncated" in flags,
                is_set(difficult) or "difficult" in flags,
                pose or "",
                attributes,
            )
        )
        at = found.end()
    if not END.fullmatch(text, at):
        return None
    return Annotation(head[1], int(head[2]), int(head[3]), tuple(objects))


@lru_cache(maxsize=4096)
def _match_attributes(block: str) -> tuple[Attributes, frozenset[str], float] | None:
    """Read the attributes of an object; None if one is not sound. Most blocks are alike."""
    pairs = tuple((found[1], found[2]) for found in re.finditer(ATTRIBUTE, block))
    rotation = next((value for name, value in pairs if name == "rotation"), "0")
    paths = any(name in KINDS and climbs(value) for name, value in pairs)
    if paths or not all(name for name, _ in pairs) or not NUMBER.fullmatch(rotation):
        return None
    return *normalize(pairs, float(rotation)), float(rotation)


def _parse(content: bytes, where: str) -> Annotation:
    """Read any VOC file."""
    root = parse(content, where)
    if root.tag != ROOT:
        raise StageError(f"{at(root, where)}: <{ROOT}> is expected, found <{root.tag}>")
    picture = find_text(root, "filename", where)
    if not frames.inside(picture):
        raise StageError(f"{at(root, where)}: {picture[:40]!r} is no picture's name; export again")
    objects = tuple([_parse_object(element, where) for element in root.iterchildren("object")])
    return Annotation(
        picture,
        parse_whole(find_text(root, "size/width", where), "width", root, where),
        parse_whole(find_text(root, "size/height", where), "height", root, where),
        objects,
    )


def _parse_object(element: etree._Element, where: str) -> Object:
    """Read an <object>."""
    texts: dict[str, str] = {}
    edges: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for child in element:
        if child.tag == "bndbox":
            edges = {str(edge.tag): edge.text or "" for edge in child}
        elif child.tag == "attributes":
            pairs = [_parse_pair(each, where) for each in child]
        else:
            texts[child.tag] = child.text or ""
    lacking = ["name"] if not texts.get("name", "").strip() else []
    lacking += [f"bndbox/{edge}" for edge in EDGES if not edges.get(edge)]
    if lacking:
        raise StageError(f"{at(element, where)}: <object> lacks <{lacking[0]}>; export again")
    check_kinds(pairs, element, where)
    rotation = next((value for name, value in pairs if name == "rotation"), "0")
    turned = parse_number(rotation, "rotation", element, where)
    attributes, flags = normalize(tuple(pairs), turned)
    return Object(
        label=check_label(texts["name"], element, where),
        box=parse_box([edges[edge] for edge in EDGES], EDGES, element, where),
        rotation=turned,
        occluded=is_set(texts.get("occluded", "")),
        truncated=is_set(texts.get("truncated", "")) or "truncated" in flags,
        difficult=is_set(texts.get("difficult", "")) or "difficult" in flags,
        pose=texts.get("pose", ""),
        attributes=attributes,
    )


def _parse_pair(element: etree._Element, where: str) -> tuple[str, str]:
    """Read an <attribute>, whose first two children are a name and a value."""
    if len(element) != 2 or not element[0].text:
        raise StageError(f"{at(element, where)}: <attribute> lacks <name> or <value>; export again")
    return element[0].text, element[1].text or ""


def write(annotation: Annotation) -> bytes:
    """Return the VOC file of one picture."""
    picture, width, height, objects = annotation
    size = f"<width>{width}</width><height>{height}</height><depth>3</depth>"
    return (
        f"<{ROOT}>\n"
        "  <folder>JPEGImages</folder>\n"
        f"  <filename>{escape(picture)}</filename>\n"
        f"  <size>{size}</size>\n"
        "  <segmented>0</segmented>\n"
        f"{''.join([_format_object(each) for each in objects])}"
        f"</{ROOT}>\n"
    ).encode()


ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
"""A carriage return that is not escaped would be read as a line feed."""


@lru_cache(maxsize=4096)
def escape(text: str) -> str:
    """Return text as XML."""
    return text.translate(ESCAPED)


def _format_object(each: Object) -> str:
    xmin, ymin, xmax, ymax = [round(edge, 2) for edge in each.box]
    return (
        "  <object>\n"
        f"    <name>{escape(each.label)}</name>\n"
        f"{_format_flags(each.pose, each.truncated, each.occluded, each.difficult)}"
        f"    <bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>\n"
        f"{_format_attributes(each.attributes)}"
        "  </object>\n"
    )


@lru_cache(maxsize=64)
def _format_flags(pose: str, truncated: bool, occluded: bool, difficult: bool) -> str:
    return (
        (f"    <pose>{escape(pose)}</pose>\n" if pose else "")
        + f"    <truncated>{truncated:d}</truncated>\n"
        f"    <occluded>{occluded:d}</occluded>\n"
        f"    <difficult>{difficult:d}</difficult>\n"
    )


@lru_cache(maxsize=4096)
def _format_attributes(attributes: tuple[tuple[str, str], ...]) -> str:
    lines = "".join(
        f"      <attribute><name>{escape(n)}</name><value>{escape(v)}</value></attribute>\n"
        for n, v in attributes
    )
    return f"    <attributes>\n{lines}    </attributes>\n" if lines else ""
