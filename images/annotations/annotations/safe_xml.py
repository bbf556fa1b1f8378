"""XML from outside: no DOCTYPE, no entities, no network; a StageError for what is no XML."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol
from xml.parsers import expat  # expands nothing from outside; a DOCTYPE is refused before it ends

from lxml import etree

from stage.errors import StageError

OPTIONS: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False}

TALL = 2
"""Depth of the elements that `walk` yields: the root's grandchildren."""

CHUNK = 1 << 16
"""Bytes of a document that are read at a time."""

NO_DOCTYPE = "DOCTYPE is not allowed; no exporter writes one"

PARSER = etree.XMLParser(**OPTIONS)


def parse(content: bytes, where: str) -> etree._Element:
    """Return the root element of a whole document; where names it in errors."""
    _refuse_lookalikes(content[:4096], where)
    with _translate_errors(where):
        root: etree._Element = etree.fromstring(content, PARSER)
    _refuse_doctype(root, where)
    return root


def iterate(
    stream: IO[bytes], where: str, tags: tuple[str, ...]
) -> Iterator[tuple[etree._Element, bool]]:
    """Yield each element with one of the tags, when it begins (False) and when it has ended (True).

    For the head of a document: all of it that was read stays in memory.
    """
    options = {**OPTIONS, "events": ("start", "end"), "tag": tags}
    with _translate_errors(where):
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
    with _translate_errors(where):
        content = b" "
        while content:
            content = stream.read(CHUNK)
            parser.Parse(content, not content)  # it may hold back what is long until the end
            yield from found
            found.clear()


def read_root(stream: IO[bytes], where: str) -> etree._Element:
    """Return the root element of a document as far as its start tag; the stream is rewound."""
    _refuse_lookalikes(stream.read(4096), where)
    stream.seek(0)
    with _translate_errors(where):
        _, element = next(iter(etree.iterparse(stream, events=("start",), **OPTIONS)))
    stream.seek(0)
    _refuse_doctype(element, where)
    return element  # type: ignore[no-any-return]  # the stubs do not know


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


def at(element: Placed, where: str) -> str:
    """Return the place of an element: file and line."""
    return f"{where}:{element.sourceline}"


def _refuse_lookalikes(start: bytes, where: str) -> None:
    """Refuse what is often saved in place of XML: a web page, or a file with merge conflicts."""
    words = start.lstrip().lower()
    if words.startswith((b"<!doctype html", b"<html")):
        raise StageError(f"{where}: is a web page, probably a log-in form; download it again")
    if b"<<<<<<< " in start:
        raise StageError(
            f"{where}: has merge conflict markers; take one side: git checkout --theirs"
        )


def _refuse_doctype(element: etree._Element, where: str) -> None:
    if element.getroottree().docinfo.doctype:  # type: ignore[attr-defined]
        raise StageError(f"{where}:1: {NO_DOCTYPE}")


@contextmanager
def _translate_errors(where: str) -> Iterator[None]:
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
