"""What the Docker images are built from: every folder of images/ with a Dockerfile is one."""

import hashlib
import os
import re
from pathlib import Path

from pipelines import commands
from pipelines.errors import PipelineError

FOLDER = Path("images")
ROOT = re.compile(r"^ARG ROOT_IMAGE=(\S+)$", re.M)
PARENT = re.compile(r"^ARG PARENT_IMAGE=\S*?([a-z-]+)$", re.M)
ALSO = re.compile(r"^ARG PROJECT_FOLDER=([a-z-]+)$", re.M)
"""A folder of the project that an image is built from, besides its own."""


def names() -> list[str]:
    """Return the names of the images, parents before children."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
    return sorted(found, key=lambda name: (len(ancestry(name)), name))


def ancestry(name: str) -> list[str]:
    """Return an image and those it is built from, itself first."""
    parent = PARENT.search(_text(name))
    return [name, *(ancestry(parent[1]) if parent else [])]


def declared_root() -> str:
    """Return the root image that the base's Dockerfile names."""
    found = ROOT.search(_text("base"))
    if not found:
        raise PipelineError(
            f"{FOLDER}/base/Dockerfile: lacks `ARG ROOT_IMAGE=`; name the root image"
        )
    return found[1]


def digest(name: str) -> str:
    """Return the hash of the files that an image is built from, 12 hexadecimal digits."""
    whole = hashlib.sha256()
    for folder in ancestry(name):
        for path in files(folder):
            executable = os.access(path, os.X_OK)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{path.as_posix()}\0{executable:d}\0{content}\n".encode())
    return whole.hexdigest()[:12]


def files(name: str) -> list[Path]:
    """Return the files under git that an image is built from, its parents' not included."""
    listed = _listed(_folders(name))
    return sorted(path for path in map(Path, listed) if path.exists())


def untracked() -> list[str]:
    """Return files in the folders of all images that git neither has nor ignores."""
    folders = {folder for name in names() for folder in _folders(name)}
    return _listed(sorted(folders), "--others", "--exclude-standard")


def _folders(name: str) -> list[str]:
    also = ALSO.search(_text(name))
    return [str(FOLDER / name), *(also.groups() if also else [])]


def _listed(folders: list[str], *options: str) -> list[str]:
    """Return the files that git lists in folders."""
    return commands.output("git", "ls-files", "-z", *options, "--", *folders).split("\0")[:-1]


def _text(name: str) -> str:
    return (FOLDER / name / "Dockerfile").read_text("utf-8")
