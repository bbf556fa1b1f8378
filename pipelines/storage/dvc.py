"""DVC in a work tree: which stages are published, running them, sending what they made."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines import commands
from pipelines.errors import PipelineError, Transient
from pipelines.output_lines import Listener
from pipelines.storage import dvc_progress, remote
from pipelines.storage.dvc_progress import Progress

SHELL = Path(__file__).with_name("stage-shell")
"""The shell of the stages, which hands on nothing of the environment but what docker needs."""

TRIES = 3
"""How often `dvc push` is tried."""

ABSENT = ("deleted", "not in cache")
"""What `dvc status` says of data that is not on this disk; that is no change."""

FAILED = re.compile(r"failed to run: .*?, exited with (\d+)", re.S)
"""How DVC says that a stage failed: with its whole command."""


class Stage(NamedTuple):
    """A stage of dvc.yaml.

    cached: whether a remote is to hold its outputs; the others are made where they are needed.
    outs: path -> the remote that holds it, empty for the default one. metrics, deps: paths.
    The name of a stage of another file than the dvc.yaml at the top begins with its path and `:`.
    """

    name: str
    cached: bool
    outs: dict[str, str]
    metrics: tuple[str, ...]
    command: str
    deps: tuple[str, ...]


class Dvc:
    """DVC in a folder; seconds: how long a step that uses the network may take."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds

    def stages(self) -> list[Stage]:
        """Return the stages of the pipeline."""
        return [
            Stage(
                name,
                all(cached for _, cached, metric, _ in outs if not metric),
                {path: remote for path, _, metric, remote in outs if not metric},
                tuple(path for path, cached, metric, _ in outs if metric and not cached),
                command,
                tuple(deps),
            )
            for name, command, deps, outs in self._index("stages")
        ]

    def pending(self, targets: Sequence[str]) -> list[str]:
        """Return the stages that would run."""
        if not targets:  # DVC would take that for all stages
            return []
        said = self._run("repro", "--dry", "--pull", "--allow-missing", "--no-run-cache", *targets)
        return re.findall(r"^Running stage '(.+)':$", said, re.M)

    def why(self, targets: Sequence[str]) -> list[tuple[str, str]]:
        """Return the stages that would run, with what changed for them."""
        if not targets:  # DVC would take that for all stages
            return []
        changed = json.loads(self._run("status", "--json", "--with-deps", *targets).strip() or "{}")
        found: list[str] = self._index("changed", *targets)
        return [(stage, _reasons(changed.get(stage, []))) for stage in found]

    def repro(self, words: Sequence[str], stages: Iterable[Stage]) -> Progress:
        """Run `dvc repro` with options and targets, telling each stage as it begins.

        stages: those of the pipeline. Return what ran and what was up to date.
        """
        titles = {each.name: dvc_progress.title(each.name, each.outs) for each in stages}
        progress = Progress(titles)
        self._run("repro", *words, listener=progress)
        return progress

    def push(self, targets: Sequence[str]) -> str:
        """Send what the stages made; return why that failed after some tries, or nothing.

        A PipelineError says that the remote refuses, Transient that it does not answer.
        """
        why = ""
        for _ in range(TRIES if targets else 0):  # DVC takes no targets for all stages
            try:
                self._run("push", *targets)
            except Transient as error:
                why = str(error).removesuffix("; run again")  # it is to be tried again later
                raise Transient(f"the remote does not take the data: {why}") from None
            except PipelineError as error:
                why = str(error)
                if remote.REFUSALS.search(why):
                    raise PipelineError(remote.describe_refusal("written to", why)) from None
            else:
                return ""
        return f"the remote does not take the data: {why}" if why else ""

    def _index(self, *words: str) -> Any:
        """Ask DVC what it knows of the pipeline."""
        done = commands.module(
            "pipelines.storage.dvc_query", *words, folder=self.folder, timeout=self.seconds
        )
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            why = re.sub(r"^[\w.]+(Error|Exception): ", "", "".join(last))
            raise PipelineError(f"dvc.yaml: cannot be read: {why}")
        return json.loads(done.stdout.splitlines()[-1])

    def _run(self, *words: str, listener: Listener | None = None) -> str:
        """Run DVC and return its output; stages see only what stage-shell hands on."""
        done = commands.module(
            "dvc",
            *words,
            env={"SHELL": str(SHELL), "DVC_NO_ANALYTICS": "1", "PWD": str(self.folder)},
            folder=self.folder,
            timeout=self.seconds,
            listener=listener,
        )
        if done.returncode:
            raise PipelineError(_why(f"{done.stdout}\n{done.stderr}", words[0]))
        return done.stdout


def _reasons(found: list[Any]) -> str:
    """Say in words what `dvc status` has of a stage; what is not on this disk has not changed."""
    said = [each for each in found if isinstance(each, str)]
    for each in (each for each in found if isinstance(each, dict)):
        for what, paths in each.items():
            named = paths if isinstance(paths, dict) else {}
            said += [f"{what}: {path}" for path, how in named.items() if how not in ABSENT]
    return ", ".join(said) or "a stage that it depends on would run"


def _why(said: str, command: str) -> str:
    """Return the line that says why DVC failed: the stage's own, docker's, or DVC's."""
    if errors := commands.refusals(said):
        return " | ".join(errors)
    said = FAILED.sub(r"its command ended with \1", said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    docker = [line for line in lines if line.startswith("docker: ")]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return " | ".join([*docker, *(f"dvc {command}: {line}" for line in errors or lines[-1:])])
