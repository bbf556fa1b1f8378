"""What 'CVAT for video 1.1' and 'CVAT for images 1.1' share: a document with a head.

<annotations>
  <meta> (see tasks.py) </meta>
  <track .../> or <image .../>
  ...
"""

from typing import IO, NamedTuple

from lxml import etree

from annotations import safe_xml
from annotations.export_file import Choice, ExportFile
from annotations.tasks import OF_PICTURES, Task, choose_task
from stage.errors import StageError

NAME = "annotations.xml"
"""The document in a zip file; it may also come bare, by any name."""

ROOT = "annotations"


class Head(NamedTuple):
    """What stands before the annotations.

    kind: what they are, "track" or "image". meta: the element of this name, if there is one.
    """

    kind: str
    meta: etree._Element | None


def find_document(export: ExportFile) -> tuple[IO[bytes], str] | None:
    """Return the document of an export and what errors call it; None if it has none."""
    if export.archive and export.xml_names != [NAME]:
        return None
    name = NAME if export.archive else ""
    stream, where = export.open(name), export.place(name)
    try:
        root = safe_xml.read_root(stream, where)
    except StageError:  # it is another format's, or `exports` says what is wrong with it
        return None
    return (stream, where) if root.tag == ROOT else None


def consists_of(export: ExportFile, kind: str) -> bool:
    """Tell whether an export has a document of a kind, "track" or "image"."""
    document = find_document(export)
    return document is not None and read_head(*document).kind == kind


def open_task(export: ExportFile, choice: Choice) -> tuple[IO[bytes], str, Task]:
    """Return the document of an export, what errors call it, and the task that was chosen."""
    document = find_document(export)
    assert document  # it matches
    return *document, find_task(*document, choice)


def find_task(stream: IO[bytes], where: str, choice: Choice) -> Task:
    """Return the task that a document is of, or the one chosen from a project's."""
    meta = read_head(stream, where).meta
    return Task() if meta is None else choose_task(meta, choice, where)


def read_head(stream: IO[bytes], where: str) -> Head:
    """Read the head of a document; the stream is rewound.

    Where neither a track nor a picture follows, the tasks' modes tell: if all are of pictures, it
    is an export of pictures, none of which has an annotation.
    """
    kind, meta = "", None
    for element, ended in safe_xml.iterate(stream, where, ("meta", "track", "image")):
        if element.tag != "meta":
            kind = str(element.tag)
            break
        if ended:
            meta = element
    stream.seek(0)
    return Head(kind or ("image" if _modes(meta) == {OF_PICTURES} else "track"), meta)


def _modes(meta: etree._Element | None) -> set[str | None]:
    places = ("task/mode", "job/mode", "project/tasks/task/mode")
    return set() if meta is None else {m.text for place in places for m in meta.iterfind(place)}
