"""Other programs: run as lists of words, and checked."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import PipelineError, Transient

LONGEST = 3600
"""Seconds that any command may take if its caller knows no better: every wait has an end."""


def output(
    *command: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = LONGEST,
) -> str:
    """Run a command and return what it printed, trailing blanks removed."""
    done = run(*command, stdin=stdin, env=env, folder=folder, timeout=timeout)
    if done.returncode:
        raise failed(done, shlex.join(command))
    return done.stdout.rstrip()


def failed(done: subprocess.CompletedProcess[str], what: str) -> PipelineError:
    """Return the error that shows what a command said at its end."""
    words = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
    return PipelineError(f"{what} ended with {done.returncode}:\n{words}")


def module(
    name: str,
    *words: str,
    stdin: bytes | None = None,
    folder: Path | None = None,
    timeout: float = LONGEST,
) -> subprocess.CompletedProcess[str]:
    """Run a module of ours as a process of its own, whatever code the folder it works in has."""
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    command = (sys.executable, "-m", name, *words)
    return run(*command, stdin=stdin, env=env, folder=folder, timeout=timeout)


def refusals(said: str) -> list[str]:
    """Return what stages refused, of all that was said."""
    lines = [line.strip() for line in said.splitlines()]
    return [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]


def works(*command: str, folder: Path | None = None, timeout: float = LONGEST) -> bool:
    """Run a command and tell whether it succeeded."""
    return run(*command, folder=folder, timeout=timeout).returncode == 0


def run(
    *command: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = LONGEST,
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; its output is text, whatever bytes it holds.

    It may hold secrets: what of it is shown to people goes through `messages`.

    timeout: seconds after which it is ended with all that it started, and Transient is raised.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # no threads
        )
    except FileNotFoundError:
        raise PipelineError(
            f"{command[0]}: no such command; install it, or run `make repro`"
        ) from None
    with process:
        try:
            streams = process.communicate(stdin, timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # with all that it started
            if isinstance(error, subprocess.TimeoutExpired):
                shown = command[2:4] if command[0] == sys.executable else command[:3]
                text = f"{shlex.join(shown)} ...: no end after {timeout:.0f} s; run again"
                raise Transient(text) from None
            raise
    texts = [stream.decode("utf-8", "replace") for stream in streams]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent is killed: a group of its own outlives it.

    DVC would go on in the work tree where the next publish works.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
