"""Turn what CVAT exported into a clean Pascal VOC dataset: chosen labels, checked names.

  prepare-annotations --parameters params.yaml --root data/movie1
      --source data/movie1/cvat-pascalvoc.zip --destination data/movie1/Annotations
      --export-imagesets --metrics data/movie1/metrics.json

Reads 'PASCAL VOC 1.1' (zip), 'CVAT for video 1.1' and 'CVAT for images 1.1' (zip or bare XML). The
annotations are checked against ROOT/frames.csv, the frame index of video-to-frame, else against
the pictures in ROOT/JPEGImages. Pictures without a valid object are left out unless keep-empty.

  prepare-annotations --parameters params.yaml --root data/movie1
      --source data/movie1/cvat-pascalvoc.zip --check

only says whether the export can be read, and what of it would be kept; it writes nothing, and
checks no names and sizes where ROOT has neither frames.csv nor JPEGImages.
"""

import argparse
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rules
from annotations import dataset, exports, labels
from annotations.cvat_xml import ANY, Choice
from annotations.dataset import Metrics, Written
from annotations.model import Export
from rules import Annotations, Sieve
from stage import cli, frames, outputs, sources
from stage.parameters import Parameters, load
from stage.progress import show_progress
from stage.replaceable import Output, check_replaceable
from stage.workers import spread


@dataclass(frozen=True)
class Dataset:
    """An entry of the section `datasets` of params.yaml."""

    source: str = ""
    export: str = ""
    cvat_task: int = 0
    annotations: dict[str, Any] = field(default_factory=dict)


def prepare(
    parameters: Path,
    root: Path,
    source: Path,
    destination: Path,
    metrics: Path | None = None,
    *,
    imagesets: bool = False,
    rewrite: bool = True,
    choice: Choice = ANY,
) -> None:
    """Write the dataset: destination, and below root ImageSets and labelmap.txt if wanted."""
    settings, choice = _chosen(parameters, root, choice)
    sieve = Sieve(settings, frames.of(root), str(source), rewrite)
    sources.file(source)
    sets, labelmap = (root / "ImageSets", root / "labelmap.txt") if imagesets else (None, None)
    zipped = destination.suffix == dataset.ARCHIVE
    kinds = dataset.KINDS
    made = [
        Output("--destination", destination, kinds["Annotations.zip" if zipped else "Annotations"]),
        Output("ImageSets of --root", sets, kinds["ImageSets"]),
        Output("labelmap.txt of --root", labelmap, kinds["labelmap.txt"]),
        Output("--metrics", metrics, kinds["metrics.json"]),
    ]
    check_replaceable(made, [source, parameters, sieve.pictures.source])
    with outputs.whole(destination, sets, labelmap, metrics) as aside:
        with exports.opened(source, sieve.pictures, choice) as export:
            written = _written(export, sieve, dataset.writer(aside[destination]))
        if sets and labelmap:
            dataset.write_imagesets(written, settings.valid_labels, aside[sets])
            dataset.write_labelmap(settings.valid_labels, aside[labelmap])
        if metrics:
            sieve.metrics.write(aside[metrics])
    sieve.warn()
    print(sieve.metrics)


def check(parameters: Path, root: Path, source: Path, *, choice: Choice = ANY) -> None:
    """Read an export as `prepare` does, and say what would be kept of it."""
    settings, choice = _chosen(parameters, root, choice)
    known = any((root / name).exists() for name in (frames.INDEX, "JPEGImages"))
    pictures = frames.of(root) if known else frames.Pictures([], root, complete=False)
    sieve = Sieve(settings, pictures, str(source), rewrite=known)
    sources.file(source)
    with exports.opened(source, pictures, choice) as export:
        for annotation in show_progress(export.annotations, source, "pictures"):
            sieve.kept(annotation)
        sieve.finish(export)
    sieve.warn()
    print(sieve.metrics)


def _chosen(parameters: Path, root: Path, choice: Choice) -> tuple[Annotations, Choice]:
    """Return the rules for the dataset in folder root, and the task that its export may be of."""
    name = Path(os.path.abspath(root)).name  # noqa: PTH100  # a link keeps its own name
    loaded = load(parameters)
    entry = loaded.section(Dataset, ("datasets", name))
    if entry.cvat_task:
        choice = replace(choice, expected=str(entry.cvat_task))
    return read(loaded, name), choice


def _written(export: Export, sieve: Sieve, to: dataset.Folder | dataset.Zip) -> list[Written]:
    """Write what is kept of an export, in all processes; return it in order."""

    def part(places: range) -> tuple[list[Written], Metrics, dict[str, list[str]], list[str]]:
        own = sieve.part()
        kept = (own.kept(export.annotations[place]) for place in places)
        written = [to.put(annotation) for annotation in kept if annotation]
        return written, own.metrics, own.examples, own.found

    def parts() -> Iterator[Written]:
        for written, metrics, examples, found in spread(part, len(export.annotations)):
            sieve.add(metrics, examples, found)
            yield from written

    written = sorted(show_progress(parts(), Path(sieve.where), "pictures"))
    sieve.finish(export)
    to.finish(written)
    return written


def read(loaded: Parameters, name: str) -> Annotations:
    """Return the section `annotations` of a parameter file with what a dataset overrides."""
    own = ("datasets", name, "annotations")
    settings = loaded.section(Annotations, ("annotations",), own)
    for key, text in _find_mistakes(settings):
        place = own if key in loaded.mapping(own) else ("annotations",)
        raise loaded.error((*place, key), text)
    if "destination" in loaded.mapping(own):
        raise loaded.error((*own, "destination"), "is the same for all datasets")
    return settings


def _find_mistakes(settings: Annotations) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the parameters: key and text."""
    yield from (("valid-labels", text) for text in labels.find_mistakes(settings.valid_labels))
    sizes = settings.min_size
    if len(sizes) != 2 or not all(0 <= size < math.inf for size in sizes):
        yield "min-size", "must be two numbers from 0: [width, height]"
    if settings.rotated not in rules.ROTATED:
        yield "rotated", f"must be one of {', '.join(rules.ROTATED)}"
    for shape in settings.shapes:
        if shape not in rules.SHAPES:
            yield "shapes", f"{shape!r} is none of {', '.join(rules.SHAPES)}"
    if settings.destination not in rules.DESTINATIONS:
        yield "destination", f"must be one of {', '.join(rules.DESTINATIONS)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("--parameters", type=Path, required=True, metavar="FILE", help="params.yaml")
    add("--root", type=Path, required=True, metavar="FOLDER", help="the dataset, data/<dataset>")
    add("--source", type=Path, required=True, metavar="EXPORT", help="what CVAT exported")
    add("--destination", type=Path, metavar="FOLDER", help="folder or .zip file")
    add("--check", action="store_true", help="instead of --destination: only read the export")
    add("--export-imagesets", action="store_true", help="write ROOT/ImageSets, ROOT/labelmap.txt")
    add("--metrics", type=Path, metavar="FILE", help="for the numbers of what was kept and dropped")
    add("--task", default="", metavar="ID|NAME", help="of a project's export: the task to take")
    add("--subset", default="", metavar="NAME", help="of a project's export: the subset to take")
    add("--interpolate", action="store_true", help="complete an export that has keyframes only")
    text = "keep the names in the export, and annotations whose picture is missing"
    add("--no-rewrite", action="store_true", help=text)
    args = parser.parse_args(argv)
    if args.check == bool(args.destination):
        parser.error("give either --destination or --check")
    return cli.report(run, args)


def run(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    choice = Choice(args.task, args.subset, interpolate=args.interpolate)
    if args.check:
        check(args.parameters, args.root, args.source, choice=choice)
        return
    prepare(
        args.parameters,
        args.root,
        args.source,
        args.destination,
        args.metrics,
        imagesets=args.export_imagesets,
        rewrite=not args.no_rewrite,
        choice=choice,
    )
