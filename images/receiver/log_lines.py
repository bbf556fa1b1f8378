"""What the receiver says: lines on stderr."""

import os
from contextlib import suppress

STDERR = 2


def say(text: str) -> None:
    """Write one line as a whole, without a lock that a thread could hold at the end."""
    with suppress(OSError):
        os.write(STDERR, f"receiver: {text}\n".encode("utf-8", "backslashreplace"))
