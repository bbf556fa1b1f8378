"""What two splits must not share: a picture, its neighbours, or a movie under two names.

A model that is validated on what it was trained on, or on the next frame, seems better than it is.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lineage
from lineage import Merged
from stage import frames
from stage.errors import StageError

SHARE = 0.5
"""Two movies are one if this part of the shorter one's different frames is in the other, too."""

CHOOSE = "choose other frames, --source 'NAME[first:end]'"

Split = list[tuple[Merged, frames.Frame]]
"""The pictures of a split: where each is from, and its frame."""


@dataclass(frozen=True)
class Against:
    """Another split, by its merge.csv, and how near to its frames this one's may not come."""

    path: Path
    guard: int = 1


def refuse_overlap(
    lines: Sequence[Merged], folders: Mapping[str, Path], against: Iterable[Against]
) -> None:
    """Refuse a split, lines, that overlaps another.

    folders: of its datasets, by name; those of the other split lie beside them.
    """
    parent = next(iter(folders.values())).parent

    @cache
    def pictures_of(name: str) -> frames.Pictures:
        folder = folders.get(name, parent / name)
        pictures = frames.find_pictures(folder)
        if not pictures.complete:
            text = "lacks frames.csv to compare movies by; run video-to-frame --index"
            raise StageError(f"{folder}: {text}")
        return pictures

    for other in against:
        others = lineage.read(other.path)
        _refuse_split(lines, others, pictures_of, other.guard, other.path)


def _refuse_split(
    lines: Iterable[Merged],
    others: Iterable[Merged],
    pictures_of: Callable[[str], frames.Pictures],
    guard: int,
    where: Path,
) -> None:
    """Refuse a split, lines, that overlaps another, others, read from where.

    pictures_of: the frame index of a dataset. guard: how many frames apart two pictures of one
    movie count as one, 0 for none but the same.
    """
    ours, theirs = (
        [(line, _find_frame(line, pictures_of(line.dataset))) for line in split]
        for split in (lines, others)
    )
    _refuse_neighbours(_numbers(ours), _numbers(theirs), guard, where)
    _refuse_movies(_numbers(ours), _numbers(theirs), pictures_of, where)
    _refuse_pictures(ours, theirs, where)


def _refuse_neighbours(
    ours: dict[str, set[int]], theirs: dict[str, set[int]], guard: int, where: Path
) -> None:
    """Refuse frames of one dataset that are near to each other."""
    for name in sorted(ours.keys() & theirs.keys()):
        near = _find_near(ours[name], sorted(theirs[name]), guard)
        if near is not None:
            raise StageError(
                f"{where}: has frame {near} of {name} or one within {guard} of it, and so has "
                f"this split; {CHOOSE}"
            )


def _refuse_movies(
    ours: Iterable[str],
    theirs: Iterable[str],
    pictures_of: Callable[[str], frames.Pictures],
    where: Path,
) -> None:
    """Refuse one movie under two names, whichever of its frames the splits have."""
    for name in sorted(ours):
        for other in sorted(set(theirs) - {name}):
            if _is_same(pictures_of(name), pictures_of(other)):
                raise StageError(
                    f"{where}: has {other}, which is the same movie as {name} in this split; "
                    "put both into one"
                )


def _refuse_pictures(ours: Split, theirs: Split, where: Path) -> None:
    """Refuse pictures that are the same, pixel by pixel, whatever they are called."""
    known = {frame.hash: line.picture for line, frame in reversed(theirs) if frame.hash}
    found = [(line.picture, known[frame.hash]) for line, frame in ours if frame.hash in known]
    if found:
        one, other = found[0]
        raise StageError(
            f"{where}: has {len(found)} of this split's pictures under other names, the same pixel "
            f"by pixel: {other} is {one}; put both into one split, or {CHOOSE}"
        )


def _find_near(numbers: set[int], others: list[int], guard: int) -> int | None:
    """Return the first number with one of the others, which are sorted, within guard of it."""
    for each in sorted(numbers):
        place = bisect_left(others, each - guard)
        if place < len(others) and others[place] <= each + guard:
            return each
    return None


def _numbers(split: Split) -> dict[str, set[int]]:
    """Return the frame numbers of each dataset."""
    found: dict[str, set[int]] = {}
    for line, frame in split:
        found.setdefault(line.dataset, set()).add(frame.number)
    return found


def find_number(line: Merged, pictures: frames.Pictures) -> int:
    """Return the frame number of a merged picture."""
    return _find_frame(line, pictures).number


def _find_frame(line: Merged, pictures: frames.Pictures) -> frames.Frame:
    """Return the frame of a merged picture."""
    frame = pictures.named(line.original)
    if frame is None:
        raise StageError(f"{pictures.source}: lacks {line.original}; prepare {line.dataset} again")
    return frame


def _is_same(one: Iterable[frames.Frame], other: Iterable[frames.Frame]) -> bool:
    hashes, others = set(_hashes(one)), set(_hashes(other))
    shorter = min(len(hashes), len(others))
    return bool(shorter) and len(hashes & others) >= SHARE * shorter


def _hashes(pictures: Iterable[frames.Frame]) -> Iterator[str]:
    return (frame.hash for frame in pictures if frame.hash)
