"""Servers that a test starts: each is up when it answers, and gone when the test is."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar


class Service(Protocol):
    """What a test starts and ends."""

    def stop(self) -> None:
        """End it."""


AnyService = TypeVar("AnyService", bound=Service)


def children(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, theirs first; in any process group."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = task.read_text().split()
        except OSError:  # it has ended meanwhile
            continue
        for child in found:
            yield from children(int(child))
            yield int(child)


def answers(port: int) -> bool:
    """Say whether somebody listens on a port of this machine."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on now; another may take it before it is used."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        assert isinstance(port, int)
        return port


class Server:
    """A process that serves on a port, with all that it starts in turn."""

    def __init__(self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> None:
        """Start it, with its output in folder/log.

        The kernel kills it when the process that started it is killed: no test can leave it
        behind. setpriv does that, since Python's own way is unsafe beside threads.
        """
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def wait(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until it serves; one that ends, or takes too long, is an error with its log."""
        end = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.process.args!r} does not serve: {self.text()}")
            time.sleep(0.02)

    def text(self) -> str:
        """What it has said."""
        return self.log.read_text("utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it has started."""
        for pid in (*children(self.pid), self.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """Kill it and all that it has started; a second time does nothing."""
        if self.process.poll() is None:
            self.signal(signal.SIGSTOP)  # what stands still starts nothing more
            self.signal(signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(start: Callable[[Path], AnyService], folder: Path) -> Iterator[AnyService]:
    """Give a service that has its files in a folder, which is made, and end it."""
    folder.mkdir(parents=True, exist_ok=True)
    one = start(folder)
    try:
        yield one
    finally:
        one.stop()
