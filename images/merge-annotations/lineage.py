"""merge.csv: where each merged picture comes from."""

import csv
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from stage import frames, output_checks, sources
from stage.errors import StageError

NAME = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
"""A dataset's name: without `__`, which ends it in the names of merged pictures."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A line of merge.csv: a merged picture, and what it was called in which dataset.

    sha256: of the dataset's annotation file.
    """

    picture: str
    dataset: str
    original: str
    sha256: str


HEADER = [field.name for field in fields(Merged)]

KIND = output_checks.File("merge.csv", output_checks.starts_with(",".join(HEADER) + "\n"))


def write(lines: Iterable[Merged], path: Path) -> None:
    """Write a merge.csv: a header, one line a picture, LF."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(astuple(line) for line in lines)


def read(path: Path) -> list[Merged]:
    """Read a merge.csv; a StageError says that it is none."""
    try:
        header, *rows = csv.reader(sources.read_text(path).splitlines())
        lines = [Merged(*row) for row in rows]
    except (csv.Error, TypeError):
        raise StageError(f"{path}: is no merge.csv; merge again") from None
    single = len({line.picture for line in lines}) == len(lines)
    sound = single and all(map(_is_sound, lines))
    if header != HEADER or not sound:
        raise StageError(f"{path}: is no merge.csv; merge again")
    return lines


def _is_sound(line: Merged) -> bool:
    """Tell whether a merged picture is called as it is to be, and leads into its dataset."""
    fine = line.picture == f"{line.dataset}__{line.original}" and frames.inside(line.original)
    return fine and bool(NAME.fullmatch(line.dataset))
