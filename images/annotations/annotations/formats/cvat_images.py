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
from annotations.export_file import Choice, ExportFile
from annotations.model import Annotation, Export
from annotations.object_table import ObjectTable
from annotations.safe_xml import Element, at, walk
from annotations.tasks import Task
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
    objects, pictures, names = ObjectTable(where), list[tuple[str, int, int]](), set[str]()
    for image, shape in walk(stream, where):
        if image.tag != "image" or not chosen.holds(image, where):
            continue
        if shape is not None:
            objects.add(len(pictures) - 1, shape, find_attribute(shape, "label", where))
            continue
        pictures.append(_read_picture(image, chosen, where))
        name, *_ = pictures[-1]
        if name in names:
            text = f"{name} is in it twice; export again from CVAT"
            raise StageError(f"{at(image, where)}: {text}")
        names.add(name)
    if chosen.siblings and not pictures:
        text = f"has no picture of task {chosen.id} ({chosen.name}); export the task alone"
        raise StageError(f"{where}: {text}")
    annotations = Lazy(lambda n: Annotation(*pictures[n], objects.of(n)), len(pictures))
    of_movie = chosen.stop is not None and all(FRAME.fullmatch(name) for name in names)
    return Export(annotations, chosen.numbers(0) if of_movie else range(0))


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
