"""The errors that a user can correct."""


class StageError(Exception):
    """An error that a user can correct: `FILE[:LINE]: what is wrong, and what to do`, one line."""


def printable(text: object) -> str:
    r"""Return text on one line, with what a terminal or a log could act on escaped.

    >>> printable("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )
