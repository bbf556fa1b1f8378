"""The tracks of a document, shape by shape: checked, completed, and searched for deleted frames."""

from bisect import bisect_left
from collections.abc import Iterable, Set
from typing import NamedTuple

from annotations import interpolation
from annotations.attributes import Attributes
from annotations.deleted_frames import find_runs, find_runs_between, name_runs, none_of
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
    step: int
    line: int

    @property
    def numbers(self) -> range:
        """The numbers of these frames."""
        return range(self.start + self.step, self.end, self.step)


class Tracks:
    """The shapes of the tracks that are read so far."""

    def __init__(self, where: str, chosen: Task, numbers: range, *, interpolate: bool) -> None:
        """Start without any; chosen is the task that they are of, numbers are its frames'."""
        self._where, self._chosen, self._numbers = where, chosen, numbers
        self._known, self._ordered = chosen.deleted, sorted(chosen.deleted or ())
        """The frames that are known to be deleted, None if the export does not say."""
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
            self._gaps.append(_Gap(self._id, before, number, step, element.sourceline))
        if element.attributes.get("keyframe") == "0":
            self._complete = True
        else:
            self._keyframe = number
        self._number, self._visible = number, _is_visible(element)
        self._take(element, self._extras[number == self._keyframe])

    def _unknown_frame(self, element: Element, number: int) -> StageError:
        """Return the error that says that the task has no such frame."""
        text = f"frame {number} is {none_of(self._numbers)}; export again from CVAT"
        return StageError(f"{at(element, self._where)}: {text}")

    def _take(self, element: Element, extra: Attributes) -> None:
        if self._visible:
            self._lasts[self._id] = (self._number, self._keyframe)
        if self._interpolate:
            thing = read_object(element, self._label, self._where, extra)
            self._tracks[-1].append(Seen(self._number, self._visible, thing))
        elif self._visible:
            self._objects.add(self._number, element, self._label, extra)
        else:
            read_object(element, self._label, self._where, extra)  # it is checked all the same

    def finish(self) -> ObjectTable:
        """Return what is visible; complete it if it has keyframes only and that is wanted."""
        tracks = self._tracks
        if self._interpolate and self._gaps and not self._complete:
            known = self._known or frozenset()
            tracks = [
                interpolation.complete(track, self._numbers, self._where, known)
                for track in self._tracks
            ]
        first = None if self._interpolate or self._complete else self._find_unexplained_gap()
        if first:
            nothing = f"nothing for {first.end - first.start - 1} frames after {first.start}"
            raise StageError(
                f"{self._where}:{first.line}: has keyframes only ({nothing}); export 'CVAT for "
                "video 1.1' from CVAT, which writes every frame, or give --interpolate"
            )
        for seen in (seen for track in tracks for seen in track if seen.visible):
            self._objects.put(seen.number, seen.thing)
        return self._objects

    def _find_unexplained_gap(self) -> _Gap | None:
        """Return the first gap with a frame that is not known to be deleted."""
        known = self._known or ()
        return next((gap for gap in self._gaps if any(n not in known for n in gap.numbers)), None)

    def find_deleted(self, last: int) -> Set[int]:
        """Return the frames up to last that were deleted in CVAT.

        If the export does not say them: CVAT writes a visible track for every frame, so one that it
        leaves out was deleted.
        """
        if self._known is not None:
            return self._known
        gaps = [gap.numbers for gap in self._gaps] if self._complete else []
        numbers = {n for gap in gaps for n in range(gap[0], min(gap.stop, last + 1), gap.step)}
        return numbers.difference(self._objects)

    def find_ghosts(self) -> tuple[str, ...]:
        """Return the names of tracks that may be wrong since a deleted frame.

        Had the object left the picture there, CVAT would have forgotten it and gone on to the
        task's last frame: no keyframe follows (cvat-ai/cvat#9468).
        """
        last = self._find_last_frame()
        found = []
        for gap in self._gaps:
            shown, keyframe = self._lasts[gap.track]
            if shown >= max(last, gap.end) and keyframe < gap.end:
                found.append(gap)
        if self._known is None:
            return tuple({f"track {gap.track}": None for gap in found if self._complete})
        return self._name_tracks((gap, find_runs(self._find_known(gap), gap.step)) for gap in found)

    def find_gaps(self) -> tuple[str, ...]:
        """Return the names of tracks that leave out frames that are known not to be deleted."""
        if self._known is None or not self._complete:
            return ()
        return self._name_tracks(
            (gap, find_runs_between(gap.numbers, self._find_known(gap))) for gap in self._gaps
        )

    def _find_last_frame(self) -> int:
        """Return the last frame that is not deleted, or the last of all tracks if not known."""
        known = self._known
        if known is None:
            return max(self._lasts.values(), default=(0, 0))[0]
        return next((n for n in reversed(self._numbers) if n not in known), -1)

    def _find_known(self, gap: _Gap) -> list[int]:
        """Return the frames of a gap that are known to be deleted."""
        ordered = self._ordered
        return ordered[bisect_left(ordered, gap.start) : bisect_left(ordered, gap.end)]

    def _name_tracks(self, found: Iterable[tuple[_Gap, list[range]]]) -> tuple[str, ...]:
        """Name tracks with frames of their gaps, if there are any."""
        runs: dict[str, list[range]] = {}
        for gap, more in found:
            runs.setdefault(gap.track, []).extend(more)
        return tuple(f"track {track} ({name_runs(each)})" for track, each in runs.items() if each)


def _is_visible(element: Element) -> bool:
    """Tell whether a shape is in the picture; a skeleton is if one of its points is."""
    if element.tag == "skeleton":
        points = (each for each in element.children if each.tag == "points")
        return any(each.get("outside") != "1" for each in points)
    return element.get("outside") != "1"
