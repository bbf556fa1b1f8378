"""Other programs: run as lists of words, and checked."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipelines import output_lines
from pipelines.errors import PipelineError, Transient
from pipelines.output_lines import Listener

LONGEST = 3600
"""Seconds that any command may take if its caller knows no better: every wait has an end."""

PATIENCE = 20
"""Seconds that a command has to end by itself when a user presses Ctrl-C."""


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
        raise failure(done, shlex.join(command))
    return done.stdout.rstrip()


def failure(done: subprocess.CompletedProcess[str], what: str) -> PipelineError:
    """Return the error that shows the last 2000 characters that a command printed."""
    words = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
    return PipelineError(f"{what} ended with {done.returncode}:\n{words}")


def module(
    name: str,
    *words: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = LONGEST,
    listener: Listener | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a Python module as a process of its own; env: variables in addition to ours.

    The code in the folder where it works is never imported, even if a folder there is called dvc.
    """
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    safe = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    return run(
        *(sys.executable, "-m", name, *words),
        stdin=stdin,
        env={**os.environ, **(env or {}), **safe},
        folder=folder,
        timeout=timeout,
        listener=listener,
    )


def refusals(said: str) -> list[str]:
    """Return the errors of stages, without `error: `, from all that was printed."""
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
    listener: Listener | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; its output is text, whatever bytes it holds.

    The output may hold secrets: what of it is shown to people goes through `messages`.

    timeout: seconds after which it is ended with all that it started, and Transient is raised.
    listener: is called with each line as the command prints it; such a command has no stdin.
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
            if listener:
                streams = output_lines.follow(process, listener, timeout)
            else:
                streams = process.communicate(stdin, timeout)
        except BaseException as error:
            _end(process, gently=isinstance(error, KeyboardInterrupt))
            if isinstance(error, subprocess.TimeoutExpired):
                shown = command[2:4] if command[0] == sys.executable else command[:3]
                text = f"{shlex.join(shown)} ...: no end after {timeout:.0f} s; run again"
                raise Transient(text) from None
            raise
    texts = [stream.decode("utf-8", "replace") for stream in streams]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def _end(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End a process with all that it started; gently: as Ctrl-C does, if that helps in time."""
    if gently:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
    os.killpg(process.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent is killed: a group of its own outlives it.

    DVC would go on in the work tree where the next publish works.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
