"""Merge datasets into one, with names that say where each picture comes from.

  merge-annotations --source data/movie1 --source data/movie2 --destination data/merged/training

frame_000007 of movie1 becomes movie1__frame_000007: unique, the same whatever else is merged, and
merge.csv leads back from it. The pictures are relative links to those of the datasets.
"""

import argparse
import csv
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from annotations import dataset
from annotations.model import Annotation
from stage import cli, frames, outputs, sources
from stage.errors import StageError
from stage.progress import shown

NAME = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
"""A dataset's name: without `__`, which ends it in the names of merged pictures."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A line of merge.csv: a merged picture, and what it was called in which dataset.

    sha256: of the dataset's annotation file.
    """

    picture: str
    dataset: str
    original: str
    sha256: str


def merge(
    folders: Sequence[Path], destination: Path, images: str = "link", metrics: Path | None = None
) -> None:
    """Merge the datasets in folders into destination."""
    named = names(folders)
    finals = _finals(destination, folders, metrics)
    pictures = None if images == "none" else _pictures_folder(destination, folders)
    with outputs.whole(*finals.values(), pictures, metrics) as aside:
        numbers, lines = dataset.Metrics(), list[Merged]()
        merged = shown(_merged(named, lines, numbers), "merge", "pictures")
        written = list(dataset.write(merged, aside[finals["Annotations"]]))
        labels = _labels(folders, numbers)
        dataset.write_imagesets(written, labels, aside[finals["ImageSets"]])
        dataset.write_labelmap(labels, aside[finals["labelmap.txt"]])
        _write(lines, aside[finals["merge.csv"]])
        if pictures:
            place(lines, named, pictures, aside[pictures], PLACE[images])
        if metrics:
            numbers.write(aside[metrics])
    print(numbers)


def link(folders: Sequence[Path], destination: Path) -> None:
    """Make the links to the pictures of a merge that was made without pictures."""
    named = names(folders)
    pictures = _pictures_folder(destination, folders)
    lines = read(destination / "merge.csv")
    for line in lines:
        if line.dataset not in named:
            text = f"names the dataset {line.dataset}; give it as --source, or merge again"
            raise StageError(f"{destination / 'merge.csv'}: {text}")
    with outputs.whole(pictures) as aside:
        place(shown(lines, "link", "pictures"), named, pictures, aside[pictures], PLACE["link"])
    cli.say(f"{pictures}: {len(lines)} pictures")


def names(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the datasets' folders by the datasets' names, which are the folders' own."""
    found: dict[str, Path] = {}
    for folder in folders:
        name = Path(os.path.abspath(sources.folder(folder))).name  # noqa: PTH100  # of the link
        if not NAME.fullmatch(name):
            text = "a dataset's name has letters and digits, with single `-` or `_` between them"
            raise StageError(f"{folder}: {text}; rename the folder")
        if name in found:
            raise StageError(f"{folder}: is the second dataset called {name}; rename one")
        found[name] = folder
    return found


def _finals(destination: Path, folders: Iterable[Path], metrics: Path | None) -> dict[str, Path]:
    """Return the outputs by name, if what is there may be replaced."""
    for folder in folders:
        if destination.resolve().is_relative_to(folder.resolve()):
            raise StageError(f"{destination}: is the dataset {folder}; give another destination")
    finals = {n: destination / n for n in ("Annotations", "ImageSets", "labelmap.txt", "merge.csv")}
    outputs.replaceable(finals["Annotations"], (".xml",), folders)
    outputs.replaceable(finals["ImageSets"], (".txt",), folders)
    outputs.replaceable_file(finals["labelmap.txt"], ".txt")
    outputs.replaceable_file(finals["merge.csv"], ".csv")
    outputs.replaceable_file(metrics, ".json")
    return finals


def _merged(
    named: dict[str, Path], lines: list[Merged], numbers: dataset.Metrics
) -> Iterator[Annotation]:
    """Yield the annotations of all datasets under their new names; fill lines and numbers."""
    for name, folder in sorted(named.items()):
        for content, annotation in dataset.read(folder / "Annotations"):
            merged = replace(annotation, picture=f"{name}__{annotation.picture}")
            digest = hashlib.sha256(content).hexdigest()
            lines.append(Merged(merged.picture, name, annotation.picture, digest))
            numbers.count(merged)
            yield merged


def _labels(folders: Iterable[Path], numbers: dataset.Metrics) -> list[str]:
    """Return the labels that a dataset declares in its labelmap.txt, and those that occur."""
    maps = (folder / "labelmap.txt" for folder in folders)
    declared = {label for path in maps if path.exists() for label in dataset.read_labelmap(path)}
    numbers.labels.update(dict.fromkeys(declared, 0))
    for label in numbers.labels:
        if not dataset.is_label(label):
            raise StageError(f"{label!r}: cannot be a label; prepare its dataset again without it")
    return sorted(numbers.labels)


def _pictures_folder(destination: Path, folders: Iterable[Path]) -> Path:
    """Return where the pictures go, if what is there may be replaced."""
    folder = destination / "JPEGImages"
    outputs.replaceable(folder, sources.PICTURES, folders, links=True)
    return folder


def place(
    lines: Iterable[Merged],
    named: dict[str, Path],
    final: Path,
    folder: Path,
    put: Callable[[Path, Path, Path], None],
) -> None:
    """Put the pictures of a merge into folder, which becomes final."""
    folder.mkdir()
    made = final.resolve()
    for line in lines:
        picture = named[line.dataset].resolve() / "JPEGImages" / line.original
        if not picture.is_file():
            raise StageError(
                f"{named[line.dataset]}/JPEGImages/{line.original}: is not there; make the "
                f"pictures first (dvc repro video-to-frame@{line.dataset}), or give --images none"
            )
        path = folder / line.picture
        path.parent.mkdir(parents=True, exist_ok=True)
        put(picture, path, (made / line.picture).parent)


def _link(picture: Path, path: Path, parent: Path) -> None:
    """Link relatively, as seen from where the link will be: so it holds outside the container."""
    path.symlink_to(os.path.relpath(picture, parent))


def _copy(picture: Path, path: Path, _parent: Path) -> None:
    shutil.copyfile(picture, path)


PLACE = {"link": _link, "copy": _copy}


def _write(lines: Iterable[Merged], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Merged))
        writer.writerows(astuple(line) for line in lines)


def read(path: Path) -> list[Merged]:
    """Read a merge.csv."""
    try:
        header, *rows = csv.reader(sources.text(path).splitlines())
        lines = [Merged(*row) for row in rows]
    except (csv.Error, TypeError):
        raise StageError(f"{path}: is no merge.csv; merge again") from None
    single = len({line.picture for line in lines}) == len(lines)
    if header != [field.name for field in fields(Merged)] or not (
        single and all(map(_sound, lines))
    ):
        raise StageError(f"{path}: is no merge.csv; merge again")
    return lines


def _sound(line: Merged) -> bool:
    """Tell whether a merged picture is called as it is to be, and leads into its dataset."""
    fine = line.picture == f"{line.dataset}__{line.original}" and frames.inside(line.original)
    return fine and bool(NAME.fullmatch(line.dataset))


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add(
        "--source",
        type=Path,
        action="append",
        required=True,
        metavar="FOLDER",
        help="a dataset, data/<dataset>; once for each",
    )
    add("--destination", type=Path, required=True, metavar="FOLDER", help="for the merged dataset")
    add(
        "--images",
        choices=(*PLACE, "none"),
        default="link",
        help="relative links to the pictures (default), copies, or none",
    )
    add(
        "--links-only",
        action="store_true",
        help="only the links, of a merge made with --images none",
    )
    add("--metrics", type=Path, metavar="FILE", help="for the numbers of what is in it")
    args = parser.parse_args(argv)
    return cli.report(run, args)


def run(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    if args.links_only:
        link(args.source, args.destination)
    else:
        merge(args.source, args.destination, args.images, args.metrics)
