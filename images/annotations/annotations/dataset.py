"""Pascal VOC datasets on disk: Annotations, ImageSets and labelmap.txt."""

import hashlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from annotations import pascal_voc
from annotations.model import Annotation
from stage import archive, frames, sources
from stage.errors import StageError

ARCHIVE = ".zip"
LABELMAP = "# label:color_rgb:parts:actions"
BACKGROUND = "background:0,0,0::"


@dataclass
class Metrics:
    """What went into a dataset and what did not: numbers of pictures and objects."""

    pictures: int = 0
    objects: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, annotation: Annotation) -> None:
        """Count an annotation that is kept."""
        self.pictures += 1
        self.objects += len(annotation.objects)
        for each in annotation.objects:
            self.labels[each.label] += 1

    def write(self, path: Path) -> None:
        """Write them as JSON, keys sorted."""
        text = json.dumps(vars(self), indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")

    def __str__(self) -> str:
        """Return a small table of them."""
        rows = [("pictures", self.pictures), ("objects", self.objects)]
        rows += [(f"  {label}", n) for label, n in sorted(self.labels.items())]
        rows += [(f"dropped, {reason}", n) for reason, n in sorted(self.dropped.items())]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {n:>8}" for name, n in rows)


def write(annotations: Iterable[Annotation], path: Path) -> Iterator[Annotation]:
    """Write each annotation, `a/b.xml` for the picture a/b.png, and pass it on.

    path is a folder to make, or ends with .zip: then it is one archive, the same bytes each time.
    """
    put = _zipped(path) if path.suffix == ARCHIVE else _in_folder(path)
    with put as write_file:
        for annotation in annotations:
            write_file(f"{identifier(annotation)}.xml", pascal_voc.write(annotation))
            yield annotation


Put = Callable[[str, bytes], None]


@contextmanager
def _in_folder(folder: Path) -> Iterator[Put]:
    folder.mkdir()
    made = {folder}

    def put(name: str, content: bytes) -> None:
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_bytes(content)

    yield put


@contextmanager
def _zipped(path: Path) -> Iterator[Put]:
    """Zip files in the order in which they come, with one date and mode for all."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as zipped:

        def put(name: str, content: bytes) -> None:
            info = zipfile.ZipInfo(name)  # dated 1980-01-01
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o100644 << 16
            zipped.writestr(info, content)

        yield put


def find(root: Path) -> Path:
    """Return the annotations of the dataset in folder root: Annotations, or Annotations.zip."""
    folder, zipped = root / "Annotations", root / f"Annotations{ARCHIVE}"
    if folder.exists() and zipped.exists():
        raise StageError(f"{zipped}: is there, and Annotations, too; delete the older one")
    return zipped if zipped.exists() else folder


def read(path: Path) -> Iterator[tuple[bytes, Annotation]]:
    """Yield the annotations that `write` wrote to path, with their files' bytes, by name."""
    for name, content in _files(path):
        annotation = pascal_voc.read(content, f"{path}/{name}")
        own = name.removesuffix(".xml")
        if identifier(annotation) != own:
            text = "prepare the dataset again"
            raise StageError(f"{path}/{name}: is about {annotation.picture}, not {own}; {text}")
        yield content, annotation


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ARCHIVE:
        with archive.opened(path, times=100) as opened:
            yield from ((name, opened.read(name)) for name in opened.names)
        return
    files = {
        file.relative_to(path).as_posix(): file for file in sources.folder(path).rglob("*.xml")
    }
    for name, file in sorted(files.items()):
        yield name, sources.file(file).read_bytes()


def write_imagesets(annotations: Iterable[Annotation], labels: Iterable[str], folder: Path) -> None:
    """Write ImageSets/Main: default.txt lists the pictures, <label>_default.txt who has the label.

    Lines of the latter are `id  1` and `id -1`, as in the Pascal VOC devkit.
    """
    kept = [(identifier(a), {each.label for each in a.objects}) for a in annotations]
    main = folder / "Main"
    main.mkdir(parents=True)
    _write_lines(main / "default.txt", (name for name, _ in kept))
    for label in labels:
        lines = (f"{name} {1 if label in labelled else -1:2}" for name, labelled in kept)
        _write_lines(main / f"{label}_default.txt", lines)


def write_labelmap(labels: Iterable[str], path: Path) -> None:
    """Write labelmap.txt as CVAT has it; a label's colour depends on its name alone."""
    coloured = (f"{each}:{colour(each)}::" for each in labels if each != "background")
    _write_lines(path, [LABELMAP, BACKGROUND, *coloured])


def read_labelmap(path: Path) -> list[str]:
    """Return the labels of a labelmap.txt, without the background."""
    lines = (line for line in sources.text(path).splitlines() if line.strip())
    return [line.split(":")[0] for line in lines if not line.startswith(("#", "background:"))]


def is_label(label: str) -> bool:
    """Tell whether a label can be kept: it becomes a file's name and a line of labelmap.txt."""
    return bool(re.fullmatch(r"[^.:/\\\s-][^:/\\]*", label)) and label.isprintable()


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
