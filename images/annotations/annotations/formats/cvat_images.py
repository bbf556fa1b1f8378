"""'CVAT for images 1.1': shapes by picture.

<image id="0" name="sub/a.jpg" width="640" height="480">
  <box label="Car" occluded="0" xtl="10.13" ytl="20.50" xbr="110.00" ybr="121.00">
    <attribute name="type">suv</attribute>
  </box>
  ...

The pictures of a video task are called frame_000000, without extension (cvat-ai/cvat#8839).
"""

import re
from typing import IO

from annotations.cvat_xml import consists_of, open_task
from annotations.deleted_frames import find_runs_between
from annotations.export_file import Choice, ExportFile
from annotations.model import Annotation, Deleted, Export
from annotations.object_table import ObjectTable
from annotations.safe_xml import Element, at, walk
from annotations.tasks import OF_PICTURES, Task
from annotations.values import find_attribute, parse_whole
from stage import frames
from stage.errors import StageError
from stage.parallel import Lazy

FRAME = re.compile(rf"{frames.PREFIX}([0-9]{{6,9}})", re.ASCII)


NAME = "CVAT for images 1.1"
OPTIONS = frozenset({"task", "subset"})


def matches(export: ExportFile) -> bool:
    """Tell whether an export is a document of pictures."""
    return consists_of(export, "image")


def read(export: ExportFile, _pictures: frames.Pictures, choice: Choice) -> Export:
    """Read an export of a task, or of the one chosen from a project."""
    return read_pictures(*open_task(export, choice))


def read_pictures(stream: IO[bytes], where: str, chosen: Task) -> Export:
    """Read the pictures of a task into their annotations, in the order of the export."""
    objects, pictures, numbers = _read_shapes(stream, where, chosen)
    if chosen.siblings and not pictures:
        text = f"has no picture of task {chosen.id} ({chosen.name}); export the task alone"
        raise StageError(f"{where}: {text}")
    deleted = chosen.deleted or ()
    shown = [place for place, number in enumerate(numbers) if number not in deleted]
    annotations = Lazy(lambda n: Annotation(*pictures[shown[n]], objects.of(shown[n])), len(shown))
    of_frames = all(FRAME.fullmatch(name) for name, *_ in pictures)
    of_movie = of_frames and chosen.stop is not None and chosen.mode != OF_PICTURES
    return Export(
        annotations,
        chosen.numbers(0) if of_movie else range(0),
        _describe_deleted(chosen, numbers, objects),
    )


def _read_shapes(
    stream: IO[bytes], where: str, chosen: Task
) -> tuple[ObjectTable, list[tuple[str, int, int]], list[int]]:
    """Return what an export has of a task, in its order.

    These are the objects by the place of their picture, the pictures, each with name, width and
    height, and the numbers of their frames.
    """
    objects, pictures, names = ObjectTable(where), list[tuple[str, int, int]](), set[str]()
    numbers: list[int] = []
    for image, shape in walk(stream, where):
        if image.tag != "image" or not chosen.holds(image, where):
            continue
        if shape is not None:
            objects.add(len(pictures) - 1, shape, find_attribute(shape, "label", where))
            continue
        pictures.append(_read_picture(image, chosen, where))
        numbers.append(_read_number(image, chosen, where))
        name, *_ = pictures[-1]
        if name in names:
            text = f"{name} is in it twice; export again from CVAT"
            raise StageError(f"{at(image, where)}: {text}")
        names.add(name)
    return objects, pictures, numbers


def _describe_deleted(chosen: Task, numbers: list[int], objects: ObjectTable) -> Deleted | None:
    """Return what is known of deleted frames; numbers: of the pictures in the export, in order."""
    deleted = chosen.deleted
    if deleted is None:
        return None
    drawn = {n: len(objects.of(place)) for place, n in enumerate(numbers) if n in deleted}
    wanted = chosen.numbers(0) if chosen.stop is not None else range(0)
    present = sorted(n for n in deleted.union(numbers) if n in wanted)
    missing = find_runs_between(wanted, present)
    return Deleted(deleted, chosen.step, {n: count for n, count in drawn.items() if count}, missing)


def _read_number(image: Element, chosen: Task, where: str) -> int:
    """Return the number of a picture's frame, which id= is; -1 if nobody needs it."""
    if chosen.deleted is None:
        return -1
    written = parse_whole(find_attribute(image, "id", where), "id", image, where)
    return written - chosen.offset


def _read_picture(image: Element, chosen: Task, where: str) -> tuple[str, int, int]:
    """Return the name, width and height of a picture."""
    name = find_attribute(image, "name", where)
    if not frames.inside(name):
        raise StageError(f"{at(image, where)}: {name[:40]!r} is no picture's name; export again")
    if chosen.offset and (frame := FRAME.fullmatch(name)):
        name = frames.name(int(frame[1]) - chosen.offset, "")
    width, height = (
        parse_whole(find_attribute(image, side, where), side, image, where)
        for side in ("width", "height")
    )
    return name, width, height
