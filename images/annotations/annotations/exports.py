"""What CVAT exported: its format is told by what is in it, not by its name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotations import cvat_xml, safe_xml, voc_file
from annotations.export_file import ANY, Choice, ExportFile
from annotations.formats import FORMATS, Format
from annotations.model import Export
from stage import archive, frames
from stage.errors import StageError

ACCEPTED = " or ".join(", ".join(f"'{each.NAME}'" for each in FORMATS).rsplit(", ", 1))
"""The formats that are read, in words."""

OTHERS = {
    r"(task|project)\.json": "a CVAT backup",
    r"gt/gt\.txt": "'MOT 1.1'",
    r"obj\.(names|data)": "'YOLO 1.1'",
    r"data\.yaml": "'Ultralytics YOLO'",
    r"annotations/(instances|person_keypoints|captions|labels|panoptic)_.*\.json": "'COCO 1.0'",
    r"annotations/.*\.json": "'Datumaro 1.0'",
}
"""Names of files in a zip -> the format that they give away, for the error if nobody reads it."""

LACKS = {
    "task": "does not say which task a picture is of; export the task alone, or leave --task out",
    "subset": "does not say which subset a picture is in; export a task alone, without --subset",
    "interpolate": "has no keyframes to go between; leave --interpolate out",
}
"""An option of a Choice -> what a format lacks that cannot honour it."""


@contextmanager
def open_export(source: Path, pictures: frames.Pictures, choice: Choice = ANY) -> Iterator[Export]:
    """Open an export, a zip or a bare file; its pictures are named as it names them."""
    with source.open("rb") as file:
        if archive.is_zip(source):
            with archive.open_archive(source) as zipped:
                yield _read(ExportFile(source, file, zipped), pictures, choice)
        elif source.suffix.lower() == ".zip":
            raise StageError(f"{source}: is not a zip file; export again, {ACCEPTED}")
        else:
            yield _read(ExportFile(source, file), pictures, choice)


def _read(export: ExportFile, pictures: frames.Pictures, choice: Choice) -> Export:
    found = next((each for each in FORMATS if each.matches(export)), None)
    if found is None:
        raise _unknown_format(export)
    _refuse_options(found, choice, export.path)
    return found.read(export, pictures, choice)


def _refuse_options(found: Format, choice: Choice, path: Path) -> None:
    """Refuse an option that the format of an export cannot honour."""
    for option, text in LACKS.items():
        if getattr(choice, option) and option not in found.OPTIONS:
            raise StageError(f"{path}: '{found.NAME}' {text}")


def _unknown_format(export: ExportFile) -> StageError:
    """Return the error that says what an export is that no format matches."""
    names = export.xml_names
    if export.archive is None or names == [cvat_xml.NAME]:
        name = names[0] if names else ""
        root = safe_xml.read_root(export.open(name), export.place(name))  # raises if it is no XML
        one = root.tag == voc_file.ROOT
        what = "is one picture's file" if one else f"has the root <{root.tag}>, not <annotations>"
        return StageError(f"{export.place(name)}: {what}, not an export of CVAT; export {ACCEPTED}")
    return StageError(f"{export.path}: {_describe(export)}; export {ACCEPTED}")


def _describe(export: ExportFile) -> str:
    """Say what an archive is that has no annotations of ours."""
    for pattern, what in OTHERS.items():
        if any(re.fullmatch(pattern, name) for name in export.names):
            return f"is {what}, which this does not read"
    several = export.xml_names[:2]
    return f"has several {' and '.join(several)}" if several[1:] else "has no annotations inside"
