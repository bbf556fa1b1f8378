"""Expected errors of the pipelines."""


class PipelineError(Exception):
    """What a user can mend: what is wrong, where, and what to do, on one line."""
