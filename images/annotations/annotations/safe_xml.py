"""XML from outside: no DOCTYPE, no entities, no network; a StageError for what is no XML."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any, Protocol
from xml.parsers import expat  # expands nothing from outside; a DOCTYPE is refused before it ends

from lxml import etree

from annotations.model import Box
from stage.errors import StageError

OPTIONS: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False}

TALL = 2
"""How deep the elements lie that `walk` yields: root, its child, then they."""

CHUNK = 1 << 16
"""Bytes of a document that are read at a time."""

NO_DOCTYPE = "DOCTYPE is not allowed; no exporter writes one"

PARSER = etree.XMLParser(**OPTIONS)

LONGEST = 200
"""Characters of a label, which becomes a file's name."""

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

    For the head of a document: all of it that was read stays in memory.
    """
    options = {**OPTIONS, "events": ("start", "end"), "tag": tags}
    with _refusing(where):
        for event, element in etree.iterparse(stream, **options):
            yield element, event == "end"


class Element:
    """An element of a long document: attributes, children, text, and the line where it begins."""

    __slots__ = ("attributes", "children", "sourceline", "tag", "texts")

    def __init__(self, tag: str, attributes: dict[str, str], sourceline: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.sourceline = sourceline
        self.children: list[Element] = []
        self.texts: list[str] = []

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of an attribute."""
        return self.attributes.get(name, default)

    @property
    def text(self) -> str:
        """The text before, between and after its children."""
        return "".join(self.texts)


def walk(stream: IO[bytes], where: str) -> Iterator[tuple[Element, Element | None]]:
    """Yield each child of the root when it begins, with None, then with each child that it has.

    Nothing that was yielded is held on to, so a document takes the memory of one grandchild.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    stack: list[Element] = []
    found: list[tuple[Element, Element | None]] = []

    def started(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, parser.CurrentLineNumber)
        if len(stack) > TALL:
            stack[-1].children.append(element)
        elif len(stack) == 1:
            found.append((element, None))
        stack.append(element)

    def ended(_tag: str) -> None:
        element = stack.pop()
        if len(stack) == TALL:
            found.append((stack[1], element))

    def text(text: str) -> None:
        if len(stack) > TALL + 1:
            stack[-1].texts.append(text)

    def doctype(*_: object) -> None:
        raise StageError(f"{where}:1: {NO_DOCTYPE}")

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    with _refusing(where):
        content = b" "
        while content:
            content = stream.read(CHUNK)
            parser.Parse(content, not content)  # it may hold back what is long until the end
            yield from found
            found.clear()


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


class Placed(Protocol):
    """An element, of whichever parser: what errors say of it, and its attributes."""

    @property
    def tag(self) -> Any:
        """Its name."""

    @property
    def sourceline(self) -> Any:
        """The line where it begins."""

    def get(self, key: str, /) -> str | None:
        """Return the value of an attribute."""


def attribute(element: Placed, name: str, where: str) -> str:
    """Return the value of an attribute, which must be there."""
    found = element.get(name)
    if found is None:
        raise StageError(f"{at(element, where)}: <{element.tag}> lacks {name}=; export again")
    return str(found)


def label(value: str, element: Placed, where: str) -> str:
    """Return a label that is one: neither empty nor something that acts as a path or on a log."""
    if is_label(value):
        return value
    if not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise StageError(f"{at(element, where)}: {value[:40]!r} is no label; rename it in CVAT")
    raise StageError(f"{at(element, where)}: the label {value!r} is a path; rename it in CVAT")


@lru_cache(maxsize=4096)
def is_label(value: str) -> bool:
    """Tell whether a text can be a label."""
    plain = bool(value.strip()) and len(value) <= LONGEST and value.isprintable()
    return plain and value[0] not in "./\\-" and not climbs(value)


def climbs(text: str) -> bool:
    """Tell whether a text would lead out of a folder if it became a file's name."""
    return ".." in text and ".." in re.split(r"[/\\]", text)


def number(value: str, what: str, element: Placed, where: str) -> float:
    """Return a value as a number; what names it."""
    if not NUMBER.fullmatch(value):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, which is no number")
    return float(value)


def whole(value: str, what: str, element: Placed, where: str) -> int:
    """Return a value as a whole number from 0."""
    if not WHOLE.fullmatch(value):
        raise StageError(f"{at(element, where)}: {what} is {value[:40]!r}, no whole number from 0")
    return int(value)


def box(edges: Sequence[str], names: Sequence[str], element: Placed, where: str) -> Box:
    """Return the box of four edges as written: left, top, right, bottom; names: what they are."""
    if FOUR.fullmatch(",".join(edges)):
        values = Box(*map(float, edges))
    else:
        each = zip(edges, names, strict=True)
        values = Box(*[number(edge, name, element, where) for edge, name in each])
    if values.xmin > values.xmax or values.ymin > values.ymax:
        raise StageError(f"{at(element, where)}: the box is inside out ({', '.join(edges)})")
    return values


def at(element: Placed, where: str) -> str:
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
        raise StageError(f"{where}:1: {NO_DOCTYPE}")


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Turn what the parser raises into a StageError with the line."""
    try:
        yield
    except etree.XMLSyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise StageError(f"{where}{line}: is no XML: {error.msg}; export again") from None
    except expat.ExpatError as error:
        text = expat.ErrorString(error.code)
        raise StageError(f"{where}:{error.lineno}: is no XML: {text}; export again") from None
    except (ValueError, LookupError) as error:
        raise StageError(f"{where}: is no XML: {error}; export again") from None
