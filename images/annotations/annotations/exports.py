"""What CVAT exported: its format is told by what is in it, not by its name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from annotations import cvat_images, cvat_video, cvat_xml, pascal_voc, safe_xml
from annotations.cvat_xml import ANY, Choice
from annotations.model import Annotation, Export
from stage import archive, frames
from stage.errors import StageError
from stage.workers import Lazy

ACCEPTED = "'PASCAL VOC 1.1', 'CVAT for video 1.1' or 'CVAT for images 1.1'"

READERS = {"track": cvat_video.read, "image": cvat_images.read}
"""What an <annotations> document consists of -> the module that reads it."""

OTHERS = {
    r"(task|project)\.json": "a CVAT backup",
    r"gt/gt\.txt": "'MOT 1.1'",
    r"obj\.(names|data)": "'YOLO 1.1'",
    r"data\.yaml": "'Ultralytics YOLO'",
    r"annotations/(instances|person_keypoints|captions|labels|panoptic)_.*\.json": "'COCO 1.0'",
    r"annotations/.*\.json": "'Datumaro 1.0'",
}
"""Names of files in a zip -> the format that they give away, which is none of ours."""


@contextmanager
def opened(source: Path, pictures: frames.Pictures, choice: Choice = ANY) -> Iterator[Export]:
    """Open an export, a zip or a bare XML file; its pictures are named as it names them."""
    if not archive.is_zip(source):
        if source.suffix.lower() == ".zip":
            raise StageError(f"{source}: is not a zip file; export again, {ACCEPTED}")
        with source.open("rb") as file:
            yield _xml(file, str(source), pictures, choice)
        return
    with archive.opened(source) as zipped:
        names = [name for name in zipped.names if name.lower().endswith(".xml")]
        voc = [name for name in names if name.startswith("Annotations/")]
        if names == ["annotations.xml"]:
            content = BytesIO(zipped.read(names[0]))
            yield _xml(content, f"{source}/{names[0]}", pictures, choice)
        elif voc and voc == names:
            yield _voc(zipped, voc, choice)
        else:
            raise StageError(f"{source}: {_what(zipped.names)}; export {ACCEPTED}")


def _what(names: list[str]) -> str:
    """Say what an archive is that has no annotations of ours."""
    for pattern, what in OTHERS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return f"is {what}, which this does not read"
    xmls = [name for name in names if name.lower().endswith(".xml")]
    return f"has several {' and '.join(xmls[:2])}" if len(xmls) > 1 else "has no annotations inside"


def _xml(stream: IO[bytes], where: str, pictures: frames.Pictures, choice: Choice) -> Export:
    root = safe_xml.root(stream, where)
    if root.tag != "annotations":
        one = root.tag == pascal_voc.ROOT
        what = "is one picture's file" if one else f"has the root <{root.tag}>, not <annotations>"
        raise StageError(f"{where}: {what}, not an export of CVAT; export {ACCEPTED}")
    kind, task = cvat_xml.head(stream, where, choice)
    return READERS[kind](stream, where, pictures, task, choice.interpolate)


def _voc(zipped: archive.Archive, names: list[str], choice: Choice) -> Export:
    """Read a VOC export: one file a picture, named as the picture that it describes."""
    wanted = _subset(zipped, choice)
    names = [name for name in names if wanted is None or _own(name) in wanted]

    def annotation(place: int) -> Annotation:
        where = f"{zipped.path}/{names[place]}"
        found = pascal_voc.read(zipped.read(names[place]), where)
        if frames.stem(found.picture) != _own(names[place]).casefold():
            raise StageError(f"{where}: is about {found.picture}; export again from CVAT")
        return found

    return Export(Lazy(annotation, len(names)))


def _own(name: str) -> str:
    """Return what a file of a VOC export is about: a picture's name without extension."""
    return name.removeprefix("Annotations/")[: -len(".xml")]


def _subset(opened: archive.Archive, choice: Choice) -> set[str] | None:
    """Return the pictures of the chosen subset, or None if all are wanted.

    In the export of a project, pictures of one name in several subsets have overwritten one
    another (cvat-ai/cvat#4993).
    """
    if choice.task:
        text = "'PASCAL VOC 1.1' does not say which task a picture is of"
        raise StageError(f"{opened.path}: {text}; export the task alone, or leave --task out")
    lists = {
        found[1]: set(opened.read(name).decode("utf-8", "replace").splitlines())
        for name in opened.names
        if (found := re.fullmatch(r"ImageSets/Main/([^/]+)\.txt", name))
    }
    subsets = {name: ids for name, ids in lists.items() if not _per_label(name, lists)}
    known: set[str] = set()
    for name, ids in subsets.items():
        if known & ids:
            text = f"pictures of {name} and other subsets share names, one overwrote the other"
            raise StageError(f"{opened.path}: {text}; export its tasks one by one")
        known |= ids
    if choice.subset and choice.subset not in subsets:
        text = f"has no subset {choice.subset!r}; there are {', '.join(sorted(subsets))}"
        raise StageError(f"{opened.path}: {text}")
    return subsets[choice.subset] if choice.subset else None


def _per_label(name: str, lists: dict[str, set[str]]) -> bool:
    """Tell whether a list is of who has a label: <label>_<subset>, lines that end in 1 or -1."""
    ends = all(line.endswith((" 1", " -1")) for line in lists[name])
    return ends and any(name.endswith(f"_{other}") for other in lists if other != name)
