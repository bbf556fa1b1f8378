"""What the command lines of all stages share: --version, exit codes and messages."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from stage.errors import StageError, printable

ENDS = """\
exit codes:
  0  done
  1  refused or failed: one line on stderr says what, where and what to do;
     what was at the destination before is still there
  2  the command line was not understood"""


STOPS = (signal.SIGTERM, signal.SIGINT)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that describes itself by a module's docstring."""
    made = argparse.ArgumentParser(
        description=doc, epilog=ENDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version = os.environ.get("IMAGE_REFERENCE", "not run from an image")
    made.add_argument(
        "--version", action="version", version=version, help="print the image's reference and exit"
    )
    return made


def report(work: Callable[..., None], *args: object, **options: object) -> int:
    """Do the work and return the exit code; a StageError becomes one line on stderr."""
    for each in STOPS:
        signal.signal(each, _stop)
    try:
        work(*args, **options)
    except StageError as error:
        return refuse(str(error))
    except OSError as error:  # a full disk, a folder of another user: not a bug
        return refuse(f"{error.filename or 'output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return refuse("stopped before it was done; nothing was changed")
    return 0


def say(text: str) -> None:
    """Print what was done, on one line of stdout."""
    print(printable(text))


def refuse(text: str) -> int:
    """Print why the work could not be done, on one line of stderr; return the exit code."""
    print(f"error: {printable(text)}", file=sys.stderr)
    return 1


def warn(text: str) -> None:
    """Print what a user should look at though the work goes on, on one line of stderr."""
    print(f"warning: {printable(text)}", file=sys.stderr)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Let the stage clean up after `docker stop` and Ctrl-C; ignore a second one meanwhile."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
