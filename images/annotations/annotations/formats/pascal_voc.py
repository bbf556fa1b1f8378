"""'PASCAL VOC 1.1': a zip file with one XML file a picture, and lists of the subsets' pictures.

Annotations/frame_000000.xml          (see voc_file.py)
ImageSets/Main/Train.txt              the pictures of the subset Train
ImageSets/Main/Car_Train.txt          which of them have the label Car: `frame_000000  1`
"""

import re

from annotations import voc_file
from annotations.export_file import Choice, ExportFile
from annotations.model import Annotation, Export
from stage import frames
from stage.archive import Archive
from stage.errors import StageError
from stage.parallel import Lazy

NAME = "PASCAL VOC 1.1"
OPTIONS = frozenset({"subset"})

FOLDER = "Annotations/"


def matches(export: ExportFile) -> bool:
    """Tell whether an export is an archive whose XML files are all in Annotations."""
    names = export.xml_names
    return bool(names) and all(name.startswith(FOLDER) for name in names)


def read(export: ExportFile, _pictures: frames.Pictures, choice: Choice) -> Export:
    """Read an export: one file a picture, named as the picture that it describes."""
    archive = export.archive
    assert archive  # it matches
    wanted = _read_subset(archive, choice.subset)
    names = [name for name in export.xml_names if wanted is None or _identifier(name) in wanted]

    def read_file(place: int) -> Annotation:
        where = export.place(names[place])
        annotation = voc_file.read(archive.read(names[place]), where)
        if frames.stem(annotation.picture) != _identifier(names[place]).casefold():
            raise StageError(f"{where}: is about {annotation.picture}; export again from CVAT")
        return annotation

    return Export(Lazy(read_file, len(names)))


def _identifier(name: str) -> str:
    """Return what a file of the export is about: a picture's name without extension."""
    return name.removeprefix(FOLDER)[: -len(".xml")]


def _read_subset(archive: Archive, wanted: str) -> set[str] | None:
    """Return the pictures of the wanted subset, or None if all are wanted.

    In the export of a project, pictures of one name in several subsets have overwritten one
    another (cvat-ai/cvat#4993).
    """
    lists = {
        found[1]: set(archive.read(name).decode("utf-8", "replace").splitlines())
        for name in archive.names
        if (found := re.fullmatch(r"ImageSets/Main/([^/]+)\.txt", name))
    }
    subsets = {name: ids for name, ids in lists.items() if not _is_of_label(name, lists)}
    known: set[str] = set()
    for name, ids in subsets.items():
        if known & ids:
            text = f"pictures of {name} and other subsets share names, one overwrote the other"
            raise StageError(f"{archive.path}: {text}; export its tasks one by one")
        known |= ids
    if wanted and wanted not in subsets:
        text = f"has no subset {wanted!r}; there are {', '.join(sorted(subsets))}"
        raise StageError(f"{archive.path}: {text}")
    return subsets[wanted] if wanted else None


def _is_of_label(name: str, lists: dict[str, set[str]]) -> bool:
    """Tell whether a list is of who has a label: <label>_<subset>, lines that end in 1 or -1."""
    ends = all(line.endswith((" 1", " -1")) for line in lists[name])
    return ends and any(name.endswith(f"_{other}") for other in lists if other != name)
