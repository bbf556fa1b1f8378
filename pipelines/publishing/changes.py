"""What a publish changes, per dataset and label: from the metrics of two commits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pipelines.errors import PipelineError


class Line(NamedTuple):
    """A number of a dataset or split, before and after: of pictures, objects, or a label's."""

    name: str
    what: str
    before: int
    after: int

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.name}: {self.what} {self.before} -> {self.after}"


Metrics = Mapping[str, str | None]
"""Path of a metrics.json -> its text, None if there is none."""


def lines(before: Metrics, after: Metrics) -> list[Line]:
    """Return what differs."""
    found: list[Line] = []
    for path in sorted({*before, *after}):
        one, other = numbers(before.get(path), path), numbers(after.get(path), path)
        name = PurePosixPath(path).parent.as_posix().removeprefix("data/")
        keys = sorted({*one, *other}, key=lambda key: (key not in ("pictures", "objects"), key))
        counted = [Line(name, key, one.get(key, 0), other.get(key, 0)) for key in keys]
        found += [line for line in counted if line.before != line.after]
    return found


def numbers(text: str | None, path: str) -> dict[str, int]:
    """Return the numbers of a metrics.json: pictures, objects and those of each label."""
    if text is None:
        return {}
    try:
        values = json.loads(text)
        whole = {key: int(values[key]) for key in ("pictures", "objects")}
        return {**{str(k): int(v) for k, v in values["labels"].items()}, **whole}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PipelineError(f"{path}: is no metrics.json; restore it from git") from None


def drops(before: Metrics, after: Metrics, limit: float) -> Iterator[str]:
    """Yield each dataset that loses more of its pictures or objects than the limit, from 0 to 1.

    Whoever changes params.yaml or dvc.yaml may add and remove datasets, and change the splits.
    """
    for path in sorted(before.keys() & after.keys()):
        if "/merged/" in path:
            continue
        one, other = numbers(before[path], path), numbers(after[path], path)
        for what in ("pictures", "objects"):
            had, has = one.get(what, 0), other.get(what, 0)
            if had and other and (had - has) / had > limit:
                share = f"{(had - has) / had:.0%} of its {what} ({had} -> {has}, limit {limit:.0%})"
                yield f"{path}: would drop {share}"


def message(title: str, changed: Sequence[Line], notes: Sequence[str]) -> str:
    """Return the message of a publish's commit; it asks CI to start nothing."""
    said = [str(line) for line in changed] or ["no number of a dataset or label changed"]
    return "\n".join([title, "", *said, "", *notes, "[skip ci]", ""])
