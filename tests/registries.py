"""Registries for tests to work in, and what one does there."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import yaml
from numpy.typing import NDArray

PROJECT = Path(__file__).parents[1]
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
    """Make a fresh clone of the project, as its files are now, in a folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True, text=True
    )
    for path in filter(None, listed.stdout.split("\0")):
        if (PROJECT / path).exists() and not path.startswith("tests/corpus/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / path, folder / path)
    registry = Registry(folder)
    registry.sh("git init -q -b main && git add -A && git commit -q -m 'as it is now'")
    return registry


def picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture: height x width x 3, RGB."""
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
