"""XML from outside: no DOCTYPE, no entities, no network; a StageError for what is no XML."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from lxml import etree

from annotations.model import Box
from stage.errors import StageError

OPTIONS: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False}

PARSER = etree.XMLParser(**OPTIONS)

LONGEST = 200
"""Characters of a label, which becomes a file's name."""

NUMBER = re.compile(r"-?[0-9]{1,7}(\.[0-9]{1,17})?", re.ASCII)
"""A number as exporters write it; float() alone would take nan, inf, 1_0 and Arabic digits."""


def document(content: bytes, where: str) -> etree._Element:
    """Return the root element of a whole document; where names it in errors."""
    _recognisable(content[:4096], where)
    with _refusing(where):
        root: etree._Element = etree.fromstring(content, PARSER)
    _no_doctype(root, where)
    return root


def elements(
    stream: IO[bytes], where: str, tags: tuple[str, ...]
) -> Iterator[tuple[etree._Element, bool]]:
    """Yield each element with one of the tags, when it begins (False) and when it has ended (True).

    When an element that is a child of the root, or of a <track>, has ended, it is forgotten after
    it was yielded: so a document takes no more memory than one of its pictures or shapes.
    """
    options = {**OPTIONS, "events": ("start", "end"), "tag": tags}
    with _refusing(where):
        for event, element in etree.iterparse(stream, **options):
            yield element, event == "end"
            parent = element.getparent()
            if event == "end" and parent is not None and (_tall(parent) or parent.tag == "track"):
                element.clear()
                while element.getprevious() is not None:
                    del parent[0]


def _tall(element: etree._Element) -> bool:
    return element.getparent() is None


def root(stream: IO[bytes], where: str) -> etree._Element:
    """Return the root element of a document as far as its start tag; the stream is rewound."""
    _recognisable(stream.read(4096), where)
    stream.seek(0)
    with _refusing(where):
        _, element = next(iter(etree.iterparse(stream, events=("start",), **OPTIONS)))
    stream.seek(0)
    _no_doctype(element, where)
    return element  # type: ignore[no-any-return]  # the stubs do not know


def text(element: etree._Element, path: str, where: str) -> str:
    """Return the text found at path, which must be there."""
    found = element.findtext(path)
    if not found or not found.strip():
        raise StageError(f"{at(element, where)}: <{element.tag}> lacks <{path}>; export again")
    return str(found)


def attribute(element: etree._Element, name: str, where: str) -> str:
    """Return the value of an attribute, which must be there."""
    found = element.get(name)
    if found is None:
        raise StageError(f"{at(element, where)}: <{element.tag}> lacks {name}=; export again")
    return str(found)


def label(value: str, element: etree._Element, where: str) -> str:
    """Return a label that is one: neither empty nor something that acts as a path or on a log."""
    if not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise StageError(f"{at(element, where)}: {value[:40]!r} is no label; rename it in CVAT")
    if value[0] in "./\\-" or climbs(value):
        raise StageError(f"{at(element, where)}: the label {value!r} is a path; rename it in CVAT")
    return value


def climbs(text: str) -> bool:
    """Tell whether a text would lead out of a folder if it became a file's name."""
    return ".." in text and ".." in re.split(r"[/\\]", text)


def number(value: str, what: str, element: etree._Element, where: str) -> float:
    """Return a value as a number; what names it."""
    if not NUMBER.fullmatch(value):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, which is no number")
    return float(value)


def whole(value: str, what: str, element: etree._Element, where: str) -> int:
    """Return a value as a whole number from 0."""
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, no whole number from 0")
    return int(value)


def box(edges: Mapping[str, str], element: etree._Element, where: str) -> Box:
    """Return the box of four edges, given by name as written: left, top, right, bottom."""
    values = Box(*(number(value, name, element, where) for name, value in edges.items()))
    if values.xmin > values.xmax or values.ymin > values.ymax:
        raise StageError(
            f"{at(element, where)}: the box is inside out ({', '.join(edges.values())})"
        )
    return values


def at(element: etree._Element, where: str) -> str:
    """Return the place of an element: file and line."""
    return f"{where}:{element.sourceline}"


def _recognisable(start: bytes, where: str) -> None:
    """Refuse the common things that are saved in the place of XML, by their own names."""
    words = start.lstrip().lower()
    if words.startswith((b"<!doctype html", b"<html")):
        raise StageError(f"{where}: is a web page, probably a log-in form; download it again")
    if b"<<<<<<< " in start:
        raise StageError(
            f"{where}: has merge conflict markers; take one side: git checkout --theirs"
        )


def _no_doctype(element: etree._Element, where: str) -> None:
    if element.getroottree().docinfo.doctype:  # type: ignore[attr-defined]
        raise StageError(f"{where}:1: DOCTYPE is not allowed; no exporter writes one")


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Turn what the parser raises into a StageError with the line."""
    try:
        yield
    except etree.XMLSyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise StageError(f"{where}{line}: is no XML: {error.msg}; export again") from None
    except (ValueError, LookupError) as error:
        raise StageError(f"{where}: is no XML: {error}; export again") from None
