"""The mounts of the container that a stage runs in.

Only what lies below them is the caller's: other inputs are not there, other outputs are lost.
"""

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
"""Mount points that a container has in any case; what is written there ends with it."""

SYSTEM = re.compile("/(proc|sys|dev(?!/shm/.))/")
"""How the paths of the engine's other mounts begin."""


def check_kept(path: Path) -> None:
    """Refuse an output that cannot be written, or that would be lost with this container."""
    if path.is_mount() or (in_container() and str(real(path)) in list_mounts()):
        raise StageError(f"{path}: is a mount, which cannot be replaced; give a path in it")
    if hint := outside(path.parent, path.name):
        raise StageError(f"{path}: would be lost with the container; {hint}")
    there = next(each for each in (Path.cwd() / path).parents if os.path.lexists(each))
    if not there.is_dir():
        raise StageError(f"{path}: {there} is no folder; give another path")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        text = "is read-only; mount it without `readonly`, or give another path"
        raise StageError(f"{path}: {there} {text}")


def outside(folder: Path, name: str) -> str:
    """Say which folders this container sees when name in folder lies in none of them."""
    if not in_container() or mount_of(folder):
        return ""
    sees = " and ".join(list_mounts()) or "no folder at all"
    to_mount = _name_to_mount(folder)
    return (
        f"this container sees {sees}, and {real(folder) / name} is not below: mount it with"
        f' --mount type=bind,source="{to_mount}",target="{to_mount}" --workdir "$PWD"'
    )


def in_container() -> bool:
    """Tell whether this is a container of one of the images."""
    return "IMAGE_REFERENCE" in os.environ


def mount_of(folder: Path) -> str:
    """Return the caller's mount that a folder lies in, if it does, links followed."""
    around = [each for each in _list_points() if real(folder).is_relative_to(each)]
    inner = max(around, key=len, default="")
    return inner if inner in list_mounts() else ""


def list_mounts() -> list[str]:
    """Return the paths that the caller of this container mounted, as seen inside."""
    return sorted(path for path in _list_points() - OURS if not SYSTEM.match(path))


def real(path: Path) -> Path:
    """Return the absolute path that links lead to; no error where they lead in a circle."""
    return Path(os.path.realpath(path))


def _list_points() -> set[str]:
    """Return all mount points."""
    points = {line.split()[4] for line in MOUNTS.read_text("utf-8", "replace").splitlines()}
    return {re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), each) for each in points}


def _name_to_mount(folder: Path) -> str:
    """Return the folder to mount, as the caller's shell takes it, so that folder is seen."""
    if folder.is_absolute() or real(folder) != Path.cwd() / folder:
        return str(real(folder))
    return "/".join(("$PWD", *folder.parts[:1]))
