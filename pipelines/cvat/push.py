"""An export becomes a commit on its task's branch, as CVAT made them when it pushed by itself."""

import os
from typing import NamedTuple

from pipelines import messages
from pipelines.cvat import names
from pipelines.cvat.known import TRAILER, Base
from pipelines.cvat.tasks import Task
from pipelines.datasets.params import Settings
from pipelines.publishing import branch_rules
from pipelines.publishing.branches import Branch
from pipelines.storage.git import DEFAULT, Git


class Change(NamedTuple):
    """The file that a commit changes, and the date of the task's last change that is in it."""

    path: str
    content: bytes
    updated: str


def push_export(
    git: Git, settings: Settings, base: Base, task: Task, change: Change, user: str
) -> str:
    """Push one commit on base, if it changes anything; return what was done.

    What `publish` would refuse of the branch is refused before.
    """
    blob = git.blob(change.content)
    if blob == base.blob:
        return "unchanged: it was saved in CVAT without a change"
    tree = git.tree(base.commit, {change.path: blob}, git.folder / "index-of-fetch")
    commit = git.commit_tree(tree, [base.commit], _write_message(settings, task, change, user))
    name = base.branch or names.name_branch(task.id, task.name)
    branch = Branch(name, task.id, commit, 0)
    branch_rules.read_change(git, git.commit(DEFAULT), branch, settings)
    _push(git, commit, name)
    return f"pushed {name}"


def _write_message(settings: Settings, task: Task, change: Change, user: str) -> str:
    """Return the message: a trailer is a paragraph of its own, or git does not take it for one."""
    assert settings.cvat
    lines = (
        f"CVAT Annotation updated by {user}.",
        f"Task URL: {settings.cvat.url}/tasks/{task.id}",
        f"{TRAILER}: {change.updated}",
    )
    return "\n\n".join(lines) + "\n"


def _push(git: Git, commit: str, name: str) -> None:
    """Move a branch, or make it: never by force.

    In a job of GitLab the branch gets no pipeline of its own: `publish` follows in the same job.
    """
    quiet = ("-o", "ci.skip") if os.environ.get("GITLAB_CI") == "true" else ()
    messages.tell(f"push {name}")
    git.server("push", "--quiet", *quiet, "origin", f"{commit}:refs/heads/{name}")
