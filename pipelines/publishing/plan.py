"""What is to be published, and on what: read from commits once; nothing is checked out."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.datasets import params
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError
from pipelines.publishing import branch_rules
from pipelines.publishing.branch_rules import Change
from pipelines.publishing.branches import Branch
from pipelines.storage.dvc import Dvc
from pipelines.storage.git import DEFAULT, Git

WORK = "work"
"""The work tree in the folder of a publish: one path, by whose label containers are found."""


@dataclass(frozen=True)
class Options:
    """What the command line says.

    max_drop: None for what params.yaml says. seconds: how long a step that uses the network may
    take. dry_run: whether all is checked and nothing sent.
    """

    max_drop: float | None = None
    seconds: float = 1800
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """A branch, or without one whatever else changed, to be published on the default branch.

    place: the folder to work in. base: the default branch's commit. change: the branch's export;
    None if it is published already, or the same as the default branch's.
    """

    git: Git
    place: Path
    branch: Branch | None
    options: Options
    base: str
    settings: Settings
    change: Change | None

    @property
    def folder(self) -> Path:
        """The work tree."""
        return self.place / WORK

    @property
    def dvc(self) -> Dvc:
        """DVC in the work tree."""
        return Dvc(self.folder, self.options.seconds)

    @property
    def max_drop(self) -> float:
        """The part of a dataset's pictures or objects that may be lost, from 0 to 1."""
        own = self.options.max_drop
        return self.settings.max_drop if own is None else own


def make_plan(git: Git, place: Path, branch: Branch | None, options: Options) -> Plan:
    """Read the commits, and refuse a branch that changes what it may not."""
    base = git.commit(DEFAULT)
    settings, change = read_settings(git, base), None
    if branch and not git.is_ancestor(branch.tip, base):
        change = branch_rules.read_change(git, base, branch, settings)
    return Plan(git, place, branch, options, base, settings, change)


def read_settings(git: Git, base: str) -> Settings:
    """Return what params.yaml of a commit of the default branch says."""
    text = git.text(base, "params.yaml")
    if text is None:
        raise PipelineError("params.yaml: is not on the default branch; push it")
    return params.parse(text)
