"""The branches that CVAT pushes: `cvat_<task id>_<name of the task>`."""

import re
import time as clock
from typing import NamedTuple

from pipelines.storage.git import BRANCHES, Git

NAME = re.compile(r"cvat_([0-9]{1,18})_[A-Za-z0-9._()-]+", re.ASCII)
"""What is merged. CVAT lets more pass; a name is shown in logs and on web pages."""


DAY = 86400
"""Seconds by which the clocks of CVAT and of CI may differ."""


class Branch(NamedTuple):
    """A branch as it was read: later changes of it are not seen."""

    name: str
    task: int
    tip: str
    time: int


def find_waiting(git: Git, base: str) -> tuple[list[Branch], list[tuple[str, str]]]:
    """Return the branches that base does not contain, oldest first; and those left out, with why.

    Of two branches of one task, CVAT goes on with the newer one only. A branch that is dated in
    the future counts as the oldest: its date is wrong.
    """
    listed = git(
        *("for-each-ref", f"--no-merged={base}"),
        "--format=%(objectname) %(committerdate:unix) %(refname)",
        BRANCHES,
    )
    found: dict[int, Branch] = {}
    passed: list[tuple[str, str]] = []
    lines = [line.split(" ", 2) for line in listed.split("\n") if line]  # names may hold U+2028
    dated = [(tip, _trust(int(time or 0)), ref) for tip, time, ref in lines]
    for tip, time, ref in sorted(dated, key=lambda each: (each[1], each[2])):
        name = ref.removeprefix(BRANCHES)
        matched = NAME.fullmatch(name)
        if not matched:
            shown = name.encode("unicode_escape").decode("ascii")
            passed.append((shown, "its name has characters other than A-Z a-z 0-9 . _ ( ) -; "
                                 "rename the task in CVAT"))  # fmt: skip
            continue
        branch = Branch(name, int(matched[1]), tip, time)
        if branch.task in found:
            older = found.pop(branch.task).name
            passed.append((older, f"{name} is newer and of the same task; delete the older one"))
        found[branch.task] = branch
    return sorted(found.values(), key=lambda branch: (branch.time, branch.name)), passed


def _trust(time: int) -> int:
    """Return a commit's date, in seconds, or the oldest one if it is later than tomorrow."""
    return time if time < clock.time() + DAY else 0
