"""What a running command prints: told line by line while it runs, and kept."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import IO, NamedTuple


class Line(NamedTuple):
    """A line without its end; error: whether it was printed to standard error."""

    text: str
    error: bool


Listener = Callable[[Line], None]


class Stream:
    """The standard output or error of a process, and what was read of it."""

    def __init__(self, source: IO[bytes], listener: Listener, *, error: bool) -> None:
        self.source, self.listener, self.error = source, listener, error
        self.whole, self.rest = bytearray(), b""

    def read(self) -> bool:
        """Read what is there and tell its whole lines; return False if this was the end.

        The lines of a progress bar end with a carriage return. What has no end is a line, too.
        """
        block = os.read(self.source.fileno(), 1 << 16)
        self.whole += block
        lines = (self.rest + (block or b"\n")).replace(b"\r", b"\n").split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            if text := line.decode("utf-8", "replace").rstrip():
                self.listener(Line(text, self.error))
        return bool(block)


def follow(
    process: subprocess.Popen[bytes], listener: Listener, timeout: float
) -> tuple[bytes, bytes]:
    """Call the listener with each line, until the process ends; return its output and errors.

    timeout: seconds after which subprocess.TimeoutExpired is raised.
    """
    end = time.monotonic() + timeout
    assert process.stdout
    assert process.stderr
    both = [Stream(process.stdout, listener, error=False)]
    both += [Stream(process.stderr, listener, error=True)]
    with selectors.DefaultSelector() as selector:
        for stream in both:
            selector.register(stream.source, selectors.EVENT_READ, stream)
        while selector.get_map():
            ready = [key.data for key, _ in selector.select(max(0, end - time.monotonic()))]
            for stream in sorted(ready, key=both.index):  # DVC names the stage on standard output
                if not stream.read():
                    selector.unregister(stream.source)
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired(process.args, timeout)
    process.wait(max(0, end - time.monotonic()))
    output, errors = (bytes(stream.whole) for stream in both)
    return output, errors
