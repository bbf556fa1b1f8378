"""Outputs are there whole or not at all."""

import contextlib
import errno
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stage import outputs
from stage.errors import StageError


def write(aside: Path, text: str = "new") -> None:
    """Make a folder with one file."""
    aside.mkdir()
    (aside / "a.xml").write_text(text)


def replace_both(one: Path, other: Path, error: type[BaseException] | None = None) -> None:
    """Replace two folders, unless there is an error when both are made."""
    with outputs.write_whole(one, other) as aside:
        write(aside[one])
        write(aside[other])
        if error:
            raise error


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: the content of files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """An output of an earlier run."""
    write(tmp_path / "Annotations", "old")
    return tmp_path / "Annotations"


@pytest.fixture
def both(final: Path) -> Iterator[tuple[Path, Path]]:
    """Two outputs of an earlier run, in a process that SIGTERM stops as the stages' does."""
    write(final.with_name("ImageSets"), "old")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield final, final.with_name("ImageSets")
    signal.signal(signal.SIGTERM, before)


def test_all_outputs_become_final_when_the_block_ends(tmp_path: Path) -> None:
    folder, file = tmp_path / "deep" / "Annotations", tmp_path / "metrics.json"

    with outputs.write_whole(folder, None, file) as aside:
        write(aside[folder])
        aside[file].write_text("{}")
        seen = folder.exists() or file.exists()

    assert not seen
    assert tree(tmp_path) == {
        "deep": None,
        "deep/Annotations": None,
        "deep/Annotations/a.xml": b"new",
        "metrics.json": b"{}",
    }


def test_an_old_folder_is_replaced_whole(final: Path) -> None:
    (final / "only in the old one.xml").touch()

    with outputs.write_whole(final) as aside:
        write(aside[final])

    assert tree(final.parent) == {"Annotations": None, "Annotations/a.xml": b"new"}


def test_an_output_may_be_called_old(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with outputs.write_whole(tmp_path / "old") as aside:
            write(aside[tmp_path / "old"], text)

    assert tree(tmp_path) == {"old": None, "old/a.xml": b"second"}


@pytest.mark.parametrize("error", [StageError, KeyboardInterrupt, OSError])
def test_nothing_is_changed_when_the_block_raises(final: Path, error: type[BaseException]) -> None:
    before = tree(final.parent)

    with pytest.raises(error):
        replace_both(final, final.with_name("absent"), error)

    assert tree(final.parent) == before


def test_a_refused_run_leaves_no_new_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(StageError),
        outputs.write_whole(tmp_path / "merged" / "training" / "ImageSets"),
    ):
        raise StageError

    assert tree(tmp_path) == {}


@pytest.mark.parametrize("renames", [1, 2, 3, 4])
def test_a_stop_while_outputs_become_final_leaves_all_old_or_all_new(
    both: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    rename, countdown = Path.rename, iter(range(1, 100))

    def stopped(path: Path, target: Path) -> None:
        rename(path, target)
        if next(countdown) == renames:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Path, "rename", stopped)
    with contextlib.suppress(KeyboardInterrupt):
        replace_both(*both)

    assert [(final / "a.xml").read_text() for final in both] in (["old"] * 2, ["new"] * 2)


def test_an_output_that_cannot_be_replaced_leaves_the_others_as_they_were(
    both: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refused(path: Path, target: Path) -> None:
        if both[1] in (path, target):
            raise OSError(errno.EBUSY, "Device or resource busy", str(path))
        rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="busy"):
        replace_both(*both)

    assert [(final / "a.xml").read_text() for final in both] == ["old", "old"]


def test_an_output_that_was_not_made_does_not_cost_the_old_one(final: Path) -> None:
    with contextlib.suppress(FileNotFoundError), outputs.write_whole(final):
        pass

    assert tree(final) == {"a.xml": b"old"}
