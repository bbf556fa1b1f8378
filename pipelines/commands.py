"""Other programs: run as lists of words, and checked."""

import shlex
import subprocess
from collections.abc import Mapping

from pipelines.errors import PipelineError


def output(*command: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it printed, trailing blanks removed."""
    done = run(*command, stdin=stdin, env=env)
    if done.returncode:
        words = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
        raise PipelineError(f"{shlex.join(command)} ended with {done.returncode}:\n{words}")
    return done.stdout.rstrip()


def works(*command: str) -> bool:
    """Run a command and tell whether it succeeded."""
    return run(*command).returncode == 0


def run(
    *command: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; its output is text, whatever bytes it holds."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=env)
    except FileNotFoundError:
        raise PipelineError(
            f"{command[0]}: no such command; install it, or run `make repro`"
        ) from None
    texts = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, *texts)
