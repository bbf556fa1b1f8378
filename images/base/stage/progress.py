"""Progress of long work: a bar on a terminal, a line every five seconds otherwise."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from stage.errors import printable

T = TypeVar("T")
SECONDS = 5
LONGEST = 40
"""Characters of a path before a bar, which shares a line with it."""


def show_progress(
    things: Iterable[T], path: Path, unit: str, about: int | None = None
) -> Generator[T, None, None]:
    """Go through things and show on stderr how far that is.

    path: what the work is about, as the user gave it, for every dataset has a movie.mp4. unit:
    what things are, in the plural. about: how many they are, if that is known.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm  # noqa: PLC0415  # it takes long to load, and mostly is not needed

        what = printable(path)
        what = what if len(what) <= LONGEST else f"...{what[3 - LONGEST :]}"
        yield from tqdm(things, what, about, unit=f" {unit}", dynamic_ncols=True, leave=False)
    else:
        yield from _print_lines(things, path, unit, f" of about {about}" if about else "")


def _print_lines(things: Iterable[T], path: Path, unit: str, of: str) -> Iterator[T]:
    printed = time.monotonic()
    for count, thing in enumerate(things, 1):
        yield thing
        if time.monotonic() - printed >= SECONDS:
            printed = time.monotonic()
            print(printable(f"{path}: {count}{of} {unit}"), file=sys.stderr, flush=True)
