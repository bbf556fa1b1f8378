"""'CVAT for images 1.1': shapes by picture.

<image id="0" name="sub/a.jpg" width="640" height="480">
  <box label="Car" occluded="0" xtl="10.13" ytl="20.50" xbr="110.00" ybr="121.00">
    <attribute name="type">suv</attribute>
  </box>
  ...

The pictures of a video task are called frame_000000, without extension (cvat-ai/cvat#8839).
"""

import re
from collections.abc import Iterator
from typing import IO

from lxml import etree

from annotations.cvat_xml import ANY, Choice, Task, shape, task
from annotations.model import Annotation
from annotations.safe_xml import at, attribute, elements, whole
from stage import frames
from stage.errors import StageError

FRAME = re.compile(rf"{frames.PREFIX}([0-9]{{6,9}})", re.ASCII)


def read(
    stream: IO[bytes],
    where: str,
    _pictures: frames.Pictures,
    choice: Choice = ANY,
) -> Iterator[Annotation]:
    """Yield the annotation of each picture in an export."""
    chosen, names = Task(), set[str]()
    for element, ended in elements(stream, where, ("meta", "image")):
        if ended and element.tag == "meta":
            chosen = task(element, choice, where)
        elif ended and chosen.holds(element):
            annotation = _annotation(element, chosen, where)
            if annotation.picture in names:
                text = f"{annotation.picture} is in it twice; export again from CVAT"
                raise StageError(f"{at(element, where)}: {text}")
            names.add(annotation.picture)
            yield annotation


def _annotation(image: etree._Element, chosen: Task, where: str) -> Annotation:
    name = attribute(image, "name", where)
    if not frames.inside(name):
        raise StageError(f"{at(image, where)}: {name[:40]!r} is no picture's name; export again")
    if chosen.offset and (frame := FRAME.fullmatch(name)):
        name = frames.name(int(frame[1]) - chosen.offset, "")
    width, height = (
        whole(attribute(image, side, where), side, image, where) for side in ("width", "height")
    )
    shapes = (each for each in image.iterchildren() if isinstance(each.tag, str))
    objects = (shape(each, attribute(each, "label", where), where) for each in shapes)
    return Annotation(name, width, height, tuple(objects))
