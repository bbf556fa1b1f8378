"""Inputs: checks that they exist and can be read."""

import os
from pathlib import Path

from stage import mounts
from stage.errors import StageError

PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
"""What the names of pictures end with, in lower case."""

LFS = b"version https://git-lfs.github.com/spec/"


def check_file(path: Path) -> Path:
    """Return path if it is a file that is not empty; otherwise a StageError says what it is."""
    _check_there(path)
    if path.is_dir():
        raise StageError(f"{path}: is a folder, a file is needed")
    if not path.is_file():
        raise StageError(f"{path}: is not a regular file")
    if path.stat().st_size == 0:
        raise StageError(f"{path}: the file is empty; copy or `dvc pull` it again")
    with path.open("rb") as opened:
        if opened.read(len(LFS)) == LFS:
            raise StageError(f"{path}: is a Git LFS pointer, not the file; run `git lfs pull`")
    return path


def read_text(path: Path) -> str:
    """Return the content of a text file, which must be UTF-8."""
    try:
        return check_file(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise StageError(f"{path}: is not UTF-8 text; make or download it again") from None


def check_folder(path: Path) -> Path:
    """Return path if it is a folder; otherwise a StageError says what it is."""
    _check_there(path)
    if not path.is_dir():
        raise StageError(f"{path}: is a file, a folder is needed")
    return path


def _check_there(path: Path) -> None:
    if not str(path).isascii() and any("\ud800" <= c <= "\udfff" for c in str(path)):
        raise StageError(f"{path}: its name is not UTF-8; rename it")
    if not os.path.lexists(path):
        raise StageError(f"{path}: no such file or folder{_where(path)}")
    if path.is_symlink() and not path.exists():
        raise StageError(f"{path}: is a link to {path.readlink()}, which is not there")


def _where(path: Path) -> str:
    """Say, in a container, where a missing path was looked for."""
    if not mounts.in_container():
        return ""
    if hint := mounts.outside(path.parent, path.name):
        return f"; {hint}"
    return f" in the mounted {mounts.mount_of(path.parent)}"
