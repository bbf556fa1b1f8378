"""The datasets that are merged, and which of their frames."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lineage
from annotations import dataset
from stage import sources
from stage.errors import StageError


@dataclass(frozen=True)
class Source:
    """A dataset to merge: its folder, and the frames to take, absolute numbers, end exclusive."""

    folder: Path
    first: int = 0
    end: int | None = None

    @property
    def name(self) -> str:
        """The dataset's name, which is the folder's own, or the link's if it is one."""
        return Path(os.path.abspath(self.folder)).name  # noqa: PTH100

    @property
    def whole(self) -> bool:
        """Whether all frames are taken."""
        return self == Source(self.folder)

    def takes(self, number: int) -> bool:
        """Tell whether a frame is taken."""
        return self.first <= number and (self.end is None or number < self.end)


def parse_source(text: str) -> Source:
    """Return the dataset that a word of the command line names.

    >>> parse_source("data/movie1[100:200]")
    Source(folder=PosixPath('data/movie1'), first=100, end=200)
    """
    found = re.fullmatch(r"(.+)\[([0-9]{0,9}):([0-9]{0,9})\]", text, re.ASCII | re.S)
    if not found:
        return Source(Path(text))
    return Source(Path(found[1]), int(found[2] or 0), int(found[3]) if found[3] else None)


def name_sources(folders: Sequence[Path | Source]) -> dict[str, Source]:
    """Return the datasets by their names; a StageError refuses a name that cannot be one."""
    found: dict[str, Source] = {}
    for each in folders:
        source = each if isinstance(each, Source) else Source(each)
        sources.check_folder(source.folder)
        if not lineage.NAME.fullmatch(source.name):
            text = "a dataset's name has letters and digits, with single `-` or `_` between them"
            raise StageError(f"{source.folder}: {text}; rename the folder")
        if source.name in found:
            text = f"is the second dataset called {source.name}; rename one"
            raise StageError(f"{source.folder}: {text}")
        found[source.name] = source
    return found


def folders_of(named: dict[str, Source]) -> dict[str, Path]:
    """Return the folders of datasets by their names."""
    return {name: source.folder for name, source in named.items()}


def list_inputs(named: dict[str, Source]) -> list[Path]:
    """Return what is read of datasets: their folders, and parts that may be links to elsewhere."""
    parts = ("", "Annotations", f"Annotations{dataset.ARCHIVE}", "JPEGImages")
    return [source.folder / part for source in named.values() for part in parts]


def refuse_unused(named: dict[str, Source], used: Iterable[str]) -> None:
    """Refuse a range of frames in which a dataset has no annotation."""
    taken = set(used)
    for name, source in named.items():
        if not source.whole and name not in taken:
            end = "" if source.end is None else source.end
            raise StageError(f"{source.folder}: has no annotation in [{source.first}:{end}]")
