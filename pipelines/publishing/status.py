"""`status`: what waits, what would run, and what the remote lacks."""

from functools import partial
from pathlib import Path

from pipelines import messages
from pipelines.publishing import branches, publish, stored, work_tree
from pipelines.publishing.plan import Options, make_plan
from pipelines.storage.git import DEFAULT, Git


def status(options: Options) -> int:
    """Say what waits, what would run, and what the remote lacks; no data is fetched."""
    with publish.hold(options) as (git, folder):
        waiting, passed = branches.find_waiting(git, git.commit(DEFAULT))
        for name, why in [*passed, *((each.name, "waits") for each in waiting)]:
            messages.say(f"{name}: {why}")
        return publish.report("default branch", partial(_describe, git, folder, options)).code


def _describe(git: Git, folder: Path, options: Options) -> str:
    plan = make_plan(git, folder, None, options)
    with work_tree.open_work_tree(plan) as work:
        work_tree.warn_of_unguarded(work.stages)
        said = [f"{stage}: would run: {why}" for stage, why in plan.dvc.why(work.targets)]
        lost = stored.find_lost(work)
    said += [f"{path}: the remote lacks it ({why})" for path, why in lost.items()]
    return "\n  ".join(["", *said]) if said else "nothing to do"
