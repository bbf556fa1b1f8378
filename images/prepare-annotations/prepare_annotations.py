"""Turn what CVAT exported into a clean Pascal VOC dataset: chosen labels, checked names.

  prepare-annotations --parameters params.yaml --root data/movie1
      --source data/movie1/cvat-pascalvoc.zip --destination data/movie1/Annotations
      --export-imagesets --metrics data/movie1/metrics.json

Reads 'PASCAL VOC 1.1' (zip) and 'CVAT for video 1.1' (zip or bare XML). The annotations are
checked against ROOT/frames.csv, the frame index of video-to-frame, else against the pictures in
ROOT/JPEGImages. Pictures without a valid object are left out unless keep-empty is set.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from annotations import dataset, exports
from rules import Annotations, Sieve
from stage import cli, frames, outputs, sources
from stage.parameters import load
from stage.progress import shown


def prepare(
    parameters: Path,
    root: Path,
    source: Path,
    destination: Path,
    metrics: Path | None = None,
    *,
    imagesets: bool = False,
    rewrite: bool = True,
) -> None:
    """Write the dataset: destination, and below root ImageSets and labelmap.txt if wanted."""
    settings = read(parameters, root.resolve().name)
    sieve = Sieve(settings, frames.of(root), rewrite)
    sources.file(source)
    outputs.replaceable(destination, {".xml"}, [source, root])
    sets, labelmap = (root / "ImageSets", root / "labelmap.txt") if imagesets else (None, None)
    if sets:
        outputs.replaceable(sets, {".txt"}, [source, root])
    with outputs.whole(destination, sets, labelmap, metrics) as aside:
        kept = sieve.kept(exports.read(source, sieve.pictures), str(source))
        written = list(dataset.write(shown(kept, source.name, "pictures"), aside[destination]))
        if sets and labelmap:
            dataset.write_imagesets(written, settings.valid_labels, aside[sets])
            dataset.write_labelmap(settings.valid_labels, aside[labelmap])
        if metrics:
            sieve.metrics.write(aside[metrics])
    sieve.warn(str(source))
    print(sieve.metrics)


def read(path: Path, name: str) -> Annotations:
    """Return the section `annotations` of a parameter file with what the dataset overrides."""
    parameters = load(path)
    own = ("datasets", name, "annotations")
    settings = parameters.section(Annotations, ("annotations",), own)
    keys = ("annotations", "valid-labels")
    if not settings.valid_labels:
        raise parameters.error(keys, "is empty; name the labels to keep")
    for label in settings.valid_labels:
        if not re.fullmatch(r"[^.:/\\\s-][^:/\\]*", label) or not label.isprintable():
            text = "cannot be a label: it becomes a file's name and a line of labelmap.txt"
            raise parameters.error(keys, f"{label!r} {text}")
        if settings.valid_labels.count(label) > 1:
            raise parameters.error(keys, f"{label!r} is in it twice; remove one")
    return settings


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("--parameters", type=Path, required=True, metavar="FILE", help="params.yaml")
    add("--root", type=Path, required=True, metavar="FOLDER", help="the dataset, data/<dataset>")
    add("--source", type=Path, required=True, metavar="EXPORT", help="what CVAT exported")
    add(
        "--destination",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="for the annotations; it is replaced",
    )
    add(
        "--export-imagesets", action="store_true", help="write ROOT/ImageSets and ROOT/labelmap.txt"
    )
    add("--metrics", type=Path, metavar="FILE", help="for the numbers of what was kept and dropped")
    add(
        "--no-rewrite",
        action="store_true",
        help="keep the names in the export, and annotations whose picture is missing",
    )
    args = parser.parse_args(argv)
    return cli.report(
        prepare,
        args.parameters,
        args.root,
        args.source,
        args.destination,
        args.metrics,
        imagesets=args.export_imagesets,
        rewrite=not args.no_rewrite,
    )
