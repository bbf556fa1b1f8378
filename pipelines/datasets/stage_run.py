"""A stage's image, run once on files below data/: to look at what is not in the pipeline yet."""

import os
import shlex
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from pipelines import commands, messages
from pipelines.containers import engine, images
from pipelines.errors import PipelineError
from pipelines.storage.dvc import SHELL

NOTHING: Mapping[str, str] = {}


def run_stage(
    folder: Path,
    stage: str,
    *words: str,
    names: Mapping[str, str] = NOTHING,
    quiet: bool = False,
) -> str:
    """Run a stage's image as dvc.yaml does; return what it printed.

    Its progress and warnings are shown unless it is to be quiet; what it refuses is a
    PipelineError. If this is interrupted, the container is ended. names: paths that the stage knows
    -> what they are called here.
    """
    known = images.read(folder)
    command = f"{known.run} {known.images[stage]} {shlex.join(words)}"
    label = f"data-registry-run={uuid.uuid4().hex}"
    options = f"{os.environ.get('DOCKER_OPTIONS', '')} --label {label}"
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        process = subprocess.Popen(
            (str(SHELL), "-c", command),
            cwd=folder,
            env={**os.environ, "PWD": str(folder), "DOCKER_OPTIONS": options},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with process:
            try:
                lines = _follow(process, names, quiet=quiet)
            except BaseException:
                engine.stop_containers(label)
                process.kill()
                raise
        if process.returncode:
            refused = commands.refusals("\n".join(lines)) or [line for line in lines if line]
            raise PipelineError((refused or [f"{stage} ended with {process.returncode}"])[-1])
        printed.seek(0)
        return _renamed(printed.read(), names)


def _follow(
    process: "subprocess.Popen[str]", names: Mapping[str, str], *, quiet: bool
) -> list[str]:
    """Show what a stage says while it works, and return it."""
    assert process.stderr
    lines = list[str]()
    for line in process.stderr:
        lines.append(_renamed(line.rstrip(), names))
        if not (quiet or line.startswith("error: ")):
            print(messages.redact(lines[-1]), file=sys.stderr, flush=True)
    process.wait()
    return lines


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text
