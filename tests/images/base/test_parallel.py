"""Work that is spread over processes."""

import os
import signal
from pathlib import Path

import pytest

from stage import parallel
from stage.errors import StageError
from stage.parallel import PART, Lazy, spread


@pytest.fixture(params=[1, 2, 5])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many processors."""
    count: int = request.param
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)))
    return count


@pytest.mark.parametrize("count", [0, 1, PART, PART + 1, 7 * PART + 3])
def test_each_thing_is_done_once_and_found_in_order(processors: int, count: int) -> None:
    parts = list(spread(lambda part: [(place, os.getpid()) for place in part], count))
    done = [place for part in parts for place, _ in part]

    assert done == list(range(count))
    if processors > 1 and count > PART:
        assert os.getpid() not in {own for part in parts for _, own in part}


def test_the_first_error_in_order_is_raised_and_no_process_stays(
    processors: int, tmp_path: Path
) -> None:
    def work(part: range) -> None:
        (tmp_path / f"{os.getpid()}").touch()
        if part.start >= 2 * PART:
            raise StageError(f"refused {part.start}")

    with pytest.raises(StageError, match=f"^refused {2 * PART}$"):
        list(spread(work, 20 * PART))

    others = [path for path in tmp_path.iterdir() if path.name != str(os.getpid())]
    assert len(others) <= processors
    assert bool(others) == (processors > 1)
    assert not any(Path("/proc", path.name).exists() for path in others)


def test_a_process_that_is_killed_ends_the_work_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    def work(part: range) -> None:
        if part.start == 3 * PART:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(StageError, match=r"a process was ended, .* give the container more memory"):
        list(spread(work, 6 * PART))
    assert parallel._work == []


def test_a_lazy_sequence_is_one() -> None:
    asked: list[int] = []

    def make(place: int) -> int:
        asked.append(place)
        return -place

    lazy = Lazy(make, 5)

    assert (lazy[1], lazy[-1], list(lazy[1:3])) == (-1, -4, [-1, -2])
    assert asked == [1, 4, 1, 2]
    assert list(lazy) == [0, -1, -2, -3, -4]
    with pytest.raises(IndexError):
        lazy[5]
