"""'CVAT for video 1.1': one XML file a task, tracks of boxes by frame number.

<annotations>
  <meta><task>...
    <start_frame>0</start_frame><stop_frame>59</stop_frame><frame_filter>step=5</frame_filter>
    <original_size><width>640</width><height>480</height></original_size>
  </task></meta>
  <track id="0" label="Car">
    <box frame="0" keyframe="1" outside="0" occluded="0"
         xtl="10.00" ytl="20.50" xbr="110.00" ybr="60.25">
      <attribute name="type">suv</attribute>
    </box>

CVAT writes every interpolated box, and ends a visible range by one box with outside="1"
(cvat-ai/cvat, cvat/apps/dataset_manager/formats/cvat.py, dump_as_cvat_interpolation). So the boxes
of a frame are those with its number and outside="0"; nothing is carried on to other frames.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from lxml import etree

from annotations.model import Annotation, Box, Object
from annotations.safe_xml import at, attribute, box, elements, text, whole
from stage import frames
from stage.errors import StageError

EDGES = ("xtl", "ytl", "xbr", "ybr")
SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")


@dataclass(frozen=True)
class Task:
    """What the export says of itself: absolute frame numbers, and the pictures' size if known."""

    start: int = 0
    stop: int | None = None
    step: int = 1
    size: tuple[int, int] | None = None

    def numbers(self, last: int) -> range:
        """Return the numbers of the task's frames; last is used if it does not say its own."""
        return range(self.start, (last if self.stop is None else self.stop) + 1, self.step)


def read(stream: IO[bytes], where: str, pictures: frames.Pictures) -> Iterator[Annotation]:
    """Read an export into the annotations of the task's frames, those without objects included."""
    task, tracks = Task(), _Tracks(where)
    for element in elements(stream, where, "meta", "track", "image"):
        if element.tag == "meta":
            task = _task(element, where)
        elif element.tag == "track":
            tracks.add(element)
        else:
            raise StageError(
                f"{at(element, where)}: is 'CVAT for images 1.1'; export 'CVAT for video 1.1' or "
                "'PASCAL VOC 1.1'"
            )
    tracks.check(task)
    yield from _by_frame(tracks.objects, task, pictures, where)


def _by_frame(
    objects: dict[int, list[Object]], task: Task, pictures: frames.Pictures, where: str
) -> Iterator[Annotation]:
    last = max((frame.number for frame in pictures), default=0)
    numbers = task.numbers(last)
    if pictures.complete and len(numbers) and numbers[-1] > last:
        raise StageError(
            f"{where}: goes to frame {numbers[-1]}, but the last in {pictures.source} is {last}; "
            "is it the export of another movie?"
        )
    for number in sorted(objects):
        if number not in numbers:
            raise StageError(f"{where}: frame {number} is none of the task's ({numbers})")
        if pictures.numbered(number) is None:
            width, height = task.size or (0, 0)
            yield Annotation(frames.name(number, ".PNG"), width, height, tuple(objects[number]))
    for frame in pictures:
        if frame.number in numbers:
            width, height = task.size or (frame.width, frame.height)
            yield Annotation(frame.name, width, height, tuple(objects.get(frame.number, ())))


def _task(meta: etree._Element, where: str) -> Task:
    if meta.find("project") is not None:
        raise StageError(
            f"{at(meta, where)}: is the export of a project; export its tasks one by one"
        )
    found = meta.find("task") if meta.find("task") is not None else meta.find("job")
    if found is None:
        return Task()
    size = found.find("original_size")
    size = meta.find("original_size") if size is None else size
    stop = found.findtext("stop_frame")
    step = re.search(r"step\s*=\s*([1-9][0-9]{0,6})", found.findtext("frame_filter") or "")
    return Task(
        start=whole(found.findtext("start_frame") or "0", "start_frame", found, where),
        stop=None if stop is None else whole(stop, "stop_frame", found, where),
        step=int(step[1]) if step else 1,
        size=None if size is None else _size(size, where),
    )


def _size(element: etree._Element, where: str) -> tuple[int, int]:
    width, height = (
        whole(text(element, side, where), side, element, where) for side in ("width", "height")
    )
    return width, height


class _Tracks:
    """The visible shapes of all tracks, by frame."""

    def __init__(self, where: str) -> None:
        self.objects: dict[int, list[Object]] = defaultdict(list)
        self._where = where
        self._ids: set[str] = set()
        self._interpolated = False
        self._gaps: list[tuple[int, int, object]] = []

    def add(self, track: etree._Element) -> None:
        """Take the shapes of a track."""
        where = self._where
        name, label = attribute(track, "id", where), attribute(track, "label", where)
        if name in self._ids:
            raise StageError(f"{at(track, where)}: track {name} is in it twice; export again")
        self._ids.add(name)
        before: tuple[int, bool] | None = None
        for shape in track.iterchildren(*SHAPES):
            number = whole(attribute(shape, "frame", where), "frame", shape, where)
            visible = shape.get("outside") != "1"
            if before and number <= before[0]:
                raise StageError(
                    f"{at(shape, where)}: frame {number} follows {before[0]} in its track"
                )
            if before and before[1]:
                self._gaps.append((number - before[0], before[0], shape.sourceline))
            before = number, visible
            self._interpolated |= shape.get("keyframe") == "0"
            if visible:
                self.objects[number].append(_object(shape, label, where))

    def check(self, task: Task) -> None:
        """Refuse an export that leaves it to its reader to interpolate between keyframes."""
        for gap, number, line in [] if self._interpolated else self._gaps:
            if gap > task.step:
                raise StageError(
                    f"{self._where}:{line}: has keyframes only (nothing for {gap - 1} frames after "
                    f"{number}); export 'CVAT for video 1.1' from CVAT, which writes every frame"
                )


def _object(shape: etree._Element, label: str, where: str) -> Object:
    attributes = [
        (attribute(each, "name", where), each.text or "") for each in shape.iterfind("attribute")
    ]
    if rotation := shape.get("rotation"):
        attributes.append(("rotation", rotation))
    return Object(
        label=label,
        box=_box(shape, where) if shape.tag == "box" else Box(0, 0, 0, 0),
        shape=str(shape.tag),
        occluded=shape.get("occluded") == "1",
        attributes=tuple(attributes),
    )


def _box(shape: etree._Element, where: str) -> Box:
    return box({edge: attribute(shape, edge, where) for edge in EDGES}, shape, where)
