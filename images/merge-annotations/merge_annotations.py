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
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import classes
import lineage
from annotations import dataset
from overlap import Against, refuse_overlap
from pictures import PLACE, place
from renaming import write_renamed
from selection import Source, folders_of, list_inputs, name_sources, parse_source
from stage import cli, outputs, sources
from stage.errors import StageError
from stage.output_checks import Folder, Kind, Output, check_outputs
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
        to = dataset.choose_writer(aside[finals["Annotations"]])
        whole = write_renamed(named, to, destination)
        refuse_overlap(whole.lines, folders_of(named), against)
        labels = classes.count(order, folders_of(named).values(), whole.numbers)
        dataset.write_imagesets(whole.written, labels, aside[finals["ImageSets"]])
        dataset.write_labelmap(labels, aside[finals["labelmap.txt"]])
        lineage.write(whole.lines, aside[finals["merge.csv"]])
        if pictures:
            place(whole.lines, folders_of(named), pictures, aside[pictures], images)
        if metrics:
            whole.numbers.write(aside[metrics])
    classes.warn(order, whole.numbers, destination)
    print(whole.numbers)


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
        place(wanted, folders_of(named), pictures, aside[pictures], "link")
    cli.say(f"{pictures}: {len(lines)} pictures")


def _pictures_output(path: Path | None) -> Output:
    return Output(f"{PICTURES} of --destination", path, KINDS[PICTURES])


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
