"""`check`: whether a branch of CVAT would be published, and a merge request may be merged."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipelines import messages
from pipelines.datasets.check import Finding, findings
from pipelines.errors import PipelineError
from pipelines.forges import forge
from pipelines.forges.forge import Outcome
from pipelines.publishing import attempt, branches, publish, work_tree
from pipelines.publishing.plan import Options, make_plan
from pipelines.storage import dvc_files, remote
from pipelines.storage.dvc import Dvc, Stage
from pipelines.storage.git import DEFAULT, Git


def check_branch(name: str, options: Options) -> int:
    """Tell whether a branch would be taken, as far as that is known without any secret."""
    with publish.hold(options) as (git, folder):
        done = publish.report(name, partial(_judge_branch, name, options, git, folder))
    forge.tell([done])
    return done.code


def _judge_branch(name: str, options: Options, git: Git, folder: Path) -> str:
    waiting, passed = branches.find_waiting(git, git.commit(DEFAULT))
    if name in dict(passed):
        raise PipelineError(dict(passed)[name])
    found = [branch for branch in waiting if branch.name == name]
    if not found:
        if git.has_branch(name):
            return "is published already"
        raise PipelineError("origin has no such branch of CVAT")
    plan = make_plan(git, folder, found[0], options)
    if plan.change is None:
        return "changes nothing"
    with work_tree.open_work_tree(plan) as work:
        attempt.merge(work)
        attempt.validate(work)
    return f"may be published: {plan.change.path} of {plan.change.dataset}"


def check_registry(options: Options) -> int:
    """Tell all that is wrong with the registry as it is checked out, as a merge request would."""
    folder, stages = Path.cwd(), list[Stage]()
    wrong = list(dict.fromkeys(_find_wrong(folder, options, stages)))
    for each in (each for each in wrong if not each.refused):
        messages.warn(each.text)
    done = [_refuse(each.text) for each in wrong if each.refused]
    done.append(publish.report("dvc.lock", partial(_judge_lock, folder, stages, options)))
    forge.tell(done)
    return max(each.code for each in done)


def _find_wrong(folder: Path, options: Options, stages: list[Stage]) -> Iterator[Finding]:
    """Yield what is wrong with the files that are checked out; fill in the stages."""
    yield from findings(folder)
    yield from _errors(lambda: stages.extend(Dvc(folder, options.seconds).stages()))
    yield from _errors(partial(work_tree.check_deps, folder, stages))
    yield from _errors(partial(work_tree.check_locks, folder, stages))
    yield from _errors(partial(work_tree.warn_of_unguarded, stages))


def _errors(look: Callable[[], object]) -> Iterator[Finding]:
    """Yield the error that a function raises, if it does."""
    try:
        look()
    except PipelineError as error:
        yield Finding(str(error))


def _refuse(error: str) -> Outcome:
    messages.refuse(error)
    what, _, said = error.partition(": ")
    return Outcome(what, publish.REFUSED, said)


def _judge_lock(folder: Path, stages: list[Stage], options: Options) -> str:
    """Say whether dvc.lock was changed by hand so that it names what the remote lacks."""
    with publish.hold(options) as (git, _):
        head = Git(folder).commit("HEAD")
        common = git.common(DEFAULT, head)
        if common is None:
            raise PipelineError("the commit here has no history in common with the default branch")
        now = git.text(head, "dvc.lock")
        if now == git.text(common, "dvc.lock"):
            return "is not changed"
    if now is None:
        raise PipelineError("is deleted; restore it from the default branch")
    if not stages and dvc_files.of_lock(now):
        raise PipelineError(
            "is changed, and dvc.yaml, which says what of it is stored, is not read"
        )
    outs = {path: name for each in stages if each.cached for path, name in each.outs.items()}
    named = [
        each._replace(remote=outs[each.path])
        for all_ in dvc_files.of_lock(now).values()
        for each in all_
        if each.path in outs
    ]
    try:
        lost = remote.find_lacking(folder, named, seconds=options.seconds)
    except PipelineError as error:
        text = "is changed, and what it names cannot be looked up here; leave it to publish"
        raise PipelineError(f"{text} ({error})") from None
    if lost:
        text = "names {}, which the remote lacks ({}); leave it to publish"
        raise PipelineError("\n  ".join(text.format(*each) for each in sorted(lost.items())))
    return "names only what the remote holds"
