"""Turn what CVAT exported into a clean Pascal VOC dataset: chosen labels, checked names.

  prepare-annotations --parameters params.yaml --root data/movie1
      --source data/movie1/cvat-pascalvoc.zip --destination data/movie1/Annotations
      --export-imagesets --metrics data/movie1/metrics.json

The format of the export is recognised by its content; it may be a zip file or a bare XML file. The
annotations are checked against ROOT/frames.csv, the frame index of video-to-frame, else against
the pictures in ROOT/JPEGImages. Pictures without a valid object are left out unless keep-empty.

  prepare-annotations --parameters params.yaml --root data/movie1
      --source data/movie1/cvat-pascalvoc.zip --check

only says whether the export can be read, and what of it would be kept; it writes nothing, and
checks no names and sizes where ROOT has neither frames.csv nor JPEGImages.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from annotations import dataset, exports
from annotations.dataset import Written
from annotations.export_file import ANY, Choice
from annotations.metrics import Metrics
from annotations.model import Export
from dataset_settings import read_settings
from rules import Sieve
from stage import cli, frames, outputs, sources
from stage.output_checks import Output, check_outputs
from stage.parallel import spread
from stage.progress import show_progress


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
    settings, choice = read_settings(parameters, root, choice)
    sieve = Sieve(settings, frames.find_pictures(root), str(source), rewrite)
    sources.check_file(source)
    sets, labelmap = (root / "ImageSets", root / "labelmap.txt") if imagesets else (None, None)
    made = _list_outputs(destination, sets, labelmap, metrics)
    check_outputs(made, [source, parameters, sieve.pictures.source])
    with outputs.write_whole(destination, sets, labelmap, metrics) as aside:
        with exports.open_export(source, sieve.pictures, choice) as export:
            written = _write_annotations(export, sieve, dataset.choose_writer(aside[destination]))
        if sets and labelmap:
            dataset.write_imagesets(written, settings.valid_labels, aside[sets])
            dataset.write_labelmap(settings.valid_labels, aside[labelmap])
        if metrics:
            sieve.metrics.write(aside[metrics])
    sieve.warn()
    print(sieve.metrics)


def _list_outputs(
    destination: Path, sets: Path | None, labelmap: Path | None, metrics: Path | None
) -> list[Output]:
    kinds = dataset.KINDS
    annotations = "Annotations.zip" if destination.suffix == dataset.ARCHIVE else "Annotations"
    return [
        Output("--destination", destination, kinds[annotations]),
        Output("ImageSets of --root", sets, kinds["ImageSets"]),
        Output("labelmap.txt of --root", labelmap, kinds["labelmap.txt"]),
        Output("--metrics", metrics, kinds["metrics.json"]),
    ]


def _write_annotations(
    export: Export, sieve: Sieve, to: dataset.Folder | dataset.Zip
) -> list[Written]:
    """Write what is kept of an export, in all processes; return it in order."""

    def write_part(places: range) -> tuple[list[Written], Metrics, dict[str, list[str]], list[str]]:
        part = sieve.new_part()
        kept = (part.filter(export.annotations[place]) for place in places)
        written = [to.put(annotation) for annotation in kept if annotation]
        return written, part.metrics, part.examples, part.found

    def write_all() -> Iterator[Written]:
        for written, metrics, examples, found in spread(write_part, len(export.annotations)):
            sieve.add(metrics, examples, found)
            yield from written

    written = sorted(show_progress(write_all(), Path(sieve.where), "pictures"))
    sieve.finish(export)
    to.finish(written)
    return written


def check(parameters: Path, root: Path, source: Path, *, choice: Choice = ANY) -> None:
    """Read an export as `prepare` does, and say what would be kept of it."""
    settings, choice = read_settings(parameters, root, choice)
    known = any((root / name).exists() for name in (frames.INDEX, "JPEGImages"))
    pictures = frames.find_pictures(root) if known else frames.Pictures([], root, complete=False)
    sieve = Sieve(settings, pictures, str(source), rewrite=known)
    sources.check_file(source)
    with exports.open_export(source, pictures, choice) as export:
        for annotation in show_progress(export.annotations, source, "pictures"):
            sieve.filter(annotation)
        sieve.finish(export)
    sieve.warn()
    print(sieve.metrics)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("--parameters", type=Path, required=True, metavar="FILE", help="params.yaml")
    add("--root", type=Path, required=True, metavar="FOLDER", help="the dataset, data/<dataset>")
    text = f"what CVAT exported as {exports.ACCEPTED}"
    add("--source", type=Path, required=True, metavar="EXPORT", help=text)
    add("--destination", type=Path, metavar="FOLDER", help="folder or .zip file")
    add("--check", action="store_true", help="instead of --destination: only read the export")
    add("--export-imagesets", action="store_true", help="write ROOT/ImageSets, ROOT/labelmap.txt")
    add(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="where the counts of what was kept and dropped go",
    )
    add("--task", default="", metavar="ID|NAME", help="of a project's export: the task to take")
    add("--subset", default="", metavar="NAME", help="of a project's export: the subset to take")
    add("--interpolate", action="store_true", help="fill in frames between keyframes")
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
