"""Inputs that must be there, and the commonest reason why they are not: the mount."""

import os
from pathlib import Path

from stage.errors import StageError

MOUNTS = Path("/proc/self/mountinfo")
OURS = ("/proc", "/sys", "/dev", "/tmp", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")  # noqa: S108
"""Where a container has mounts that nobody asked for."""
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
"""What the names of pictures end with, in lower case."""

LFS = b"version https://git-lfs.github.com/spec/"


def file(path: Path) -> Path:
    """Return path, an existing file with something in it; otherwise a StageError says why not."""
    _there(path)
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


def folder(path: Path) -> Path:
    """Return path, an existing folder; otherwise a StageError says why not."""
    _there(path)
    if not path.is_dir():
        raise StageError(f"{path}: is a file, a folder is needed")
    return path


def _there(path: Path) -> None:
    if not os.path.lexists(path):
        raise StageError(f"{path}: no such file or folder{_hint(path)}")
    if path.is_symlink() and not path.exists():
        raise StageError(f"{path}: is a link to {path.readlink()}, which is not there")


def _hint(path: Path) -> str:
    """Say which folders this container sees when path lies in none of them."""
    if "IMAGE_REFERENCE" not in os.environ:
        return ""
    whole, mounts = Path.cwd() / path, mounted()
    if any(whole.is_relative_to(m) for m in mounts):
        return f" in the mounted {max(m for m in mounts if whole.is_relative_to(m))}"
    sees = " and ".join(mounts) or "no folder at all"
    return (
        f"; this container sees {sees}, and {whole} is not below: mount it with"
        f' --mount type=bind,source="$PWD/data",target="$PWD/data" --workdir "$PWD"'
    )


def mounted() -> list[str]:
    """Return the paths that the caller of this container mounted, as seen inside."""
    points = (line.split()[4] for line in MOUNTS.read_text("utf-8").splitlines())
    plain = (p.encode("latin-1", "replace").decode("unicode_escape") for p in points)  # \040
    wanted = (p.encode("latin-1").decode("utf-8", "replace") for p in plain)
    return sorted({p for p in wanted if p != "/" and not p.startswith(OURS)})
