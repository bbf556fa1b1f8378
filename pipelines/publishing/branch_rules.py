"""What a branch of CVAT may change: the one export that its task owns. Nothing is checked out."""

from typing import NamedTuple

from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError
from pipelines.publishing.branches import Branch
from pipelines.storage.git import Git

COMMITS = 100
"""The most commits of a branch: CVAT's has one; one that was updated by hand, a few."""

IN_DVC = "is kept in DVC, where a branch cannot change it"
KEPT_REMEDY = "`dvc add` the new one, or `dvc remove {path}.dvc`"

LFS = "switch off `Use LFS` in the task's dataset repository settings in CVAT"


class Change(NamedTuple):
    """A branch's new export."""

    dataset: str
    path: str
    blob: str


def read_change(git: Git, base: str, branch: Branch, settings: Settings) -> Change | None:
    """Return what a branch changes; None if nothing. A PipelineError says why it is refused."""
    common = git.common(base, branch.tip)
    if common is None:
        raise _error(branch, "", "has no history in common with the default branch", "sync again")
    if branch.task not in settings.owners:
        text = f"task {branch.task} is no dataset's cvat-task"
        raise _error(branch, "params.yaml", text, "set datasets.<name>.cvat-task, or delete it")
    dataset = settings.owners[branch.task]
    path = settings.exports[dataset]
    if int(git("rev-list", "--count", f"{base}..{branch.tip}")) > COMMITS:
        raise _error(branch, "", f"has more than {COMMITS} commits", "delete it and sync again")
    touched = _list_changed(git, common, base, branch.tip)
    if strange := sorted(touched - {path}):
        remedy = LFS if ".gitattributes" in strange else "only its export may change; sync again"
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise _error(branch, strange[0] + more, f"is not task {branch.task}'s to change", remedy)
    entry = git.entry(branch.tip, path)
    if entry is None:
        raise _error(branch, path, "is deleted", "sync again, or delete the branch")
    if entry.mode != "100644" or entry.kind != "blob":
        raise _error(branch, path, f"is no plain file (mode {entry.mode})", "sync again")
    if entry.size > settings.max_size:
        text = f"has {entry.size} bytes, more than publish.max-size ({settings.max_size})"
        raise _error(branch, path, text, "raise that, or keep the export in DVC")
    if git.entry(base, f"{path}.dvc"):
        raise _error(branch, path, IN_DVC, KEPT_REMEDY.format(path=path))
    now = git.entry(base, path)
    return None if now and now.id == entry.id else Change(dataset, path, entry.id)


def _list_changed(git: Git, common: str, base: str, tip: str) -> set[str]:
    """Return every path that the branch, or one of its commits on the way, changes."""
    options = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--no-commit-id")
    whole = git(*options, common, tip)
    commits = git("rev-list", f"{base}..{tip}")
    each = git(*options, "-m", "--root", "--stdin", stdin=commits.encode() + b"\n")
    return {path for path in f"{whole}\0{each}".split("\0") if path}


def _error(branch: Branch, path: str, what: str, remedy: str) -> PipelineError:
    shown = path.encode("unicode_escape").decode("ascii")  # a path may hold line ends and worse
    return PipelineError(f"{branch.name}: {shown}{' ' if shown else ''}{what}; {remedy}")
