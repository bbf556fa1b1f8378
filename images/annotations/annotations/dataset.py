"""Pascal VOC datasets on disk: Annotations, ImageSets and labelmap.txt."""

import hashlib
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from annotations import pascal_voc
from annotations.model import Annotation
from stage import archive, frames, replaceable, sources
from stage.errors import StageError
from stage.workers import Lazy

ARCHIVE = ".zip"
LABELMAP = "# label:color_rgb:parts:actions"
BACKGROUND = "background:0,0,0::"
START = f"<{pascal_voc.ROOT}>\n  <folder>JPEGImages</folder>\n"
"""How each of our annotation files begins; other programs' have other blanks, or folders."""

LARGEST = 16 << 20
"""Bytes of metrics, at most."""


@dataclass
class Metrics:
    """What went into a dataset and what did not: numbers of pictures and objects."""

    pictures: int = 0
    objects: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)

    def count(self, annotation: Annotation) -> None:
        """Count an annotation that is kept."""
        self.pictures += 1
        self.objects += len(annotation.objects)
        for each in annotation.objects:
            self.labels[each.label] += 1

    def add(self, other: "Metrics") -> None:
        """Add the numbers of another part of the dataset."""
        self.pictures += other.pictures
        self.objects += other.objects
        self.labels.update(other.labels)
        self.dropped.update(other.dropped)
        self.doubtful.update(other.doubtful)

    def write(self, path: Path) -> None:
        """Write them as JSON, keys sorted; what is doubtful only if something is."""
        shown = {key: value for key, value in vars(self).items() if value or key != "doubtful"}
        text = json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")

    def __str__(self) -> str:
        """Return a small table of them."""
        rows = [("pictures", self.pictures), ("objects", self.objects)]
        rows += [(f"  {label}", n) for label, n in sorted(self.labels.items())]
        rows += [(f"dropped, {reason}", n) for reason, n in sorted(self.dropped.items())]
        rows += [(f"doubtful, {reason}", n) for reason, n in sorted(self.doubtful.items())]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {n:>8}" for name, n in rows)


def is_metrics(path: Path) -> bool:
    """Tell whether a file is one of metrics; a larger one than they can be is not."""
    with path.open("rb") as file:
        content = file.read(LARGEST)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= {"pictures", "objects", "labels"}


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
            content = pascal_voc.write(annotation)
            while content:
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        return Written(name, labels_of(annotation))

    def finish(self, written: Sequence[Written]) -> None:
        """Do nothing more."""


class Zip:
    """Writes annotations to a zip file, the same bytes for the same annotations."""

    def __init__(self, path: Path) -> None:
        """Remember where the zip file goes."""
        self._path = path

    def put(self, annotation: Annotation) -> Written:
        """Keep an annotation for the zip file."""
        content = pascal_voc.write(annotation)
        crc = zlib.crc32(content)
        return Written(identifier(annotation), labels_of(annotation), content, crc)

    def finish(self, written: Sequence[Written]) -> None:
        """Write the zip file."""
        archive.write(self._path, ((f"{w.name}.xml", w.content, w.crc) for w in written))


ANNOTATIONS = replaceable.Folder(re.compile(r".+\.xml"), replaceable.starting(START))

KINDS: dict[str, replaceable.Kind] = {
    "Annotations": ANNOTATIONS,
    "Annotations.zip": replaceable.File(
        "archive of annotations", lambda path: archive.written_here(path, ".xml")
    ),
    "ImageSets": replaceable.Folder(re.compile(r"Main/[^/]+\.txt")),
    "labelmap.txt": replaceable.File("labelmap.txt", replaceable.starting(f"{LABELMAP}\n")),
    "metrics.json": replaceable.File("metrics.json", is_metrics),
}
"""What a dataset consists of, and how that is told from what others made."""


def writer(path: Path) -> Folder | Zip:
    """Return what writes annotations to path: a folder to make, or one .zip file."""
    return Zip(path) if path.suffix == ARCHIVE else Folder(path)


def labels_of(annotation: Annotation) -> tuple[str, ...]:
    """Return the labels of the objects of a picture."""
    return tuple(sorted({each.label for each in annotation.objects}))


def find(root: Path) -> Path:
    """Return the annotations of the dataset in folder root: Annotations, or Annotations.zip."""
    folder, zipped = root / "Annotations", root / f"Annotations{ARCHIVE}"
    if folder.exists() and zipped.exists():
        raise StageError(f"{zipped}: is there, and Annotations, too; delete the older one")
    return zipped if zipped.exists() else folder


@contextmanager
def opened(path: Path) -> Iterator[Sequence[tuple[bytes, Annotation]]]:
    """Open the annotations that were written to path, by name; each with its file's bytes."""
    if path.suffix == ARCHIVE:
        with archive.opened(path, times=100) as zipped:
            names = zipped.names
            yield Lazy(lambda n: _read(zipped.read(names[n]), names[n], path), len(names))
    else:
        names = sorted(_listed(sources.folder(path), ""))
        yield Lazy(lambda n: _read((path / names[n]).read_bytes(), names[n], path), len(names))


def _listed(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the names of the XML files in a folder, relative to it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _listed(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.name.endswith(".xml"):
                if not entry.is_file(follow_symlinks=False):
                    sources.file(Path(entry.path))
                yield prefix + entry.name


def _read(content: bytes, name: str, path: Path) -> tuple[bytes, Annotation]:
    annotation = pascal_voc.read(content, f"{path}/{name}")
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
    lines = (line for line in sources.text(path).splitlines() if line.strip())
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
