"""One try to publish: its steps, in their order. Each takes what the steps before it made.

The default branch never names data that the remote does not hold: data goes first and is looked
up from the remote's side, then one plain `git push` moves the branch, from exactly the commit that
was read. Before it nothing visible has changed; after it everything is published. So a publish
that ended anywhere is simply run again.
"""

import os
import shlex
from dataclasses import dataclass

import yaml

from pipelines import commands, messages
from pipelines.containers import images
from pipelines.errors import PipelineError, Transient
from pipelines.publishing import changes, publish_checks, stored, work_tree
from pipelines.publishing.plan import Plan
from pipelines.publishing.work_tree import Work
from pipelines.storage import dvc_files, remote
from pipelines.storage.dvc import SHELL
from pipelines.storage.git import DEFAULT, Git


@dataclass(frozen=True)
class Result:
    """What was made, and is to be published.

    again: stages that ran again because the remote lacks what they made. lock: dvc.lock. before,
    after: the metrics. tree: git's, of the commit to publish.
    """

    again: frozenset[str]
    lock: str
    before: changes.Metrics
    after: changes.Metrics
    tree: str


def publish_once(plan: Plan) -> str | None:
    """Do all steps; return what was done, or None if somebody else moved the branch."""
    if plan.branch and not plan.change:
        return "is published already, or changes nothing"
    with work_tree.open_work_tree(plan) as work:
        if plan.change:
            merge(work)
            validate(work)
        else:
            work_tree.warn_of_unguarded(work.stages)
        result = collect(work, reproduce(work))
        unchanged = result.tree == plan.git("rev-parse", f"{plan.base}^{{tree}}")
        if unchanged and not result.again:
            return "nothing to do"
        check_result(work, result)
        if plan.options.dry_run:
            return foretell(work, result, unchanged=unchanged)
        unsent = push_data(work)
        verify(work, result, unsent)
        if unchanged:
            return f"made again what the remote lacked: {', '.join(sorted(result.again))}"
        return push_commit(work, result, commit(work, result))


def merge(work: Work) -> None:
    """Merge the branch, then put every file right: the export is CVAT's, all else is ours.

    `-X theirs` alone goes through the export hunk by hunk, and makes one that nobody wrote.
    """
    plan = work.plan
    assert plan.branch
    assert plan.change
    messages.tell(f"{plan.change.dataset}: merge {plan.branch.name}")
    here = Git(work.folder)
    here.works("merge", "-X", "theirs", "--no-ff", "--no-commit", "--quiet", plan.branch.tip)
    wanted = here.tree(plan.base, {plan.change.path: plan.change.blob}, plan.place / "index")
    here("read-tree", "--reset", "-u", wanted)
    if here("write-tree") != wanted or here("diff-files", "--name-only"):
        raise PipelineError(f"{plan.change.path}: the merge is not what CVAT wrote; run again")


def validate(work: Work) -> None:
    """Have the branch's export read in the stage's own container: no network, no secret."""
    change = work.plan.change
    assert change
    messages.tell(f"{change.dataset}: read {change.path}")
    known = images.ready(work.folder, work.plan.options.seconds)
    words = ["--parameters", "params.yaml", "--root", f"data/{change.dataset}"]
    words += ["--source", change.path, "--check"]
    command = f"{known.run} {known.images['prepare-annotations']} {shlex.join(words)}"
    done = commands.run(
        *(str(SHELL), "-c", command),
        folder=work.folder,
        env={**os.environ, "PWD": str(work.folder)},
        timeout=work.plan.options.seconds,
    )
    if done.returncode:
        said = commands.refusals(done.stderr) or done.stderr.strip().splitlines()
        raise PipelineError("".join(said[-1:]))


def reproduce(work: Work) -> frozenset[str]:
    """Run the stages that must run, and those whose outputs the remote lacks; return the latter."""
    lost = stored.find_lost(work)
    lock = stored.read_lock(work)
    outs = stored.outputs(work, lock)
    again = {name for name, named in outs.items() if lost.keys() & {each.path for each in named}}
    if again:
        (work.folder / "dvc.lock").write_text(dvc_files.drop_stages(lock, again), "utf-8")
    images.ready(work.folder, work.plan.options.seconds)
    if work.targets:  # without any, DVC would take all stages
        options = ("--pull", "--allow-missing", "--no-run-cache")
        work.plan.dvc.repro([*options, *work.targets], work.stages)
    return frozenset(again)


def collect(work: Work, again: frozenset[str]) -> Result:
    """Return what the stages made, and the tree that would publish it."""
    lock = stored.publishable_lock(work)
    before = {path: work.plan.git.text(work.plan.base, path) for path in work.metrics}
    after = {path: (work.folder / path).read_text("utf-8") for path in work.metrics}
    return Result(again, lock, before, after, _write_tree(work, lock))


def _write_tree(work: Work, lock: str) -> str:
    """Return the tree to publish: the default branch's, the export, dvc.lock and metrics."""
    git, base = work.plan.git, work.plan.base
    known, was = git.entry(base, "dvc.lock"), git.text(base, "dvc.lock")
    same = known and was and yaml.safe_load(was) == yaml.safe_load(lock)  # in another order
    blobs = {"dvc.lock": known.id if known and same else git.blob(lock.encode())}
    for path in work.metrics:
        blobs[path] = git.blob((work.folder / path).read_bytes())
    if work.plan.change:
        blobs[work.plan.change.path] = work.plan.change.blob
    return git.tree(base, blobs, work.plan.place / "index")


def check_result(work: Work, result: Result) -> None:
    """Refuse what should not be published."""
    messages.tell("check what is to be published")
    publish_checks.refuse_unfinished(work.plan.dvc, work.targets)
    publish_checks.refuse_unnamed(work.stored, stored.outputs(work, result.lock))
    publish_checks.refuse_odd_files(work.folder, stored.list_outputs(work, result.lock))
    for drop in changes.drops(result.before, result.after, work.plan.max_drop):
        remedy = "correct it in CVAT, or, if it is meant, run publish with --max-drop 1"
        raise PipelineError(f"{drop}; {remedy}")


def foretell(work: Work, result: Result, *, unchanged: bool) -> str:
    """Say what would be published, and how much would be sent."""
    named = stored.list_outputs(work, result.lock)
    stored.tell_look_up(named)
    unsent = remote.count_unsent(work.folder, named, work.plan.options.seconds)
    size = f"to send: {unsent.objects} files of {unsent.bytes} bytes"
    if unchanged:
        again = ", ".join(sorted(result.again))
        return f"would make again what the remote lacks: {again}\n  {size}"
    title, _ = _describe(work.plan)
    lines = map(str, changes.lines(result.before, result.after))
    return "\n  ".join([f"would be published: {title}", *lines, size])


def push_data(work: Work) -> str:
    """Send the data; until a commit names it, it harms nobody. Return why that failed, or nothing.

    What `dvc push` could not send, `verify` sends, and if it cannot, says so.
    """
    messages.tell("send data to the remote")
    return work.plan.dvc.push(work.targets)


def verify(work: Work, result: Result, unsent: str) -> None:
    """Look at the remote: all that the commit names is there; what is not is sent once more.

    What is named for the first time is read: a hash that is stated, or none, proves nothing.
    unsent: why `dvc push` failed.
    """
    before = work.plan.git.text(work.plan.base, "dvc.lock") or dvc_files.EMPTY
    named = stored.list_outputs(work, result.lock)
    wanted = [*named, *stored.list_added(work.folder)]
    stored.tell_look_up(wanted)
    lost = remote.find_lacking(
        work.folder,
        wanted,
        known=dvc_files.md5s(before),
        repair=True,
        seconds=work.plan.options.seconds,
    )
    for path, why in sorted(lost.items()):
        said = f"; {unsent}" if unsent else ""
        raise Transient(f"{path}: the remote lacks it after `dvc push` ({why}){said}")


def commit(work: Work, result: Result) -> str:
    """Make the commit: everything together, with both parents, so that CVAT sees it merged."""
    messages.tell("commit")
    plan = work.plan
    title, notes = _describe(plan)
    parents = [plan.base, *([plan.branch.tip] if plan.branch else [])]
    message = changes.message(title, changes.lines(result.before, result.after), notes)
    return plan.git.commit_tree(result.tree, parents, message)


def _describe(plan: Plan) -> tuple[str, list[str]]:
    """Return the title of the commit, and more lines for its end."""
    if plan.branch and plan.change:
        title = f"Publish {plan.change.dataset} from {plan.branch.name}"
        return title, [f"Export: {plan.change.path}"]
    return "Publish what changed", []


def push_commit(work: Work, result: Result, commit: str) -> str | None:
    """Move the default branch if it is where it was read; then ask the server what it has."""
    git = work.plan.git
    name, said = git.default(), "the server does not say why"
    messages.tell(f"push to {name}")
    try:
        git.server("push", "--quiet", "origin", f"{commit}:refs/heads/{name}")
    except Transient as error:
        said = str(error)  # the answer may have been lost: only the server knows
    git.fetch()
    now = git.commit(DEFAULT)
    if git.is_ancestor(commit, now):
        lines = "".join(f"\n  {line}" for line in changes.lines(result.before, result.after))
        return f"published as {commit[:12]}{lines}"
    if now == work.plan.base:
        raise Transient(f"{name}: was not moved; {said}")
    return None
