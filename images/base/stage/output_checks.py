"""Checks before outputs are written: a stage replaces only what a stage wrote, and no input.

A kind of output is recognised by its content, for anybody may call a file frames.csv; pictures
are recognised by their names.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from stage.errors import StageError
from stage.mounts import check_kept, real


@dataclass(frozen=True)
class File:
    """A file that a stage writes. what: its name in errors. ours: recognises one by its content."""

    what: str
    ours: Callable[[Path], bool]

    def check(self, path: Path) -> None:
        """Refuse if there is something else at path."""
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise StageError(f"{path}: is no plain file that can be replaced; give another path")
        if path.exists() and not self.ours(path):
            text = f"is no {self.what}, or a damaged one, so it is not replaced"
            raise StageError(f"{path}: {text}; give another path, or delete it if nobody needs it")


@dataclass(frozen=True)
class Folder:
    """A folder that a stage writes.

    names: of its files, relative to it. ours: recognises one of them by its content. links:
    whether they may be links, which are not followed.
    """

    names: re.Pattern[str]
    ours: Callable[[Path], bool] = lambda _: True
    links: bool = False

    def check(self, path: Path) -> None:
        """Refuse if there is something else at path, or in it."""
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise StageError(f"{path}: is no plain folder that can be replaced; give another one")
        for each in sorted(path.rglob("*")):
            if not self._made(each, each.relative_to(path).as_posix()):
                raise StageError(
                    f"{each}: was not made by this command, so {path} is not replaced; "
                    "give another destination, or move that file away"
                )

    def _made(self, path: Path, name: str) -> bool:
        link = path.is_symlink()
        if path.is_dir() and not link:
            return True
        if not self.names.fullmatch(name):
            return False
        return self.links if link else path.is_file() and self.ours(path)


Kind = File | Folder


class Output(NamedTuple):
    """An output by the name that a user knows, `--index`; path: None if it is not asked for."""

    name: str
    path: Path | None
    kind: Kind


def starts_with(text: str) -> Callable[[Path], bool]:
    """Return a function that tells whether a file begins with a text."""
    start = text.encode()

    def starts(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(start)) == start

    return starts


def check_outputs(made: Sequence[Output], inputs: Iterable[Path]) -> None:
    """Refuse unless all outputs can be written, each in a place of its own that is free or ours.

    An input is never replaced, and nothing is put into one that is a folder.
    """
    wanted = [(name, path, kind) for name, path, kind in made if path is not None]
    for _, path, _ in wanted:
        if path.name in ("", ".."):
            raise StageError(f"{path}: is no name for an output; give another path")
        check_kept(path)
    for one, other in permutations(wanted, 2):
        _check_apart(*one[:2], *other[:2])
    sources = list(inputs)
    for _, path, kind in wanted:
        for source in sources:
            _check_no_input(path, source)
        kind.check(path)


def _check_apart(name: str, path: Path, other: str, place: Path) -> None:
    """Refuse an output in the place of another one, or in it."""
    if _same(_place(path), _place(place)):
        raise StageError(f"{path}: is for {name} and for {other}; give two paths")
    if _within(_place(path), _place(place)):
        text = f"lies in {place}, which is replaced by {other}"
        raise StageError(f"{path}: {text}; give {name} another path")


def _check_no_input(path: Path, source: Path) -> None:
    """Refuse an output that would replace an input, or be put into one."""
    for each in (_place(source), real(source)):
        if _same(each, _place(path)):
            raise StageError(f"{path}: is the input {source}; give another path")
        if _within(each, _place(path)):
            raise StageError(f"{path}: holds the input {source}; give another path")
        if _within(_place(path), each):
            raise StageError(f"{path}: lies in the input {source}; give another path")


def _place(path: Path) -> Path:
    """Return where a path itself is, whatever it may be a link to."""
    return real(path.parent) / path.name


def _within(path: Path, folder: Path) -> bool:
    return any(_same(each, folder) for each in (path, *path.parents))


def _same(one: Path, other: Path) -> bool:
    """Tell whether two paths are one, be it by a hard link or another spelling."""
    return one == other or (one.exists() and other.exists() and one.samefile(other))
