"""Inputs that must be there, and the commonest reason why they are not: the mount."""

import os
import re
from pathlib import Path

from stage.errors import StageError

MOUNTS = Path("/proc/self/mountinfo")
OURS = {"/", "/proc", "/sys", "/dev", "/tmp"} | {  # noqa: S108
    *(
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/sbin/docker-init",
        "/usr/sbin/docker-init",
    )
}
"""Where a container has mounts that nobody asked for."""

PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
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


def text(path: Path) -> str:
    """Return the content of a text file, which must be UTF-8."""
    try:
        return file(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise StageError(f"{path}: is not UTF-8 text; make or download it again") from None


def folder(path: Path) -> Path:
    """Return path, an existing folder; otherwise a StageError says why not."""
    _there(path)
    if not path.is_dir():
        raise StageError(f"{path}: is a file, a folder is needed")
    return path


def _there(path: Path) -> None:
    if not str(path).isascii() and any("\ud800" <= c <= "\udfff" for c in str(path)):
        raise StageError(f"{path}: its name is not UTF-8; rename it")
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
    points = {line.split()[4] for line in MOUNTS.read_text("utf-8", "replace").splitlines()}
    paths = {re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), p) for p in points}
    return sorted(p for p in paths - OURS if not p.startswith(("/proc/", "/sys/", "/dev/")))
