"""The work tree where a publish merges and reproduces: of the default branch, made anew."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines import messages
from pipelines.containers import engine, images
from pipelines.datasets import declared_deps, split_stages
from pipelines.errors import PipelineError
from pipelines.publishing.plan import Plan
from pipelines.storage.dvc import Stage
from pipelines.storage.git import Git


@dataclass(frozen=True)
class Work:
    """A plan, and the stages of the pipeline that its work tree has."""

    plan: Plan
    stages: tuple[Stage, ...]

    @property
    def folder(self) -> Path:
        """The work tree."""
        return self.plan.folder

    @property
    def stored(self) -> list[Stage]:
        """The stages whose outputs are published."""
        return [stage for stage in self.stages if stage.cached]

    @property
    def targets(self) -> list[str]:
        """The names of the stages whose outputs are published."""
        return [stage.name for stage in self.stored]

    @property
    def metrics(self) -> list[str]:
        """The paths of the metrics that are published, in git."""
        return [path for stage in self.stored for path in stage.metrics]


@contextmanager
def open_work_tree(plan: Plan) -> Iterator[Work]:
    """Check the default branch out, and throw the work tree away afterwards.

    A PipelineError says what is wrong with its pipeline.
    """
    _clean(plan)
    words = ("worktree", "add", "--quiet", "--force", "--detach")
    plan.git(*words, str(plan.folder), plan.base)
    own = Path.cwd() / ".dvc" / "config.local"
    if own.is_file():  # a laptop's secret may be there; a CI job has none
        (plan.folder / ".dvc").mkdir(exist_ok=True)
        shutil.copy2(own, plan.folder / ".dvc")
    try:
        stages = plan.dvc.stages()
        split_stages.check(plan.folder)
        check_deps(plan.folder, stages)
        check_locks(plan.folder, stages)
        yield Work(plan, tuple(stages))
    finally:
        stop_left_overs(plan.folder, plan.options.seconds)
        _clean(plan)


def _clean(plan: Plan) -> None:
    shutil.rmtree(plan.folder, ignore_errors=True)
    plan.git("worktree", "prune")


def check_deps(folder: Path, stages: Iterable[Stage]) -> None:
    """Refuse stages that declare less than their commands read."""
    declared_deps.check(stages, images.read(folder).images.values())


def check_locks(folder: Path, stages: Iterable[Stage]) -> None:
    """Refuse a dvc.lock of pictures that git has, and stored outputs in a second pipeline file.

    DVC would take pictures that another machine made for up to date, and make none.
    """
    for stage in stages:
        path, _, name = stage.name.rpartition(":")
        if not path:
            continue
        if stage.cached:
            text = f"{name}: its outputs are stored; move it to the dvc.yaml at the top"
            raise PipelineError(f"{path}: {text}, or give them `cache: false`")
        lock = f"{path.removesuffix('dvc.yaml')}dvc.lock"
        if Git(folder)("ls-files", "--", lock):
            text = f"is committed, but it is each machine's own; `git rm --cached {lock}`"
            raise PipelineError(f"{lock}: {text}")


def warn_of_unguarded(stages: Iterable[Stage]) -> None:
    """Warn of splits that may share pictures, because nothing compares them."""
    for stage, lineage in declared_deps.unguarded(stages):
        text = f"may share pictures with {lineage}, which it is not compared with"
        messages.warn(f"dvc.yaml: {stage}: {text}; add --against {lineage} to its command")


def stop_left_overs(work: Path, seconds: float) -> None:
    """End the containers of a publish that was killed: they outlive it, and would go on writing."""
    engine.stop_containers(f"data-registry={work}", seconds)
