"""`publish`, `check` and `status`: for all branches that wait, one after the other."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipelines import messages
from pipelines.containers import images
from pipelines.datasets import declared_deps
from pipelines.errors import PipelineError, Transient
from pipelines.forges import forge
from pipelines.forges.forge import Outcome
from pipelines.publishing import branches, workplace
from pipelines.publishing.attempt import WORK, Attempt, Options, stop_left_overs, warn_of_unguarded
from pipelines.publishing.branches import Branch
from pipelines.storage import dvc_files, remote
from pipelines.storage.dvc import Dvc
from pipelines.storage.git import DEFAULT, Git

TRIES = 5
"""How often a publish is begun anew when somebody else moved the default branch."""

DONE, REFUSED, AGAIN = 0, 1, 3
"""Exit codes."""


def publish(options: Options) -> int:
    """Publish all waiting branches, oldest first, then whatever else changed.

    Return 0 if all is published, 1 if something was refused, 3 if something is to be tried again.
    """
    with _alone(options) as (git, folder):
        waiting, passed = branches.waiting(git, git.commit(DEFAULT))
        done = [_reported(name, partial(_refuse, why)) for name, why in passed]
        for branch in [*waiting, None]:
            what = branch.name if branch else "default branch"
            done.append(_reported(what, partial(_tried, git, folder, branch, options)))
    forge.tell(done)
    codes = {each.code for each in done}
    return AGAIN if AGAIN in codes else max(codes)


def check(name: str, options: Options) -> int:
    """Tell whether a branch would be taken, as far as that is known without any secret."""
    return _told(name, partial(_checked, name, options), options)


def _checked(name: str, options: Options, git: Git, folder: Path) -> str:
    waiting, passed = branches.waiting(git, git.commit(DEFAULT))
    if name in dict(passed):
        raise PipelineError(dict(passed)[name])
    found = [branch for branch in waiting if branch.name == name]
    if not found:
        if git.has_branch(name):
            return "is published already"
        raise PipelineError("origin has no such branch of CVAT")
    attempt = Attempt(git, folder, found[0], options)
    if attempt.change is None:
        return "changes nothing"
    with attempt.work():
        attempt.merge()
        attempt.validate()
    return f"may be published: {attempt.change.path} of {attempt.change.dataset}"


def check_lock(options: Options) -> int:
    """Tell whether a merge request may be merged: its dvc.yaml, and a dvc.lock changed by hand."""
    return _told("dvc.lock", partial(_checked_lock, options), options)


def _checked_lock(options: Options, git: Git, _: Path) -> str:
    stages = Dvc(Path.cwd(), options.seconds).stages()
    declared_deps.check(stages, images.read().images.values())
    warn_of_unguarded(stages)
    head = Git(Path.cwd()).commit("HEAD")
    common = git.common(DEFAULT, head)
    if common is None:
        raise PipelineError("what is checked out has no history in common with the default branch")
    now = git.text(head, "dvc.lock")
    if now == git.text(common, "dvc.lock"):
        return "is not changed"
    if now is None:
        raise PipelineError("is deleted; restore it from the default branch")
    outs = {path: name for each in stages if each.cached for path, name in each.outs.items()}
    named = [
        each._replace(remote=outs[each.path])
        for all_ in dvc_files.of_lock(now).values()
        for each in all_
        if each.path in outs
    ]
    try:
        lost = remote.lacking(Path.cwd(), named, seconds=options.seconds)
    except PipelineError as error:
        text = "is changed, and what it names cannot be looked up here; leave it to publish"
        raise PipelineError(f"{text} ({error})") from None
    for path, why in sorted(lost.items()):
        raise PipelineError(f"names {path}, which the remote lacks ({why}); leave it to publish")
    return "names only what the remote holds"


def _told(what: str, look: Callable[[Git, Path], str], options: Options) -> int:
    """Look at one thing, and tell the forge how that ended."""
    with _alone(options) as (git, folder):
        done = _reported(what, partial(look, git, folder))
    forge.tell([done])
    return done.code


def status(options: Options) -> int:
    """Say what waits, what would run, and what the remote lacks; no data is fetched."""
    with _alone(options) as (git, folder):
        waiting, passed = branches.waiting(git, git.commit(DEFAULT))
        for name, why in [*passed, *((each.name, "waits") for each in waiting)]:
            messages.say(f"{name}: {why}")
        return _reported("default branch", partial(_standing, git, folder, options)).code


def _standing(git: Git, folder: Path, options: Options) -> str:
    attempt = Attempt(git, folder, None, options)
    with attempt.work():
        warn_of_unguarded(attempt.stages)
        said = [f"{stage}: would run: {why}" for stage, why in attempt.dvc.why(attempt.targets)]
        said += [f"{path}: the remote lacks it ({why})" for path, why in attempt.lost().items()]
    return "\n  ".join(["", *said]) if said else "nothing to do"


def _refuse(why: str) -> str:
    raise PipelineError(why)


def _reported(what: str, work: Callable[[], str]) -> Outcome:
    """Do work, say how it ended, and return that."""
    try:
        done = Outcome(what, DONE, work())
        messages.say(f"{what}: {done.said}")
    except PipelineError as error:
        again = isinstance(error, Transient)
        said = str(error).removeprefix(f"{what}: ") + ("; try again later" if again else "")
        done = Outcome(what, AGAIN if again else REFUSED, said)
        messages.refuse(f"{what}: {said}")
    return done


@contextmanager
def _alone(options: Options) -> Iterator[tuple[Git, Path]]:
    """Yield a repository that has what the server has, and a folder to work in.

    What a publish that was killed has left is ended and removed first.
    """
    clone = Git(Path.cwd(), options.seconds)
    with workplace.held(clone) as folder:
        stop_left_overs(folder / WORK, options.seconds)
        git = workplace.repository(clone, folder)
        git.fetch()
        yield git, folder


def _tried(git: Git, folder: Path, branch: Branch | None, options: Options) -> str:
    """Publish one branch, or what else changed; begin anew while others move the default branch."""
    for _ in range(TRIES):
        said = Attempt(git, folder, branch, options).run()
        if said is not None:
            return said
        time.sleep(random.uniform(0, 2))  # noqa: S311  # so that two do not meet again
    raise Transient(f"the default branch was moved by others {TRIES} times")
