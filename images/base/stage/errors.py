"""The one class of expected errors."""


class StageError(Exception):
    """What a user can mend: `FILE[:LINE]: what is wrong, and what to do`, on one line."""


def printable(text: object) -> str:
    r"""Return text on one line, with what a terminal or a log could act on escaped.

    >>> printable("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )
