"""Outputs that are complete or not there: they are written to a folder beside, then renamed."""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stage.errors import StageError


@contextmanager
def write_whole(*finals: Path | None) -> Iterator[dict[Path, Path]]:
    """Yield, for each final path, a path to write to; all are renamed if the block succeeds.

    The caller makes a file or a folder at each of those paths. If the block raises, everything is
    as it was before. What must not be replaced is the caller's to check first (`output_checks.py`).
    None among finals, an output that was not asked for, is passed over.
    """
    with ExitStack() as stack:
        folders = {f: stack.enter_context(_make_aside(f)) for f in finals if f is not None}
        asides = {final: folder / "new" / final.name for final, folder in folders.items()}
        yield asides
        for aside in asides.values():
            aside.lstat()  # if one was not made, this raises before an old one is moved
        with _block_signals():
            _replace(asides, {final: folder / "old" for final, folder in folders.items()})


def _replace(asides: dict[Path, Path], olds: dict[Path, Path]) -> None:
    """Rename every aside to its final path; if one fails, all that was there is put back."""
    try:
        for final, aside in asides.items():
            if os.path.lexists(final):
                final.rename(olds[final])
            aside.rename(final)
    except OSError:
        for final, aside in asides.items():
            if os.path.lexists(final) and not os.path.lexists(aside):
                final.rename(aside)
            if os.path.lexists(olds[final]):
                olds[final].rename(final)
        raise


@contextmanager
def _block_signals() -> Iterator[None]:
    """Delay Ctrl-C and `docker stop` until the block has ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _make_aside(final: Path) -> Iterator[Path]:
    """Make a folder beside final, held by a lock that ends with the process.

    A left-over of a killed run has the same name, so it is found and removed.
    """
    aside = final.with_name(f".partial-{final.name}")
    parents = [parent for parent in final.parents if not parent.exists()]
    aside.mkdir(parents=True, exist_ok=True)
    handle = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        text = "another run is writing it; wait for it, or stop its container"
        raise StageError(f"{final}: {text}") from None
    try:
        _empty(aside)
        (aside / "new").mkdir()
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # they stay when something is in them
            for parent in parents:
                parent.rmdir()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)
