"""The tracks of a document, shape by shape: checked, completed, and searched for deleted frames."""

from typing import NamedTuple

from annotations import interpolation
from annotations.attributes import Attributes
from annotations.interpolation import Seen
from annotations.object_table import ObjectTable
from annotations.safe_xml import Element, at
from annotations.shapes import read_object
from annotations.tasks import Task
from annotations.values import find_attribute, parse_whole
from stage.errors import StageError


class _Gap(NamedTuple):
    """Frames that a track leaves out: between start and end; line: where it goes on."""

    track: str
    start: int
    end: int
    line: int


class Tracks:
    """The shapes of the tracks that are read so far."""

    def __init__(self, where: str, chosen: Task, numbers: range, *, interpolate: bool) -> None:
        """Start without any; chosen is the task that they are of, numbers are its frames'."""
        self._where, self._chosen, self._numbers = where, chosen, numbers
        self._objects = ObjectTable(where)
        self._interpolate = interpolate
        self._tracks: list[list[Seen]] = []
        """The tracks as a whole, if they are to be interpolated."""
        self._id = self._label = ""
        self._number, self._visible, self._keyframe = -1, False, -1
        """Frame and visibility of the track's last shape, and its last keyframe; -1 if none."""
        self._lasts: dict[str, tuple[int, int]] = {}
        """Of each track its last visible frame and its last keyframe."""
        self._extras: list[Attributes] = []
        self._complete = False
        """Whether a shape that is no keyframe is written: then all of them are."""
        self._gaps: list[_Gap] = []

    def begin(self, track: Element) -> None:
        """Start a track."""
        self._id = find_attribute(track, "id", self._where)
        self._label = find_attribute(track, "label", self._where)
        if self._id in self._lasts:
            raise StageError(f"{at(track, self._where)}: track {self._id} is in it twice")
        self._lasts[self._id] = (-1, -1)
        pairs = ("track_id", self._id)
        self._extras = [(pairs, ("keyframe", each)) for each in ("False", "True")]
        self._number, self._visible, self._keyframe = -1, False, -1
        if self._interpolate:
            self._tracks.append([])

    def add(self, element: Element) -> None:
        """Take a shape of the track."""
        where, step, before = self._where, self._chosen.step, self._number
        written = parse_whole(element.attributes.get("frame", ""), "frame", element, where)
        number = written - self._chosen.offset
        if number not in self._numbers:
            raise self._unknown_frame(element, number)
        if number <= before:
            text = f"frame {number} follows {before} in its track"
            raise StageError(f"{at(element, where)}: {text}; export again from CVAT")
        if self._visible and number - before > step:
            self._gaps.append(_Gap(self._id, before, number, element.sourceline))
        if element.attributes.get("keyframe") == "0":
            self._complete = True
        else:
            self._keyframe = number
        self._number, self._visible = number, _is_visible(element)
        self._take(element, self._extras[number == self._keyframe])

    def _unknown_frame(self, element: Element, number: int) -> StageError:
        """Return the error that says that the task has no such frame."""
        numbers = self._numbers
        span = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        span += f" in steps of {numbers.step}" if numbers.step > 1 else ""
        text = f"frame {number} is none of the task's ({span}); export again from CVAT"
        return StageError(f"{at(element, self._where)}: {text}")

    def _take(self, element: Element, extra: Attributes) -> None:
        if self._interpolate:
            thing = read_object(element, self._label, self._where, extra)
            self._tracks[-1].append(Seen(self._number, self._visible, thing))
        elif self._visible:
            self._lasts[self._id] = (self._number, self._keyframe)
            self._objects.add(self._number, element, self._label, extra)
        else:
            read_object(element, self._label, self._where, extra)  # it is checked all the same

    def finish(self) -> ObjectTable:
        """Return what is visible; complete it if it has keyframes only and that is wanted."""
        if not self._gaps or self._complete:
            tracks = self._tracks
        elif self._interpolate:
            tracks = [interpolation.complete(t, self._numbers, self._where) for t in self._tracks]
        else:
            first = self._gaps[0]
            nothing = f"nothing for {first.end - first.start - 1} frames after {first.start}"
            raise StageError(
                f"{self._where}:{first.line}: has keyframes only ({nothing}); export 'CVAT for "
                "video 1.1' from CVAT, which writes every frame, or give --interpolate"
            )
        for seen in (seen for track in tracks for seen in track if seen.visible):
            self._objects.put(seen.number, seen.thing)
        return self._objects

    def find_deleted(self) -> tuple[set[int], tuple[str, ...]]:
        """Return the frames that were deleted in CVAT, and the tracks that may be wrong since.

        CVAT writes a visible track for every frame, so one that it leaves out was deleted. Had
        the object left the picture there, CVAT would have forgotten it and gone on to the task's
        last frame: no keyframe follows (cvat-ai/cvat#9468).
        """
        step = self._chosen.step
        gaps = self._gaps if self._complete else []
        numbers = {n for gap in gaps for n in range(gap.start + step, gap.end, step)}
        last = max(self._lasts.values(), default=(0, 0))[0]
        return numbers - set(self._objects), tuple(
            f"track {gap.track}"
            for gap in gaps
            if self._lasts[gap.track][0] == last and self._lasts[gap.track][1] < gap.end
        )


def _is_visible(element: Element) -> bool:
    """Tell whether a shape is in the picture; a skeleton is if one of its points is."""
    if element.tag == "skeleton":
        points = (each for each in element.children if each.tag == "points")
        return any(each.get("outside") != "1" for each in points)
    return element.get("outside") != "1"
