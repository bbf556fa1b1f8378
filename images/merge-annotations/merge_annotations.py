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

With --parameters, the labels are numbered by annotations.valid-labels of params.yaml, the same in
every split. Without it they are those of the datasets, sorted.
"""

import argparse
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import classes
import lineage
import overlap
from annotations import dataset
from annotations.dataset import Written
from annotations.metrics import Metrics
from lineage import Merged
from pictures import PLACE, place
from selection import Source, list_inputs, name_sources, parse_source, refuse_unused
from stage import cli, frames, outputs, sources
from stage.errors import StageError
from stage.output_checks import Folder, Kind, Output, check_outputs
from stage.parallel import spread
from stage.progress import show_progress

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

PARTS = ("Annotations", "ImageSets", "labelmap.txt", "merge.csv")
"""What is always made; the pictures are only if they are wanted."""


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
    parameters: Path | None = None,
) -> None:
    """Merge the datasets in folders into destination.

    parameters: params.yaml, for the order of the labels; None: they are sorted.
    """
    named = name_sources(folders)
    order = classes.read(parameters)
    finals = {part: destination / part for part in PARTS}
    pictures = None if images == "none" else destination / PICTURES
    made = [Output(f"{n} of --destination", path, KINDS[n]) for n, path in finals.items()]
    made += [_pictures_output(pictures), Output("--metrics", metrics, KINDS["metrics.json"])]
    read = [*list_inputs(named), *(other.path for other in against)]
    check_outputs(made, [*read, parameters] if parameters else read)
    with outputs.write_whole(*finals.values(), pictures, metrics) as aside:
        numbers = Metrics()
        to = dataset.choose_writer(aside[finals["Annotations"]])
        written, lines = _write(named, to, numbers, destination)
        refuse_overlap(lines, named, against)
        labels = classes.count(order, (source.folder for source in named.values()), numbers)
        dataset.write_imagesets(written, labels, aside[finals["ImageSets"]])
        dataset.write_labelmap(labels, aside[finals["labelmap.txt"]])
        lineage.write(lines, aside[finals["merge.csv"]])
        if pictures:
            place(lines, _folders(named), pictures, aside[pictures], images)
        if metrics:
            numbers.write(aside[metrics])
    classes.warn(order, numbers, destination)
    print(numbers)


def link(folders: Sequence[Path | Source], destination: Path) -> None:
    """Make the links to the pictures of a merge that was made without pictures."""
    named = name_sources(folders)
    merged, pictures = destination / "merge.csv", destination / PICTURES
    check_outputs([_pictures_output(pictures)], [*list_inputs(named), merged])
    lines = lineage.read(merged)
    for line in lines:
        if line.dataset not in named:
            text = f"names the dataset {line.dataset}; give it as --source, or merge again"
            raise StageError(f"{merged}: {text}")
    with outputs.write_whole(pictures) as aside:
        wanted = show_progress(lines, destination, "pictures")
        place(wanted, _folders(named), pictures, aside[pictures], "link")
    cli.say(f"{pictures}: {len(lines)} pictures")


def _pictures_output(path: Path | None) -> Output:
    return Output(f"{PICTURES} of --destination", path, KINDS[PICTURES])


def _folders(named: dict[str, Source]) -> dict[str, Path]:
    return {name: source.folder for name, source in named.items()}


@dataclass
class _Part:
    """What came of a part of the annotations: which were written, and what is in them."""

    written: list[Written] = field(default_factory=list)
    lines: list[Merged] = field(default_factory=list)
    numbers: Metrics = field(default_factory=Metrics)


def _write(
    named: dict[str, Source],
    to: dataset.Folder | dataset.Zip,
    numbers: Metrics,
    destination: Path,
) -> tuple[list[Written], list[Merged]]:
    """Write the annotations of all datasets under their new names, and return what was written."""
    lines: list[Merged] = []
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(dataset.open_annotations(dataset.find(source.folder)))
            for name, source in sorted(named.items())
        }
        pictures = {
            n: None if s.whole else frames.find_pictures(s.folder) for n, s in named.items()
        }
        places = [(name, place) for name, each in opened.items() for place in range(len(each))]

        def write_part(wanted: range) -> _Part:
            part = _Part()
            for name, place in places[wanted.start : wanted.stop]:
                content, annotation = opened[name][place]
                merged = annotation._replace(picture=f"{name}__{annotation.picture}")
                digest = hashlib.sha256(content).hexdigest()
                line = Merged(merged.picture, name, annotation.picture, digest)
                known = pictures.get(name)
                if known is None or named[name].takes(overlap.find_number(line, known)):
                    part.lines.append(line)
                    part.numbers.count(merged)
                    part.written.append(to.put(merged))
            return part

        def write_all() -> Iterator[Written]:
            for part in spread(write_part, len(places)):
                lines.extend(part.lines)
                numbers.add(part.numbers)
                yield from part.written

        written = list(show_progress(write_all(), destination, "pictures"))
    refuse_unused(named, {line.dataset for line in lines})
    to.finish(written)
    return written, lines


def refuse_overlap(
    lines: Sequence[Merged], named: dict[str, Source], against: Iterable[Against]
) -> None:
    """Refuse a split that overlaps another; datasets of the other lie beside this one's."""
    parent = next(iter(named.values())).folder.parent

    @cache
    def pictures_of(name: str) -> frames.Pictures:
        folder = named[name].folder if name in named else parent / name
        pictures = frames.find_pictures(folder)
        if not pictures.complete:
            text = "lacks frames.csv to compare movies by; run video-to-frame --index"
            raise StageError(f"{folder}: {text}")
        return pictures

    for other in against:
        others = lineage.read(other.path)
        overlap.refuse(lines, others, pictures_of, other.guard, other.path)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    text = "a dataset, data/<dataset>, once for each; data/<dataset>[0:5000] takes frames 0 to 4999"
    add("--source", type=parse_source, action="append", required=True, metavar="FOLDER", help=text)
    add("--destination", type=Path, required=True, metavar="FOLDER", help="for the merged dataset")
    text = "params.yaml, for the order of its labels, the same in every split"
    add("--parameters", type=Path, metavar="FILE", help=text)
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
        merge(args.source, args.destination, args.images, args.metrics, against, args.parameters)
