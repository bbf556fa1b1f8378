"""Frames that were deleted in CVAT. Its exports leave them out, and do not say which they are.

<task>                        (or <job>, or <project>, if it has one task)
  <deleted_frames>6 24</deleted_frames>

`fetch`, which asks CVAT, adds this element: the numbers of the task's frames as `frame=` and `id=`
have them, ascending, a blank between two. An empty one says that no frame was deleted.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from lxml import etree

from annotations.safe_xml import at
from stage.errors import StageError

TAG = "deleted_frames"

NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

SPANS = 10
"""How many runs of frames are written out."""


def read(
    elements: Sequence[etree._Element], numbers: range | None, where: str
) -> frozenset[int] | None:
    """Return the deleted frames of a task, or None if its export does not say them.

    elements: those called deleted_frames that are about the task. numbers: of the task's frames;
    None if the export does not say them.
    """
    if not elements:
        return None
    first, *others = elements
    if others:
        raise _error(others[0], "is there twice", where)
    if len(first):
        raise _error(first, "holds more than numbers", where)
    if not first.text:
        return frozenset()
    if numbers is None:
        raise _error(first, "lists frames, but stop_frame, the task's last one, is not said", where)
    return frozenset(_parse(first, numbers, where))


def _parse(element: etree._Element, numbers: range, where: str) -> Iterable[int]:
    before = -1
    for word in (element.text or "").split(" "):
        if not NUMBER.fullmatch(word):
            text = f"has {word[:40]!r} where a whole number from 0 is expected, one blank between"
            raise _error(element, text, where)
        number = int(word)
        if number <= before:
            raise _error(element, f"has {number} after {before}; they must ascend", where)
        if number not in numbers:
            raise _error(element, f"has {number}, {none_of(numbers)}", where)
        before = number
        yield number


def refuse_misplaced(
    meta: etree._Element, holders: Sequence[etree._Element | None], where: str
) -> None:
    """Refuse an element that stands where nobody looks for it; holders: where somebody does."""
    for element in meta.iter(TAG):
        if element.getparent() not in holders:
            raise _error(element, "is not in the element of the task that it is about", where)


def _error(element: etree._Element, text: str, where: str) -> StageError:
    return StageError(f"{at(element, where)}: <{TAG}> {text}; fetch the export again from CVAT")


def none_of(numbers: range) -> str:
    """Say that a number is none of a task's frames.

    >>> none_of(range(2, 9, 3))
    "none of the task's (2 to 8 in steps of 3)"
    """
    span = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
    span += f" in steps of {numbers.step}" if numbers.step > 1 else ""
    return f"none of the task's ({span})"


def find_runs(numbers: Iterable[int], step: int) -> list[range]:
    """Return numbers as runs; step: between the frames of the task.

    >>> find_runs([9, 3, 5, 7, 13], 2)
    [range(3, 11, 2), range(13, 15, 2)]
    """
    ordered = sorted(numbers)
    starts = [0, *(n for n, (a, b) in enumerate(pairwise(ordered), 1) if b - a > step)]
    spans = [ordered[start:end] for start, end in pairwise([*starts, len(ordered)])]
    return [range(span[0], span[-1] + step, step) for span in spans if span]


def find_runs_between(numbers: range, present: Sequence[int]) -> list[range]:
    """Return the runs of frames that are not among those present, which are sorted.

    numbers are not looked at one by one, for an export may say that there are a billion.

    >>> find_runs_between(range(0, 21, 2), [0, 2, 8, 20])
    [range(4, 8, 2), range(10, 20, 2)]
    """
    step = numbers.step
    inside = present[bisect_left(present, numbers.start) : bisect_left(present, numbers.stop)]
    edges = pairwise([numbers.start - step, *inside, numbers.start + step * len(numbers)])
    return [range(one + step, other, step) for one, other in edges if other - one > step]


def name_runs(runs: Sequence[range]) -> str:
    """Name frames in words.

    >>> name_runs([range(3, 11, 2), range(13, 15, 2)]), name_runs([range(6, 7)])
    ('frames 3-9, 13', 'frame 6')
    """
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:SPANS]]
    more = sum(map(len, runs[SPANS:]))
    rest = f" and {more} more" if more else ""
    return f"frame{'s' if sum(map(len, runs)) > 1 else ''} {', '.join(shown)}{rest}"
