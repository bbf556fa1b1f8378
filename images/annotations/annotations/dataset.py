"""Pascal VOC datasets on disk: Annotations, ImageSets and labelmap.txt."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from annotations import pascal_voc
from annotations.model import Annotation
from stage import sources

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
        self.labels.update(each.label for each in annotation.objects)

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


def write(annotations: Iterable[Annotation], folder: Path) -> Iterator[Annotation]:
    """Write each annotation to folder, `a/b.xml` for the picture a/b.png, and pass it on."""
    folder.mkdir()
    made = {folder}
    for annotation in annotations:
        path = folder / f"{identifier(annotation)}.xml"
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_bytes(pascal_voc.write(annotation))
        yield annotation


def read(folder: Path) -> Iterator[tuple[bytes, Annotation]]:
    """Yield the annotations below a folder that `write` made, with the files' bytes, by name."""
    for path in sorted(sources.folder(folder).rglob("*.xml")):
        content = path.read_bytes()
        yield content, pascal_voc.read(content, str(path))


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
    _write_lines(path, [LABELMAP, BACKGROUND, *(f"{each}:{colour(each)}::" for each in labels)])


def read_labelmap(path: Path) -> list[str]:
    """Return the labels of a labelmap.txt, without the background."""
    lines = sources.file(path).read_text("utf-8").splitlines()
    return [line.split(":")[0] for line in lines if not line.startswith(("#", "background:"))]


def colour(label: str) -> str:
    """Return a colour, `r,g,b`, that is always the same for a label and never near black.

    >>> colour("Car") == colour("Car") != colour("Bicycle")
    True
    """
    return ",".join(
        str(64 + byte * 191 // 255) for byte in hashlib.sha256(label.encode()).digest()[:3]
    )


def identifier(annotation: Annotation) -> str:
    """Return the picture's name without extension, by which VOC's files call it."""
    return annotation.picture.rpartition(".")[0] or annotation.picture


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
