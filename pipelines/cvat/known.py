"""What the registry has of CVAT's tasks already, read from commits by a few processes of git."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipelines.publishing import branches
from pipelines.storage.git import Git

TRAILER = "CVAT-Updated"
"""What a commit says of the export in it: the date of the task's last change."""

CHANGE = re.compile(r":\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [A-Z]\d*\t(.+)", re.ASCII)
"""A line of `git log --raw`: the blob that a commit wrote, and where."""


class Base(NamedTuple):
    """What a task's next commit stands on.

    commit: the tip of the task's branch that waits, or the default branch's. branch: the name of
    that branch, empty if none waits. blob: the export there; None if there is none.
    in_dvc: whether DVC keeps it. dates: those of the task's changes that led to this very blob.
    """

    commit: str
    branch: str
    blob: str | None
    in_dvc: bool
    dates: frozenset[str]


def read_bases(git: Git, default: str, paths: Mapping[int, str]) -> dict[int, Base]:
    """Return the base of each task.

    default: the default branch's commit. paths: task -> its export, a plain path in a registry.
    """
    waiting = {each.task: each for each in branches.find_waiting(git, default)[0]}
    tips = {task: waiting[task].tip if task in waiting else default for task in paths}
    asked = [f"{tips[task]}:{path}" for task, path in paths.items()]
    blobs = _find_blobs(git, [*asked, *(f"{default}:{path}.dvc" for path in paths.values())])
    listed = [*paths.values()]
    published = _read_dates(git, [default], listed)
    later = _read_dates(git, [tip for tip in tips.values() if tip != default], listed, but=default)
    found = {}
    for task, path in paths.items():
        tip, blob = tips[task], blobs[f"{tips[task]}:{path}"]
        dates = {*published.get((default, path, blob), ()), *later.get((tip, path, blob), ())}
        branch = waiting[task].name if task in waiting else ""
        in_dvc = blobs[f"{default}:{path}.dvc"] is not None
        found[task] = Base(tip, branch, blob, in_dvc, frozenset(dates))
    return found


def _find_blobs(git: Git, names: list[str]) -> dict[str, str | None]:
    """Return the blob of each `<commit>:<path>`; None if there is none."""
    said = git("cat-file", "--batch-check=%(objectname)", stdin="\n".join([*names, ""]).encode())
    lines = said.split("\n") if names else []
    return {
        name: None if line.endswith(" missing") else line
        for name, line in zip(names, lines, strict=True)
    }


def _read_dates(
    git: Git, starts: list[str], paths: Iterable[str], *, but: str = ""
) -> dict[tuple[str, str, str | None], frozenset[str]]:
    """Return which dates commits say of a blob at a path: (start, path, blob) -> dates.

    starts: the commits whose histories are read; a commit of several counts for one of them.
    but: the commit whose history is left out.
    """
    found: dict[tuple[str, str, str | None], frozenset[str]] = {}
    if not starts:
        return found
    said = git(
        *("-c", "core.quotePath=false", "log", "--full-history", "--source", "--raw"),
        *("--no-abbrev", "--no-renames"),
        f"--format=commit %S %(trailers:key={TRAILER},valueonly,separator=%x20)",
        *starts,
        *([f"^{but}"] if but else []),
        "--",
        *paths,
        env={"GIT_LITERAL_PATHSPECS": "1"},
    )
    start, dates = "", frozenset[str]()
    for line in said.split("\n"):
        if line.startswith("commit "):
            _, start, *said_dates = line.split(" ")
            dates = frozenset(filter(None, said_dates))
        elif dates and (matched := CHANGE.fullmatch(line)):
            key = (start, matched[2], matched[1])
            found[key] = found.get(key, frozenset()) | dates
    return found
