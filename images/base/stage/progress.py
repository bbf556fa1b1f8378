"""Progress of long work: a bar on a terminal, a line every five seconds otherwise."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from stage.errors import printable

T = TypeVar("T")
SECONDS = 5


def shown(
    things: Iterable[T], what: str, unit: str, about: int | None = None
) -> Generator[T, None, None]:
    """Go through things and show on stderr how far that is; about how many there are, if known."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # noqa: PLC0415  # it takes long to load, and mostly is not needed

        yield from tqdm(things, what, about, unit=f" {unit}", dynamic_ncols=True, leave=False)
    else:
        yield from _lines(things, what, unit, f" of about {about}" if about else "")


def _lines(things: Iterable[T], what: str, unit: str, of: str) -> Iterator[T]:
    said = time.monotonic()
    for count, thing in enumerate(things, 1):
        yield thing
        if time.monotonic() - said >= SECONDS:
            said = time.monotonic()
            print(printable(f"{what}: {count}{of} {unit}"), file=sys.stderr, flush=True)
