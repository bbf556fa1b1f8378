"""What `doctor` finds."""

from typing import NamedTuple


class Finding(NamedTuple):
    """What was looked at, and what is wrong with it: nothing if that is empty.

    note: what to know of it though it is not wrong.
    """

    what: str
    wrong: str = ""
    note: str = ""
