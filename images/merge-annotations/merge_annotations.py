"""Merge datasets into one, with names that say where each picture comes from.

  merge-annotations --source data/movie1 --source data/movie2 --destination data/merged/training

frame_000007 of movie1 becomes movie1__frame_000007: unique, the same whatever else is merged, and
merge.csv leads back from it. The pictures are relative links to those of the datasets.

  merge-annotations --source 'data/movie1[5000:]' --destination data/merged/validation
      --against data/merged/training/merge.csv

takes the frames from 5000 on, and refuses if training overlaps them. By the frames.csv of all
datasets of both splits it compares: the numbers of a dataset's frames, which must not be within
--guard of each other; whole movies, of which two are one if they share half of the shorter one's
different frames; and each picture of one split with each of the other, pixel by pixel, whatever
they are called. A movie that was encoded again has other pixels, and is not found.
"""

import argparse
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import lineage
import overlap
from annotations import dataset
from annotations.dataset import Written
from lineage import Merged
from pictures import PLACE, place
from stage import cli, frames, outputs, sources
from stage.errors import StageError
from stage.progress import shown
from stage.replaceable import Folder, Kind, Output, check_replaceable
from stage.workers import spread

PICTURES = "JPEGImages"

MERGED = rf"{lineage.NAME.pattern}__.+"
"""What the files of a merge are called."""

KINDS: dict[str, Kind] = {
    **dataset.KINDS,
    "Annotations": replace(dataset.ANNOTATIONS, names=re.compile(rf"{MERGED}\.xml")),
    PICTURES: Folder(
        re.compile(rf"{MERGED}({'|'.join(map(re.escape, sources.PICTURES))})", re.I), links=True
    ),
    "merge.csv": lineage.KIND,
}
"""What a merge consists of, and how that is told from what others made."""


@dataclass(frozen=True)
class Source:
    """A dataset to merge: its folder, and the frames to take, absolute numbers, end exclusive."""

    folder: Path
    first: int = 0
    end: int | None = None

    @property
    def name(self) -> str:
        """The dataset's name, which is the folder's own, or the link's if it is one."""
        return Path(os.path.abspath(self.folder)).name  # noqa: PTH100

    @property
    def whole(self) -> bool:
        """Whether all frames are taken."""
        return self == Source(self.folder)

    def takes(self, number: int) -> bool:
        """Tell whether a frame is taken."""
        return self.first <= number and (self.end is None or number < self.end)


@dataclass(frozen=True)
class Against:
    """Another split, by its merge.csv, and how near to its frames this one's may not come."""

    path: Path
    guard: int = 1


def merge(
    folders: Sequence[Path | Source],
    destination: Path,
    images: str = "link",
    metrics: Path | None = None,
    against: Sequence[Against] = (),
) -> None:
    """Merge the datasets in folders into destination."""
    named = names(folders)
    roots = [source.folder for source in named.values()]
    finals = {n: destination / n for n in ("Annotations", "ImageSets", "labelmap.txt", "merge.csv")}
    pictures = None if images == "none" else destination / PICTURES
    made = [Output(f"{n} of --destination", path, KINDS[n]) for n, path in finals.items()]
    made += [
        Output(f"{PICTURES} of --destination", pictures, KINDS[PICTURES]),
        Output("--metrics", metrics, KINDS["metrics.json"]),
    ]
    check_replaceable(made, [*_inputs(roots), *(other.path for other in against)])
    with outputs.whole(*finals.values(), pictures, metrics) as aside:
        numbers = dataset.Metrics()
        written, lines = _merged(named, dataset.writer(aside[finals["Annotations"]]), numbers)
        _apart(lines, named, against)
        labels = _labels(roots, numbers)
        dataset.write_imagesets(written, labels, aside[finals["ImageSets"]])
        dataset.write_labelmap(labels, aside[finals["labelmap.txt"]])
        lineage.write(lines, aside[finals["merge.csv"]])
        if pictures:
            place(lines, _folders(named), pictures, aside[pictures], images)
        if metrics:
            numbers.write(aside[metrics])
    print(numbers)


def link(folders: Sequence[Path | Source], destination: Path) -> None:
    """Make the links to the pictures of a merge that was made without pictures."""
    named = names(folders)
    merged, pictures = destination / "merge.csv", destination / PICTURES
    made = [Output(f"{PICTURES} of --destination", pictures, KINDS[PICTURES])]
    check_replaceable(made, [*_inputs(source.folder for source in named.values()), merged])
    lines = lineage.read(merged)
    for line in lines:
        if line.dataset not in named:
            text = f"names the dataset {line.dataset}; give it as --source, or merge again"
            raise StageError(f"{merged}: {text}")
    with outputs.whole(pictures) as aside:
        place(shown(lines, "link", "pictures"), _folders(named), pictures, aside[pictures], "link")
    cli.say(f"{pictures}: {len(lines)} pictures")


def names(folders: Sequence[Path | Source]) -> dict[str, Source]:
    """Return the datasets by their names."""
    found: dict[str, Source] = {}
    for each in folders:
        source = each if isinstance(each, Source) else Source(each)
        sources.folder(source.folder)
        if not lineage.NAME.fullmatch(source.name):
            text = "a dataset's name has letters and digits, with single `-` or `_` between them"
            raise StageError(f"{source.folder}: {text}; rename the folder")
        if source.name in found:
            text = f"is the second dataset called {source.name}; rename one"
            raise StageError(f"{source.folder}: {text}")
        found[source.name] = source
    return found


def _folders(named: dict[str, Source]) -> dict[str, Path]:
    return {name: source.folder for name, source in named.items()}


def _inputs(folders: Iterable[Path]) -> list[Path]:
    """Return what is read of datasets: their folders, and parts that may be links to elsewhere."""
    names = ("", "Annotations", f"Annotations{dataset.ARCHIVE}", "JPEGImages")
    return [folder / name for folder in folders for name in names]


def _merged(
    named: dict[str, Source], to: dataset.Folder | dataset.Zip, numbers: dataset.Metrics
) -> tuple[list[Written], list[Merged]]:
    """Write the annotations of all datasets under their new names, and return what was written."""
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(dataset.opened(dataset.find(source.folder)))
            for name, source in sorted(named.items())
        }
        pictures = {n: None if s.whole else frames.of(s.folder) for n, s in named.items()}
        places = [(name, place) for name, each in opened.items() for place in range(len(each))]

        def part(wanted: range) -> tuple[list[Written], list[Merged], dataset.Metrics]:
            written, lines, counted = list[Written](), list[Merged](), dataset.Metrics()
            for name, place in places[wanted.start : wanted.stop]:
                content, annotation = opened[name][place]
                merged = annotation._replace(picture=f"{name}__{annotation.picture}")
                digest = hashlib.sha256(content).hexdigest()
                line = Merged(merged.picture, name, annotation.picture, digest)
                known = pictures[name]
                if known is None or named[name].takes(overlap.number(line, known)):
                    lines.append(line)
                    counted.count(merged)
                    written.append(to.put(merged))
            return written, lines, counted

        lines: list[Merged] = []

        def parts() -> Iterator[Written]:
            for written, own, counted in spread(part, len(places)):
                lines.extend(own)
                numbers.add(counted)
                yield from written

        written = list(shown(parts(), "merge", "pictures"))
    taken = {line.dataset for line in lines}
    for name, source in named.items():
        if not source.whole and name not in taken:
            end = "" if source.end is None else source.end
            raise StageError(f"{source.folder}: has no annotation in [{source.first}:{end}]")
    to.finish(written)
    return written, lines


def _apart(lines: Sequence[Merged], named: dict[str, Source], against: Iterable[Against]) -> None:
    """Refuse a split that overlaps another; datasets of the other lie beside this one's."""
    parent = next(iter(named.values())).folder.parent

    @cache
    def pictures_of(name: str) -> frames.Pictures:
        folder = named[name].folder if name in named else parent / name
        pictures = frames.of(folder)
        if not pictures.complete:
            text = "lacks frames.csv to compare movies by; run video-to-frame --index"
            raise StageError(f"{folder}: {text}")
        return pictures

    for other in against:
        others = lineage.read(other.path)
        overlap.refuse(lines, others, pictures_of, other.guard, other.path)


def _labels(folders: Iterable[Path], numbers: dataset.Metrics) -> list[str]:
    """Return the labels that a dataset declares in its labelmap.txt, and those that occur."""
    maps = (folder / "labelmap.txt" for folder in folders)
    declared = {label for path in maps if path.exists() for label in dataset.read_labelmap(path)}
    numbers.labels.update(dict.fromkeys(declared, 0))
    for label in numbers.labels:
        if not dataset.is_label(label):
            raise StageError(f"{label!r}: cannot be a label; prepare its dataset again without it")
    return sorted(numbers.labels)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    text = "a dataset, data/<dataset>, once for each; data/<dataset>[0:5000] takes frames 0 to 4999"
    add("--source", type=source, action="append", required=True, metavar="FOLDER", help=text)
    add("--destination", type=Path, required=True, metavar="FOLDER", help="for the merged dataset")
    text = "relative links to the pictures (default), copies, or none"
    add("--images", choices=(*PLACE, "none"), default="link", help=text)
    text = "only the links, of a merge made with --images none"
    add("--links-only", action="store_true", help=text)
    add("--metrics", type=Path, metavar="FILE", help="for the numbers of what is in it")
    text = "the merge.csv of another split, which must not overlap; may be repeated"
    add("--against", type=Path, action="append", default=[], metavar="FILE", help=text)
    text = "frames this near to one of the other split overlap it (default: 1)"
    add("--guard", type=int, default=1, metavar="N", help=text)
    args = parser.parse_args(argv)
    if args.guard < 0:
        parser.error("--guard must be 0 or more")
    return cli.report(run, args)


def run(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    if args.links_only:
        link(args.source, args.destination)
    else:
        against = [Against(path, args.guard) for path in args.against]
        merge(args.source, args.destination, args.images, args.metrics, against)


def source(text: str) -> Source:
    """Return the dataset that a word of the command line names.

    >>> source("data/movie1[100:200]")
    Source(folder=PosixPath('data/movie1'), first=100, end=200)
    """
    found = re.fullmatch(r"(.+)\[([0-9]{0,9}):([0-9]{0,9})\]", text, re.ASCII | re.S)
    if not found:
        return Source(Path(text))
    return Source(Path(found[1]), int(found[2] or 0), int(found[3]) if found[3] else None)
