"""The canonical form of an export: CVAT's bytes without what changes though nothing was changed.

Of `<meta>` go the lines of the dump's date, the date of the last save, e-mail addresses, and the
server's own addresses; one comes in, which says the frames that were deleted, or that none was:

    <task>
      <deleted_frames>6 24</deleted_frames>
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.parsers import expat

from pipelines.errors import PipelineError

DROPPED = re.compile(
    rb"^[ \t]*<(dumped|updated|email|url|deleted_frames)(?:/>|>[^<]*</\1>)[ \t]*(?:\r?\n|\Z)", re.M
)
"""The lines that go."""

LEFT = re.compile(rb"<(dumped|updated|email|url)\b")
"""What must be there before, and must not be there after it: CVAT always writes a date."""

OWNER = re.compile(rb"^([ \t]*)<(?:task|job|project)>[ \t]*(\r?\n)", re.M)
"""The line after which the deleted frames stand."""

DATE = re.compile(r"([0-9-]{10})[ T]([0-9:]{8}(?:\.[0-9]{1,6})?)(?:\+00:00|Z)", re.ASCII)


class Canonical(NamedTuple):
    """content: the file. updated: the task's last change that is in it, as the API writes it."""

    content: bytes
    updated: str


class Stripped(NamedTuple):
    """An export without the lines that go: head ends where the deleted frames are to stand.

    blanks, line_end: what that line begins and ends with. updated: as in Canonical.
    """

    head: bytes
    blanks: bytes
    line_end: bytes
    tail: bytes
    updated: str

    def fill(self, deleted: Sequence[int]) -> Canonical:
        """Return the canonical form; deleted: the numbers of the frames that were deleted."""
        numbers = " ".join(map(str, sorted(deleted))).encode()
        line = b"  <deleted_frames>" + numbers + b"</deleted_frames>"
        content = self.head + self.blanks + line + self.line_end + self.tail
        return Canonical(content, self.updated)


def strip(content: bytes) -> Stripped:
    """Read an export in one of CVAT's own formats; a PipelineError says that it is none."""
    start, end, updated = _read_meta(content)
    meta = content[start:end]
    if not LEFT.search(meta):
        raise _error("has no date of its dump; it is no export of a CVAT that is known")
    kept = DROPPED.sub(b"", meta)
    if left := LEFT.search(kept):
        raise _error(f"has <{left[1].decode()}> where it is not expected")
    owner = OWNER.search(kept)
    if not owner:
        raise _error("has no line <task> in its <meta>")
    head, tail = content[:start] + kept[: owner.end()], kept[owner.end() :] + content[end:]
    return Stripped(head, owner[1], owner[2], tail, updated)


def _read_meta(content: bytes) -> tuple[int, int, str]:
    """Return where `<meta>` begins and ends, and the date in it; refuse what is no safe XML."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise _error("is not in UTF-8") from None
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise _error(f"is no XML: line {error.lineno}: {expat.ErrorString(error.code)}") from None
    if reader.root != "annotations" or not reader.end:
        raise _error(
            "has no <meta>; it is in none of the formats 'CVAT for video' and 'for images'"
        )
    matched = DATE.fullmatch(reader.updated.strip())
    if not matched:
        raise _error("has no date of the task's last change")
    return reader.start, reader.end, f"{matched[1]}T{matched[2]}Z"


class _Reader:
    """Reads an export once: that it is well-formed, without a DTD, and where its meta is."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.root, self.updated, self.start, self.end = "", "", 0, 0
        self._path: list[str] = []
        self.parser.StartElementHandler = self._enter
        self.parser.EndElementHandler = self._leave
        self.parser.CharacterDataHandler = self._take
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.XmlDeclHandler = self._check_declaration

    def _enter(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        self.root = self.root or name
        if self._path == ["annotations", "meta"]:
            self.start = self.parser.CurrentByteIndex

    def _leave(self, _: str) -> None:
        if self._path == ["annotations", "meta"]:
            self.end = self.parser.CurrentByteIndex
            self.parser.StartElementHandler = None
            self.parser.EndElementHandler = None
            self.parser.CharacterDataHandler = None
        self._path.pop()

    def _take(self, text: str) -> None:
        if self._path[:2] == ["annotations", "meta"] and self._path[3:] == ["updated"]:
            self.updated += text

    def _refuse_doctype(self, *_: object) -> None:
        raise _error("has a DTD, which CVAT never writes")

    def _check_declaration(self, _: str, encoding: str | None, __: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "utf8"):
            raise _error("is not in UTF-8")


def _error(text: str) -> PipelineError:
    return PipelineError(f"annotations.xml: {text}")
