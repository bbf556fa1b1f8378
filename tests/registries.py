"""Registries for tests to work in, and what one does there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import yaml
from numpy.typing import NDArray

PROJECT = Path(__file__).parents[1]
SAMPLE = PROJECT / "tests/sample/registry"
"""What tests/sample/make.py made, and the pipeline for it: the data of the tests' registries."""

TOOL_FOLDERS = ("images", "pipelines", "tests")
"""The folders of the project in which nothing belongs to the registry at its top."""

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"))
}


@dataclass(frozen=True)
class Registry:
    """A folder with a registry in it, and what one does there."""

    folder: Path

    def __truediv__(self, path: str) -> Path:
        """Return a path in it."""
        return self.folder / path

    def sh(
        self, command: str, check: bool = True, user: int | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in it as DVC would; user: the uid and gid to do it as."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env={**os.environ, **GIT, "PATH": PATH, "PWD": str(self.folder), **env},
            user=user,
            group=user,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def run(
        self,
        stage: str,
        arguments: str,
        check: bool = True,
        user: int | None = None,
        options: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a stage's image on it by the command line that dvc.yaml uses."""
        settings = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))
        command = f"{settings['run']} {settings['images'][stage]} {arguments}"
        return self.sh(command, check, user, DOCKER_OPTIONS=options)


def copy_of_project(folder: Path) -> Registry:
    """Make a registry in a folder: the project's tools as they are now, and the tests' sample.

    The project's own datasets are left out: whoever replaces them runs the same tests.
    """
    listed = (path for path in under_git(PROJECT) if not path.startswith("tests/corpus/"))
    tools = [path for path in listed if not belongs_to_registry(path)]
    copy_files(PROJECT, tools, folder)
    copy_files(SAMPLE, under_git(SAMPLE), folder)
    return commit_all(folder)


def belongs_to_registry(path: str) -> bool:
    """Tell whether a path of the project is of the registry at its top, and not of the tools.

    >>> [belongs_to_registry(path) for path in ("data/street/movie.mp4.dvc", "dvc.yaml")]
    [True, True]
    >>> [belongs_to_registry(path) for path in ("pictures/dvc.lock", ".dvc/config")]
    [True, True]
    >>> [belongs_to_registry(path) for path in ("images.yaml", "tests/sample/registry/dvc.yaml")]
    [False, False]
    """
    first, name = Path(path).parts[0], Path(path).name
    if first in TOOL_FOLDERS:
        return False
    named = name in ("params.yaml", "dvc.yaml", "dvc.lock") or name.endswith(".dvc")
    return named or first in ("data", ".dvc")


def under_git(folder: Path) -> list[str]:
    """Return the files below a folder that git has and that are there, relative to it."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    return [path for path in listed.stdout.split("\0") if path and (folder / path).exists()]


def copy_files(source: Path, paths: Iterable[str], folder: Path) -> None:
    """Copy files of one folder to the same places in another one."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / path, folder / path)


def commit_all(folder: Path) -> Registry:
    """Make a folder a git repository with one commit of all that is there."""
    registry = Registry(folder)
    registry.sh("git init -q -b main && git add -A && git commit -q -m 'as it is now'")
    return registry


def picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture: height x width x 3, RGB."""
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
