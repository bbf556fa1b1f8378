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

from collections import defaultdict
from collections.abc import Iterator
from typing import IO

from lxml import etree

from annotations import interpolation
from annotations.cvat_xml import ANY, BOXES, Choice, Task, shape, task
from annotations.interpolation import Seen
from annotations.model import Annotation, Object
from annotations.safe_xml import at, attribute, elements, whole
from stage import frames
from stage.errors import StageError


def read(
    stream: IO[bytes],
    where: str,
    pictures: frames.Pictures,
    choice: Choice = ANY,
) -> Iterator[Annotation]:
    """Read an export into the annotations of the task's frames, those without objects included."""
    chosen, tracks = Task(), _Tracks(where)
    for element, ended in elements(stream, where, ("meta", "track", *BOXES)):
        if element.tag == "track":
            if not ended and chosen.holds(element):
                tracks.begin(element)
            elif ended:
                tracks.end()
        elif element.tag == "meta" and ended:
            chosen = task(element, choice, where)
        elif ended and tracks.open and getattr(element.getparent(), "tag", "") == "track":
            tracks.add(element, chosen)
    yield from _by_frame(tracks.objects(chosen, pictures, choice), chosen, pictures, where)


def _by_frame(
    objects: dict[int, list[Object]], chosen: Task, pictures: frames.Pictures, where: str
) -> Iterator[Annotation]:
    last = max((frame.number for frame in pictures), default=0)
    numbers = chosen.numbers(last)
    if pictures.complete and len(numbers) and numbers[-1] > last:
        raise StageError(
            f"{where}: goes to frame {numbers[-1]}, but the last in {pictures.source} is {last}; "
            "is it the export of another movie?"
        )
    for number in sorted(objects):
        if number not in numbers:
            raise StageError(f"{where}: frame {number} is none of the task's ({numbers})")
        if pictures.numbered(number) is None:
            width, height = chosen.size or (0, 0)
            yield Annotation(frames.name(number, ".PNG"), width, height, tuple(objects[number]))
    for frame in pictures:
        if frame.number in numbers:
            width, height = chosen.size or (frame.width, frame.height)
            yield Annotation(frame.name, width, height, tuple(objects.get(frame.number, ())))


class _Tracks:
    """The shapes of the tracks that are read so far."""

    def __init__(self, where: str) -> None:
        self.open = False
        self._where = where
        self._ids: set[str] = set()
        self._tracks: list[list[Seen]] = []
        self._id = self._label = ""
        self._complete = False
        """Whether a shape that is no keyframe is written: then all of them are."""

    def begin(self, track: etree._Element) -> None:
        """Start a track."""
        self._id = attribute(track, "id", self._where)
        self._label = attribute(track, "label", self._where)
        if self._id in self._ids:
            raise StageError(f"{at(track, self._where)}: track {self._id} is in it twice")
        self._ids.add(self._id)
        self._tracks.append([])
        self.open = True

    def end(self) -> None:
        """End the track."""
        self.open = False

    def add(self, element: etree._Element, chosen: Task) -> None:
        """Take a shape of the track."""
        where, track = self._where, self._tracks[-1]
        written = whole(attribute(element, "frame", where), "frame", element, where)
        number = written - chosen.offset
        if number < 0:
            raise StageError(f"{at(element, where)}: frame {written} is before the task's first")
        if track and number <= track[-1].number:
            text = f"frame {number} follows {track[-1].number} in its track"
            raise StageError(f"{at(element, where)}: {text}; export again from CVAT")
        keyframe = element.get("keyframe") != "0"
        self._complete |= not keyframe
        extra = (("track_id", self._id), ("keyframe", str(keyframe)))
        thing = shape(element, self._label, where, extra)
        track.append(Seen(number, _visible(element), thing, element.sourceline))

    def objects(
        self, chosen: Task, pictures: frames.Pictures, choice: Choice
    ) -> dict[int, list[Object]]:
        """Return what is visible, by frame number."""
        tracks = self._tracks
        gaps = [gap for track in tracks if (gap := interpolation.gap(track, chosen.step))]
        if gaps and not self._complete:
            if not choice.interpolate:
                one, other = gaps[0]
                raise StageError(
                    f"{self._where}:{other.line}: has keyframes only (nothing for "
                    f"{other.number - one.number - 1} frames after {one.number}); export 'CVAT for "
                    "video 1.1' from CVAT, which writes every frame, or give --interpolate"
                )
            last = max((frame.number for frame in pictures), default=0)
            numbers = chosen.numbers(last)
            tracks = [interpolation.completed(t, numbers, self._where) for t in tracks]
        found: dict[int, list[Object]] = defaultdict(list)
        for track in tracks:
            for seen in track:
                if seen.visible:
                    found[seen.number].append(seen.thing)
        return found


def _visible(element: etree._Element) -> bool:
    """Tell whether a shape is in the picture; a skeleton is if one of its points is."""
    if element.tag == "skeleton":
        return any(point.get("outside") != "1" for point in element.iterchildren("points"))
    return element.get("outside") != "1"
