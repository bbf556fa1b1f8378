"""Outputs that are there whole or not at all: written aside, then renamed."""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stage.errors import StageError


@contextmanager
def whole(*finals: Path | None) -> Iterator[dict[Path, Path]]:
    """Yield, for each final path, a path to write; all become final if the block succeeds.

    The caller makes a file or a folder at each of those paths. If the block raises, everything is
    as it was before. What must not be replaced is the caller's to check first (`replaceable`).
    None among finals, an output that was not asked for, is passed over.
    """
    with ExitStack() as stack:
        asides = {f: stack.enter_context(_aside(f)) / f.name for f in finals if f is not None}
        yield asides
        for final, aside in asides.items():
            if final.is_dir():  # rename() replaces files, but no folder that holds something
                final.rename(aside.with_name("old"))
            aside.rename(final)


def replaceable(
    final: Path, suffixes: Collection[str], inputs: Iterable[Path] = (), *, links: bool = False
) -> Path:
    """Return final if a stage may replace it: absent, or a folder of files with such suffixes.

    Suffixes are lower case; links tells whether links are such files, too. A folder that holds
    anything else, or one of the inputs, was not made by this stage, so it is not its to empty.
    """
    if final.name in ("", "..") or final.is_symlink() or (final.exists() and not final.is_dir()):
        raise StageError(f"{final}: is no plain folder that can be replaced; give another one")
    strange = [path for path in inputs if path.resolve().is_relative_to(final.resolve())]
    for path in strange + sorted(final.rglob("*")):
        folder = path.is_dir() and not path.is_symlink()
        file = path.suffix.lower() in suffixes and (links or not path.is_symlink())
        if path in strange or not (folder or file):
            raise StageError(
                f"{path}: was not made by this command, so {final} is not replaced; "
                "give another destination, or move that file away"
            )
    return final


@contextmanager
def _aside(final: Path) -> Iterator[Path]:
    """Make a folder beside final, held by a lock that ends with the process.

    A left-over of a killed run has the same name, so it is found and removed.
    """
    aside = final.with_name(f".partial-{final.name}")
    aside.mkdir(parents=True, exist_ok=True)
    handle = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StageError(
            f"{final}: another run is writing it; wait for it, or stop its container"
        ) from None
    try:
        _empty(aside)
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(handle)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
