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

from annotations.cvat_xml import Task
from annotations.drawn import Drawn
from annotations.model import Annotation, Export
from annotations.safe_xml import Element, at, attribute, walk, whole
from stage import frames
from stage.errors import StageError
from stage.workers import Lazy

FRAME = re.compile(rf"{frames.PREFIX}([0-9]{{6,9}})", re.ASCII)


def read(
    stream: IO[bytes],
    where: str,
    _pictures: frames.Pictures,
    chosen: Task,
    _interpolate: bool = False,
) -> Export:
    """Read an export of a task into the annotations of its pictures, in its order."""
    drawn, pictures, names = Drawn(where), list[tuple[str, int, int]](), set[str]()
    for image, shape in walk(stream, where):
        if image.tag != "image" or not chosen.holds(image, where):
            continue
        if shape is not None:
            drawn.add(len(pictures) - 1, shape, attribute(shape, "label", where))
            continue
        pictures.append(_picture(image, chosen, where))
        name = pictures[-1][0]
        if name in names:
            text = f"{name} is in it twice; export again from CVAT"
            raise StageError(f"{at(image, where)}: {text}")
        names.add(name)
    if chosen.siblings and not pictures:
        text = f"has no picture of task {chosen.id} ({chosen.name}); export the task alone"
        raise StageError(f"{where}: {text}")
    annotations = Lazy(lambda n: Annotation(*pictures[n], drawn.objects(n)), len(pictures))
    of_movie = chosen.stop is not None and all(FRAME.fullmatch(name) for name in names)
    return Export(annotations, chosen.numbers(0) if of_movie else range(0))


def _picture(image: Element, chosen: Task, where: str) -> tuple[str, int, int]:
    """Return the name, width and height of a picture."""
    name = attribute(image, "name", where)
    if not frames.inside(name):
        raise StageError(f"{at(image, where)}: {name[:40]!r} is no picture's name; export again")
    if chosen.offset and (frame := FRAME.fullmatch(name)):
        name = frames.name(int(frame[1]) - chosen.offset, "")
    width, height = (
        whole(attribute(image, side, where), side, image, where) for side in ("width", "height")
    )
    return name, width, height
