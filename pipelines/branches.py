"""The branches that CVAT pushes: `cvat_<task id>_<name of the task>`."""

import re
from typing import NamedTuple

from pipelines.git import BRANCHES, Git

NAME = re.compile(r"cvat_([0-9]{1,18})_[A-Za-z0-9._()-]+", re.ASCII)
"""What is merged. CVAT lets more pass; a name is shown in logs and on web pages."""


class Branch(NamedTuple):
    """A branch as it was read: later changes of it are not seen."""

    name: str
    task: int
    tip: str
    time: int


def waiting(git: Git, base: str) -> tuple[list[Branch], list[tuple[str, str]]]:
    """Return the branches that are not in base, oldest first, and those passed over, with why.

    Of two branches of one task, CVAT goes on with the newer one only.
    """
    listed = git(
        "for-each-ref", "--format=%(objectname) %(committerdate:unix) %(refname)", BRANCHES
    )
    found: dict[int, Branch] = {}
    passed: list[tuple[str, str]] = []
    lines = [line.split(" ", 2) for line in listed.split("\n") if line]  # names may hold U+2028
    for tip, time, ref in sorted(lines, key=lambda line: (int(line[1] or 0), line[2])):
        name = ref.removeprefix(BRANCHES)
        matched = NAME.fullmatch(name)
        if git.is_ancestor(tip, base):
            continue
        if not matched:
            shown = name.encode("unicode_escape").decode("ascii")
            passed.append((shown, "its name has characters other than A-Z a-z 0-9 . _ ( ) -; "
                                 "rename the task in CVAT"))  # fmt: skip
            continue
        branch = Branch(name, int(matched[1]), tip, int(time or 0))
        if branch.task in found:
            older = found.pop(branch.task).name
            passed.append((older, f"{name} is newer and of the same task; delete the older one"))
        found[branch.task] = branch
    return sorted(found.values(), key=lambda branch: (branch.time, branch.name)), passed
