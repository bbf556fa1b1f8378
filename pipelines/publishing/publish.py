"""`publish`: all branches of CVAT that wait, one after the other, then whatever else changed."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from pipelines import messages
from pipelines.errors import PipelineError, Transient
from pipelines.forges import forge
from pipelines.forges.forge import Outcome
from pipelines.publishing import attempt, branches, work_tree, workplace
from pipelines.publishing.branches import Branch
from pipelines.publishing.plan import WORK, Options, make_plan
from pipelines.storage.git import DEFAULT, Git

TRIES = 5
"""How often a publish is begun anew when somebody else moved the default branch."""

DONE, REFUSED, AGAIN = 0, 1, 3
"""Exit codes."""


def publish(options: Options) -> int:
    """Publish all waiting branches, oldest first, then whatever else changed.

    Return 0 if all is published, 1 if something was refused, 3 if something is to be tried again.
    In a dry run, each is looked at as if it were the only one.
    """
    with hold(options) as (git, folder):
        waiting, passed = branches.find_waiting(git, git.commit(DEFAULT))
        done = [report(name, partial(_refuse, why)) for name, why in passed]
        for branch in [*waiting, None]:
            what = branch.name if branch else "default branch"
            done.append(report(what, partial(_try, git, folder, branch, options)))
    return conclude(done, "publish")


def conclude(done: list[Outcome], command: str) -> int:
    """Tell the forge how all ended, and return the exit code of the command that did it."""
    forge.tell(done, command)
    codes = {each.code for each in done}
    return AGAIN if AGAIN in codes else max(codes)


def _try(git: Git, folder: Path, branch: Branch | None, options: Options) -> str:
    """Publish one branch, or what else changed; begin anew while others move the default branch."""
    for _ in range(TRIES):
        said = attempt.publish_once(make_plan(git, folder, branch, options))
        if said is not None:
            return said
        time.sleep(random.uniform(0, 2))  # noqa: S311  # so that two do not meet again
    raise Transient(f"the default branch was moved by others {TRIES} times")


def _refuse(why: str) -> NoReturn:
    raise PipelineError(why)


def report(what: str, work: Callable[[], str]) -> Outcome:
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
def hold(options: Options) -> Iterator[tuple[Git, Path]]:
    """Yield a repository that has what the server has, and a folder to work in.

    What a publish that was killed has left is ended and removed first.
    """
    clone = Git(Path.cwd(), options.seconds)
    with workplace.hold(clone) as folder:
        work_tree.stop_left_overs(folder / WORK, options.seconds)
        yield workplace.connect(clone, folder), folder
