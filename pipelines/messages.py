"""What people see: on a terminal, in a log, on a forge's page. Secrets are redacted here alone.

What programs read from one another is never changed: a secret may be an ordinary word, which is
the name of a stage, too.
"""

import os
import re
import shutil
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import TextIO

SECRETS = re.compile(
    r"CONNECTION_STRING|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|SIGNATURE|_SAS$|_KEY(_ID)?$"
    r"|^GIT_CONFIG_VALUE"
)
"""Names of variables whose values are never shown."""

SHORTEST = 8
"""Characters of a value that is taken for a secret."""

CLEAR = "\r\x1b[K"
"""What a terminal takes to remove the line that the cursor is in."""


def program() -> str:
    """Return how the commands are called here: `registry`, or as a module."""
    name = Path(sys.argv[0]).name
    return name if name == "registry" else "python -m pipelines"


def say(text: str) -> None:
    """Print a line to standard output: a result."""
    _print(text, sys.stdout)


def tell(text: str) -> None:
    """Print a line to standard error: a step that begins."""
    _print(text, sys.stderr)


def tell_passing(text: str) -> None:
    """Print a line to standard error, which the next one replaces if that is a terminal."""
    if not _is_watched():
        tell(text)
        return
    shown = redact(text)[: shutil.get_terminal_size().columns - 1]
    print(f"{CLEAR}{shown}", end="", file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a warning to standard error: the work goes on."""
    _print(f"warning: {text}", sys.stderr)


def refuse(text: str) -> None:
    """Print an error to standard error."""
    _print(f"error: {text}", sys.stderr)


def _is_watched() -> bool:
    """Tell whether a person sees standard error: a log of CI may be made by a terminal, too."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def _print(text: str, file: TextIO) -> None:
    """Print a line, after the removal of one that is passing."""
    if _is_watched():
        print(CLEAR, end="", file=sys.stderr, flush=True)
    print(redact(text), file=file, flush=True)


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug, as `sys.excepthook` does."""
    print(redact("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr)


def redact(text: str) -> str:
    """Return text without the secrets of the environment, whole or in part.

    A connection string is `name=value;name=value`; each of its secret values is one, too.
    """
    for name, value in os.environ.items():
        if SECRETS.search(name) and len(value) >= SHORTEST:
            for part in (value, *re.findall(r"(?:Key|Signature|sig)=([^;&]{8,})", value)):
                text = text.replace(part, "***")
    text = re.sub(r"://[^/\s:@]+:[^/\s@]+@", "://***@", text)  # of an address: user and token
    return re.sub(r"(sig=|AccountKey=)[^;&\s]+", r"\1***", text)
