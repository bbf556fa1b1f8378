"""One try to publish: its steps, in their order, each a method.

The default branch never names data that the remote does not hold: data goes first and is looked
up from the remote's side, then one plain `git push` moves the branch, from exactly the commit that
was read. Before it nothing visible has changed; after it everything is published. So a publish
that ended anywhere is simply run again.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from pipelines import commands, messages
from pipelines.containers import engine, images
from pipelines.datasets import declared_deps, params
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError, Transient
from pipelines.publishing import branch_rules, changes, publish_checks
from pipelines.publishing.branch_rules import Change
from pipelines.publishing.branches import Branch
from pipelines.storage import dvc_files, remote
from pipelines.storage.dvc import SHELL, Dvc, Stage
from pipelines.storage.dvc_files import Named
from pipelines.storage.git import DEFAULT, Git

EMPTY = "schema: '2.0'\nstages: {}\n"
"""A dvc.lock of a pipeline that never ran."""

WORK = "work"
"""The work tree in the folder of a publish: one path, by whose label containers are found."""


@dataclass(frozen=True)
class Options:
    """What the command line says. seconds: for a step that uses the network."""

    max_drop: float | None = None
    seconds: float = 1800


@dataclass
class Attempt:
    """A branch, or without one whatever else changed, to be published on the default branch.

    place: the folder to work in. Only commit ids are used after they were read here.
    """

    git: Git
    place: Path
    branch: Branch | None
    options: Options
    base: str = ""
    settings: Settings = field(default_factory=Settings)
    change: Change | None = None
    stages: list[Stage] = field(default_factory=list)
    again: set[str] = field(default_factory=set)
    """Stages that run again because the remote lacks what they made."""
    unsent: str = ""
    """Why `dvc push` failed; nothing if it did not."""

    def __post_init__(self) -> None:
        """Read both commits, once, and guard the branch: nothing of it is checked out."""
        self.base = self.git.commit(DEFAULT)
        text = self.git.text(self.base, "params.yaml")
        if text is None:
            raise PipelineError("params.yaml: is not on the default branch; push it")
        self.settings = params.parse(text)
        self.folder = self.place / WORK
        self.dvc = Dvc(self.folder, self.options.seconds)
        if self.branch and not self.git.is_ancestor(self.branch.tip, self.base):
            self.change = branch_rules.change(self.git, self.base, self.branch, self.settings)

    def run(self) -> str | None:
        """Do all steps; return what was done, or None if somebody else moved the branch."""
        if self.branch and not self.change:
            return "is published already, or changes nothing"
        with self.work():
            if self.change:
                self.merge()
                self.validate()
            if not self.branch:
                warn_of_unguarded(self.stages)
            self.reproduce()
            tree = self.tree()
            same = tree == self.git("rev-parse", f"{self.base}^{{tree}}")
            if same and not self.again:
                return "nothing to do"
            self.gate()
            self.push_data()
            self.verify()
            if same:
                return f"made again what the remote lacked: {', '.join(sorted(self.again))}"
            return self.push_commit(self.commit(tree))

    @contextmanager
    def work(self) -> Iterator[None]:
        """Have a work tree of the default branch, and throw it away afterwards."""
        self._clean()
        self.git("worktree", "add", "--quiet", "--force", "--detach", str(self.folder), self.base)
        own = Path.cwd() / ".dvc" / "config.local"
        if own.is_file():  # a laptop's secret may be there; a CI job has none
            shutil.copy2(own, self.folder / ".dvc")
        try:
            self.stages = self.dvc.stages()
            declared_deps.check(self.stages, images.read(self.folder).images.values())
            yield
        finally:
            stop_left_overs(self.folder, self.options.seconds)
            self._clean()

    def _clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.git("worktree", "prune")

    @property
    def targets(self) -> list[str]:
        """The stages whose outputs are published."""
        return [stage.name for stage in self.stages if stage.cached]

    def merge(self) -> None:
        """Merge the branch, then put every file right: the export is CVAT's, all else is ours.

        `-X theirs` alone goes through the export hunk by hunk, and makes one that nobody wrote.
        """
        assert self.branch
        assert self.change
        here = Git(self.folder)
        here.works("merge", "-X", "theirs", "--no-ff", "--no-commit", "--quiet", self.branch.tip)
        wanted = here.tree(self.base, {self.change.path: self.change.blob}, self.place / "index")
        here("read-tree", "--reset", "-u", wanted)
        if here("write-tree") != wanted or here("diff-files", "--name-only"):
            raise PipelineError(f"{self.change.path}: the merge is not what CVAT wrote; run again")

    def validate(self) -> None:
        """Have the branch's export read in the stage's own container: no network, no secret."""
        assert self.change
        known = images.ready(self.folder, self.options.seconds)
        words = ["--parameters", "params.yaml", "--root", f"data/{self.change.dataset}"]
        words += ["--source", self.change.path, "--check"]
        command = f"{known.run} {known.images['prepare-annotations']} {shlex.join(words)}"
        done = commands.run(
            *(str(SHELL), "-c", command),
            folder=self.folder,
            env={**os.environ, "PWD": str(self.folder)},
            timeout=self.options.seconds,
        )
        if done.returncode:
            said = commands.refusals(done.stderr) or done.stderr.strip().splitlines()
            raise PipelineError("".join(said[-1:]))

    def lost(self) -> dict[str, str]:
        """Return what the remote lacks though dvc.lock names it, path -> why.

        What a .dvc file names is nothing that could be made again: it is refused.
        """
        imported = list(self._imported())
        named = self._named(self._lock())
        found = remote.lacking(self.folder, [*named, *imported], seconds=self.options.seconds)
        for each in imported:
            if each.path in found:
                text = (
                    f"the remote lacks it ({found[each.path]}); run `dvc push` where it was added"
                )
                raise PipelineError(f"{each.path}: {text}")
        return found

    def reproduce(self) -> None:
        """Run what is to run; and what made outputs that the remote lacks."""
        lost = self.lost()
        outs = self._published(self._lock())
        self.again = {name for name, named in outs.items() if lost.keys() & {e.path for e in named}}
        if self.again:
            text = dvc_files.without(self._lock(), self.again)
            (self.folder / "dvc.lock").write_text(text, "utf-8")
        images.ready(self.folder, self.options.seconds)
        self.dvc.repro(self.targets)

    def _lock(self) -> str:
        path = self.folder / "dvc.lock"
        return path.read_text("utf-8") if path.exists() else EMPTY

    def lock(self) -> str:
        """Return dvc.lock as it is published: without the stages that are made on demand.

        In a clone, DVC would take those for up to date, and make no pictures.
        """
        unwanted = dvc_files.of_lock(self._lock()).keys() - set(self.targets)
        return dvc_files.without(self._lock(), unwanted)

    def _published(self, lock: str) -> dict[str, list[Named]]:
        """Return what the remote is to hold of a dvc.lock; metrics are in git."""
        known = {stage.name: stage.outs for stage in self.stages if stage.cached}
        return {
            name: [
                each._replace(remote=known[name][each.path])
                for each in outs
                if each.path in known[name]
            ]
            for name, outs in dvc_files.of_lock(lock).items()
            if name in known
        }

    def _named(self, lock: str) -> list[Named]:
        return [each for outs in self._published(lock).values() for each in outs]

    def _imported(self) -> Iterator[Named]:
        """Yield what the .dvc files name: exports and movies that people added."""
        listed = Git(self.folder)("ls-files", "-z", "--", "*.dvc")
        for path in filter(None, listed.split("\0")):
            yield from dvc_files.of_dvc_file((self.folder / path).read_text("utf-8"), path)

    def tree(self) -> str:
        """Return the tree to publish: the default branch's, the export, dvc.lock and metrics."""
        known = self.git.entry(self.base, "dvc.lock")
        was, now = self.git.text(self.base, "dvc.lock"), self.lock()
        same = known and was and yaml.safe_load(was) == yaml.safe_load(now)  # in another order
        blobs = {"dvc.lock": known.id if known and same else self.git.blob(now.encode())}
        for path in self._metrics_paths():
            blobs[path] = self.git.blob((self.folder / path).read_bytes())
        if self.change:
            blobs[self.change.path] = self.change.blob
        return self.git.tree(self.base, blobs, self.place / "index")

    def _metrics_paths(self) -> list[str]:
        return [path for stage in self.stages if stage.cached for path in stage.metrics]

    def gate(self) -> None:
        """Refuse what should not be published."""
        lock = self.lock()
        publish_checks.nothing_left(self.dvc, self.targets)
        publish_checks.all_named(
            [each for each in self.stages if each.cached], self._published(lock)
        )
        publish_checks.plain(self.folder, self._named(lock))
        limit = self.settings.max_drop if self.options.max_drop is None else self.options.max_drop
        for drop in changes.drops(*self.metrics, limit):
            remedy = "correct it in CVAT, or, if it is meant, run publish with --max-drop 1"
            raise PipelineError(f"{drop}; {remedy}")

    @cached_property
    def metrics(self) -> tuple[changes.Metrics, changes.Metrics]:
        """Return the metrics before and after."""
        paths = self._metrics_paths()
        before = {path: self.git.text(self.base, path) for path in paths}
        after = {path: (self.folder / path).read_text("utf-8") for path in paths}
        return before, after

    def push_data(self) -> None:
        """Send the data; until a commit names it, it harms nobody.

        What `dvc push` could not send, `verify` sends, and if it cannot, says so.
        """
        self.unsent = self.dvc.push(self.targets)

    def verify(self) -> None:
        """Look at the remote: all that the commit names is there; what is not is sent once more.

        What is named for the first time is read: a hash that is stated, or none, proves nothing.
        """
        before = dvc_files.md5s(self.git.text(self.base, "dvc.lock") or EMPTY)
        lost = remote.lacking(
            self.folder,
            [*self._named(self.lock()), *self._imported()],
            known=before,
            repair=True,
            seconds=self.options.seconds,
        )
        for path, why in sorted(lost.items()):
            said = f"; {self.unsent}" if self.unsent else ""
            raise Transient(f"{path}: the remote lacks it after `dvc push` ({why}){said}")

    def commit(self, tree: str) -> str:
        """Make the commit: everything together, with both parents, so that CVAT sees it merged."""
        title, notes = "Publish what changed", list[str]()
        if self.branch and self.change:
            title = f"Publish {self.change.dataset} from {self.branch.name}"
            notes = [f"Export: {self.change.path}"]
        parents = [self.base, *([self.branch.tip] if self.branch else [])]
        message = changes.message(title, changes.lines(*self.metrics), notes)
        return self.git.commit_tree(tree, parents, message)

    def push_commit(self, commit: str) -> str | None:
        """Move the default branch if it is where it was read; then ask the server what it has."""
        name, said = self.git.default(), "the server does not say why"
        try:
            self.git.server("push", "--quiet", "origin", f"{commit}:refs/heads/{name}")
        except Transient as error:
            said = str(error)  # the answer may have been lost: only the server knows
        self.git.fetch()
        now = self.git.commit(DEFAULT)
        if self.git.is_ancestor(commit, now):
            lines = "".join(f"\n  {line}" for line in changes.lines(*self.metrics))
            return f"published as {commit[:12]}{lines}"
        if now == self.base:
            raise Transient(f"{name}: was not moved; {said}")
        return None


def warn_of_unguarded(stages: Iterable[Stage]) -> None:
    """Warn of splits that may share pictures, because nothing compares them."""
    for stage, lineage in declared_deps.unguarded(stages):
        text = f"may share pictures with {lineage}, which it is not compared with"
        messages.warn(f"dvc.yaml: {stage}: {text}; add --against {lineage} to its command")


def stop_left_overs(work: Path, seconds: float) -> None:
    """End the containers of a publish that was killed: they outlive it, and would go on writing."""
    engine.stop_containers(f"data-registry={work}", seconds)
