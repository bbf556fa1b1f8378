"""Expected errors of the pipelines."""


class PipelineError(Exception):
    """What a user can mend: what is wrong, where, and what to do, on one line."""


class Transient(PipelineError):  # noqa: N818  # it says when, not what
    """What may be right when it is tried again: a server that is away, a lost race."""
