"""The branch of a task: `cvat_<number>_<name>`, with the name as git and the pages take it."""

import re

LONGEST = 100
"""Characters that a task's name has in a branch, as CVAT cut it when it pushed by itself."""


def name_branch(number: int, name: str) -> str:
    """Return the name of a new branch.

    >>> [name_branch(12, name) for name in ("bikes day 1/2 *new*", "", "../a..b.lock")]
    ['cvat_12_bikes_day_1_2__new_', 'cvat_12_task', 'cvat_12____a__b_lock']
    """
    cleaned = re.sub(r"[^A-Za-z0-9._()-]", "_", name)[:LONGEST]
    cleaned = cleaned.replace("..", "__")  # git takes no `..`, and no `.` or `.lock` at the end
    cleaned = re.sub(r"\.(lock)?$", r"_\1", cleaned, count=1)
    return f"cvat_{number}_{cleaned or 'task'}"
