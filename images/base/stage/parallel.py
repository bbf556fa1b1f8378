"""Long work in as many processes as there are processors."""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar, overload

from stage.errors import StageError

T = TypeVar("T")

PART = 400
"""Items that a process does at a time; for fewer, no process is started."""

MOST = 8
"""The most processes: each may take as much memory as the first."""


class Lazy(Sequence[T]):
    """A sequence whose items are made when they are asked for, again each time."""

    def __init__(self, make: Callable[[int], T], length: int) -> None:
        """Have length items; make returns the one at a place from 0."""
        self._make = make
        self._length = length

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._length

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        """Return the item at a place, or those of a slice."""
        if isinstance(place, slice):
            return [self._make(each) for each in range(self._length)[place]]
        return self._make(range(self._length)[place])


_work: list[Callable[[range], Any]] = []
"""The work of the pool's processes, which are forked, so that they see all that it refers to."""


def spread(work: Callable[[range], T], count: int) -> Iterator[T]:
    """Yield what work returns for range(count), cut into parts, in their order.

    The parts are done in forked processes: what they change in memory is lost, what they return
    and what they write to files is not. The first error in the order of the parts is raised.
    """
    parts = [range(at, min(at + PART, count)) for at in range(0, count, PART)]
    processes = min(len(os.sched_getaffinity(0)), len(parts), MOST)
    if processes < 2:
        yield from map(work, parts)
        return
    _work.append(work)
    gc.freeze()  # else each process's garbage collector would visit, and so copy, all objects
    try:
        with ProcessPoolExecutor(processes, get_context("fork"), _leave_signals) as pool:
            try:
                yield from pool.map(_do_part, parts)
            finally:
                pool.shutdown(cancel_futures=True)
    except BrokenProcessPool:
        text = "a process was ended, probably for lack of memory; give the container more memory"
        raise StageError(text) from None
    finally:
        _work.pop()


def _do_part(part: range) -> Any:
    return _work[-1](part)


def _leave_signals() -> None:
    """Ignore Ctrl-C, which the first process handles for all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
