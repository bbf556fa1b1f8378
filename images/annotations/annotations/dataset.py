"""Pascal VOC datasets on disk: Annotations, ImageSets and labelmap.txt."""

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from annotations import metrics, voc_file
from annotations.model import Annotation
from stage import archive, frames, output_checks, sources
from stage.errors import StageError
from stage.parallel import Lazy

ARCHIVE = ".zip"
LABELMAP = "# label:color_rgb:parts:actions"
BACKGROUND = "background:0,0,0::"
START = f"<{voc_file.ROOT}>\n  <folder>JPEGImages</folder>\n"
"""How each annotation file of a stage begins; other programs write other blanks or folders."""


class Written(NamedTuple):
    """What was written of a picture: its identifier and labels; for a zip, its file and CRC-32.

    They sort as they are to be listed.
    """

    name: str
    labels: tuple[str, ...]
    content: bytes = b""
    crc: int = 0


class Folder:
    """Writes annotations to a folder, `a/b.xml` for the picture a/b.png, from any process."""

    def __init__(self, path: Path) -> None:
        """Make the folder."""
        path.mkdir()
        self._path = path
        self._made = {""}

    def put(self, annotation: Annotation) -> Written:
        """Write an annotation."""
        name = identifier(annotation)
        folder = name.rpartition("/")[0]
        if folder not in self._made:
            (self._path / folder).mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        file = os.open(f"{self._path}/{name}.xml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            content = voc_file.write(annotation)
            while content:
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        return Written(name, list_labels(annotation))

    def finish(self, written: Sequence[Written]) -> None:
        """Do nothing more."""


class Zip:
    """Writes annotations to a zip file, the same bytes for the same annotations."""

    def __init__(self, path: Path) -> None:
        """Remember where the zip file goes."""
        self._path = path

    def put(self, annotation: Annotation) -> Written:
        """Keep an annotation for the zip file."""
        content = voc_file.write(annotation)
        crc = zlib.crc32(content)
        return Written(identifier(annotation), list_labels(annotation), content, crc)

    def finish(self, written: Sequence[Written]) -> None:
        """Write the zip file."""
        archive.write(self._path, ((f"{w.name}.xml", w.content, w.crc) for w in written))


ANNOTATIONS = output_checks.Folder(re.compile(r".+\.xml"), output_checks.starts_with(START))

KINDS: dict[str, output_checks.Kind] = {
    "Annotations": ANNOTATIONS,
    "Annotations.zip": output_checks.File(
        "archive of annotations", lambda path: archive.is_own(path, ".xml")
    ),
    "ImageSets": output_checks.Folder(re.compile(r"Main/[^/]+\.txt")),
    "labelmap.txt": output_checks.File("labelmap.txt", output_checks.starts_with(f"{LABELMAP}\n")),
    "metrics.json": metrics.KIND,
}
"""The parts of a dataset, and how each is recognised as a stage's."""


def choose_writer(path: Path) -> Folder | Zip:
    """Return what writes annotations to path: a folder to make, or one .zip file."""
    return Zip(path) if path.suffix == ARCHIVE else Folder(path)


def list_labels(annotation: Annotation) -> tuple[str, ...]:
    """Return the labels of the objects of a picture."""
    return tuple(sorted({each.label for each in annotation.objects}))


def find(root: Path) -> Path:
    """Return the annotations of the dataset in folder root: Annotations, or Annotations.zip."""
    folder, zipped = root / "Annotations", root / f"Annotations{ARCHIVE}"
    if folder.exists() and zipped.exists():
        raise StageError(f"{zipped}: is there, and Annotations, too; delete the older one")
    return zipped if zipped.exists() else folder


@contextmanager
def open_annotations(path: Path) -> Iterator[Sequence[tuple[bytes, Annotation]]]:
    """Open the annotations that were written to path, by name; each with its file's bytes."""
    if path.suffix == ARCHIVE:
        with archive.open_archive(path, times=100) as zipped:
            names = zipped.names
            yield Lazy(lambda n: _read_file(zipped.read(names[n]), names[n], path), len(names))
    else:
        names = sorted(_list_names(sources.check_folder(path), ""))
        yield Lazy(lambda n: _read_file((path / names[n]).read_bytes(), names[n], path), len(names))


def _list_names(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the names of the XML files in a folder, relative to it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _list_names(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.name.endswith(".xml"):
                if not entry.is_file(follow_symlinks=False):
                    sources.check_file(Path(entry.path))
                yield prefix + entry.name


def _read_file(content: bytes, name: str, path: Path) -> tuple[bytes, Annotation]:
    annotation = voc_file.read(content, f"{path}/{name}")
    own = name.removesuffix(".xml")
    if identifier(annotation) != own:
        text = "prepare the dataset again"
        raise StageError(f"{path}/{name}: is about {annotation.picture}, not {own}; {text}")
    return content, annotation


def write_imagesets(written: Sequence[Written], labels: Iterable[str], folder: Path) -> None:
    """Write ImageSets/Main: default.txt lists the pictures, <label>_default.txt who has the label.

    Lines of the latter are `id  1` and `id -1`, as in the Pascal VOC devkit.
    """
    main = folder / "Main"
    main.mkdir(parents=True)
    _write_lines(main / "default.txt", (each.name for each in written))
    for label in labels:
        lines = (f"{w.name} {' 1' if label in w.labels else '-1'}" for w in written)
        _write_lines(main / f"{label}_default.txt", lines)


def write_labelmap(labels: Iterable[str], path: Path) -> None:
    """Write labelmap.txt as CVAT has it; a label's colour depends on its name alone."""
    coloured = (f"{each}:{colour(each)}::" for each in labels if each != "background")
    _write_lines(path, [LABELMAP, BACKGROUND, *coloured])


def read_labelmap(path: Path) -> list[str]:
    """Return the labels of a labelmap.txt, without the background."""
    lines = (line for line in sources.read_text(path).splitlines() if line.strip())
    return [line.split(":")[0] for line in lines if not line.startswith(("#", "background:"))]


def colour(label: str) -> str:
    """Return a colour, `r,g,b`, that is always the same for a label and never near black.

    >>> colour("Car") == colour("Car") != colour("Bicycle")
    True
    """
    digest = hashlib.sha256(label.encode()).digest()
    return ",".join(str(64 + byte * 191 // 255) for byte in digest[:3])


def identifier(annotation: Annotation) -> str:
    """Return the name by which Pascal VOC calls a picture: without extension."""
    return frames.identifier(annotation.picture)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
