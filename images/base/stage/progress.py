"""Progress of long work: a bar on a terminal, a line every five seconds otherwise."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS = 5.0


def shown(things: Iterable[T], what: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Go through things and show on stderr how far that is."""
    terminal = sys.stderr.isatty()
    with tqdm(
        things,
        desc=what,
        unit=f" {unit}",
        total=total,
        file=sys.stderr,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else SECONDS,
        maxinterval=10 if terminal else SECONDS,
        miniters=1 if not terminal else None,
        delay=0.2 if terminal else SECONDS,
    ) as bar:
        yield from bar
