"""'CVAT for video 1.1': tracks of shapes by frame number.

<track id="0" label="Car">
  <box frame="0" keyframe="1" outside="0" occluded="0"
       xtl="10.00" ytl="20.50" xbr="110.00" ybr="60.25">
    <attribute name="type">suv</attribute>
  </box>
  ...

CVAT writes every interpolated shape, and ends a visible range by one with outside="1"
(cvat-ai/cvat, cvat/apps/dataset_manager/formats/cvat.py, dump_as_cvat_interpolation). So the
objects of a frame are those with its number and outside="0"; nothing is carried on to others.
"""

from collections.abc import Sequence, Set
from typing import IO

from annotations.cvat_xml import consists_of, open_task
from annotations.export_file import Choice, ExportFile
from annotations.model import Annotation, Deleted, Export
from annotations.object_table import ObjectTable
from annotations.safe_xml import walk
from annotations.shapes import BOXES
from annotations.tasks import OF_PICTURES, Task
from annotations.tracks import Tracks
from stage import frames
from stage.errors import StageError
from stage.parallel import Lazy

NAME = "CVAT for video 1.1"
OPTIONS = frozenset({"task", "subset", "interpolate"})


def matches(export: ExportFile) -> bool:
    """Tell whether an export is a document of tracks."""
    return consists_of(export, "track")


def read(export: ExportFile, pictures: frames.Pictures, choice: Choice) -> Export:
    """Read an export of a task, or of the one chosen from a project."""
    stream, where, task = open_task(export, choice)
    return read_tracks(stream, where, pictures, task, choice.interpolate)


def read_tracks(
    stream: IO[bytes],
    where: str,
    pictures: frames.Pictures,
    chosen: Task,
    interpolate: bool = False,
) -> Export:
    """Read the tracks of a task into annotations of its frames, those without objects included."""
    if chosen.mode == OF_PICTURES:
        text = "is 'CVAT for video 1.1' of a task of pictures, which it does not name"
        raise StageError(f"{where}: {text}; export 'CVAT for images 1.1'")
    last = max((frame.number for frame in pictures), default=0)
    numbers = chosen.numbers(last)
    if pictures.complete and len(numbers) and numbers[-1] > last:
        raise StageError(
            f"{where}: goes to frame {numbers[-1]}, but the last in {pictures.source} is {last}; "
            "is it the export of another movie?"
        )
    tracks = Tracks(where, chosen, numbers, interpolate=interpolate)
    for element, inner in walk(stream, where):
        if element.tag == "track" and chosen.holds(element, where):
            if inner is None:
                tracks.begin(element)
            elif inner.tag in BOXES:
                tracks.add(inner)
    objects = tracks.finish()
    known = None
    if chosen.deleted is not None:
        known = Deleted(chosen.deleted, chosen.step, objects.remove(chosen.deleted))
    return Export(
        _annotate(objects, tracks.find_deleted(last), pictures, chosen, numbers),
        numbers if chosen.stop is not None else range(0),
        known,
        tracks.find_ghosts(),
        tracks.find_gaps(),
    )


def _annotate(
    objects: ObjectTable, deleted: Set[int], pictures: frames.Pictures, chosen: Task, numbers: range
) -> Sequence[Annotation]:
    """Return the annotations of the frames that have a picture or an object."""
    seen = {frame.number for frame in pictures if frame.number in numbers} - deleted
    empty = frames.Frame(0, "")
    shown = [
        pictures.numbered(number) or empty._replace(number=number, name=frames.name(number, ".PNG"))
        for number in sorted(seen.union(objects))
    ]

    def annotation(place: int) -> Annotation:
        number, name, _, width, height, _ = shown[place]
        return Annotation(name, *(chosen.size or (width, height)), objects.of(number))

    return Lazy(annotation, len(shown))
