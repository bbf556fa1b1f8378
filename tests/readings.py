"""Reading exports and writing datasets as the stages do, in one step."""

from collections.abc import Iterable
from pathlib import Path

from annotations import dataset, exports
from annotations.dataset import Written
from annotations.export_file import ANY, Choice
from annotations.model import Annotation
from stage import frames

NOTHING = frames.Pictures([], Path("frames.csv"), complete=False)


def read(
    source: Path, pictures: frames.Pictures = NOTHING, choice: Choice = ANY
) -> list[Annotation]:
    """All annotations of an export."""
    with exports.open_export(source, pictures, choice) as export:
        return list(export.annotations)


def write(annotations: Iterable[Annotation], path: Path) -> list[Written]:
    """Write annotations to a folder or zip file."""
    to = dataset.choose_writer(path)
    written = [to.put(annotation) for annotation in annotations]
    to.finish(written)
    return written
