"""What a stage's command reads must be among its dependencies in dvc.yaml.

DVC runs a stage again when a dependency changes. One that is missing there makes all that is
published later stale, without a word.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

from pipelines.errors import PipelineError
from pipelines.storage.dvc import Stage

MERGE = "merge-annotations"
RANGE = re.compile(r"\[[0-9]*:[0-9]*\]$", re.ASCII)
"""The frames of a dataset that a merge takes: `data/movie1[0:5000]`."""


class Split(NamedTuple):
    """A merge of datasets: its stage, its destination, and the merge.csv it is compared with."""

    stage: str
    destination: str
    against: frozenset[str]

    @property
    def lineage(self) -> str:
        """The merge.csv that it writes."""
        return f"{self.destination}/merge.csv"


def check(stages: Iterable[Stage], images: Iterable[str]) -> None:
    """Refuse a stage that runs one of the images on data that is none of its dependencies."""
    known = set(images)
    for stage in stages:
        words = _words(stage)
        if not known & {*words}:
            continue
        for path in sorted({*_data(words), *_merged(words, stage)}):
            if not any(_related(path, each) for each in (*stage.deps, *stage.outs, *stage.metrics)):
                text = f"{stage.name}: its command uses {path}, which is not among its deps"
                raise PipelineError(f"dvc.yaml: {text}; add it there, then `dvc repro`")


def unguarded(stages: Iterable[Stage]) -> list[tuple[str, str]]:
    """Return each two splits of which neither is compared with the other: stage, merge.csv."""
    splits = [split for stage in stages if (split := _split(stage))]
    return [
        (other.stage, one.lineage)
        for place, one in enumerate(splits)
        for other in splits[place + 1 :]
        if one.lineage not in other.against and other.lineage not in one.against
    ]


def _split(stage: Stage) -> Split | None:
    words = _words(stage)
    if "--links-only" in words or not _runs_merge(words):
        return None
    destination = next(iter(_values(words, "--destination")), "")
    return Split(stage.name, destination.rstrip("/"), frozenset(_values(words, "--against")))


def _words(stage: Stage) -> list[str]:
    try:
        return shlex.split(stage.command)
    except ValueError as error:
        raise PipelineError(f"dvc.yaml: {stage.name}: its command is no shell's: {error}") from None


def _data(words: Sequence[str]) -> Iterator[str]:
    """Yield the paths of data that a command names."""
    for word in words:
        path = RANGE.sub("", word).rstrip("/")
        if path.startswith("data/"):
            yield path


def _merged(words: Sequence[str], stage: Stage) -> Iterator[str]:
    """Yield the files of datasets that a merge reads."""
    if not _runs_merge(words):
        return
    compared = bool(_values(words, "--against"))
    for source in _values(words, "--source"):
        folder = RANGE.sub("", source).rstrip("/")
        if "--links-only" in words:
            yield f"{folder}/JPEGImages"
            continue
        zipped = f"{folder}/Annotations.zip"
        yield zipped if zipped in stage.deps else f"{folder}/Annotations"
        yield f"{folder}/labelmap.txt"
        if compared or RANGE.search(source):
            yield f"{folder}/frames.csv"


def _runs_merge(words: Sequence[str]) -> bool:
    return any(re.search(rf"(^|/){MERGE}(:|@|$)", word) for word in words)


def _values(words: Sequence[str], option: str) -> list[str]:
    """Return the values of an option that may be repeated: `--source A` or `--source=A`."""
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    return joined + [value for word, value in pairwise(words) if word == option]


def _related(path: str, declared: str) -> bool:
    """Tell whether a declared path is a path, below it, or above it; a file is itself only."""
    one, other = PurePosixPath(path), PurePosixPath(declared)
    return one.is_relative_to(other) or other.is_relative_to(one)
