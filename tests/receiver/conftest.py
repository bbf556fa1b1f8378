"""A forge that is played, and receivers that ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from receiver.played import Forge, Receiver, gitlab, played


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A forge that has not been asked yet."""
    with played(Forge()) as one:
        yield one


@pytest.fixture
def start(tmp_path: Path, forge: Forge) -> Iterator[Callable[..., Receiver]]:
    """Start receivers that ask the forge, once an hour at most unless settings say otherwise."""
    with ExitStack() as stack:

        def start(**settings: str) -> Receiver:
            chosen = {} if "GITHUB_TOKEN" in settings else gitlab(forge)
            folder = tmp_path / f"receiver {len(list(tmp_path.iterdir()))}"
            one = Receiver(folder, {"SECONDS_BETWEEN_CALLS": "3600", **chosen, **settings})
            stack.callback(one.stop)
            return one

        yield start
