"""What the tests share: the corpus, the engine, and registries of their own to work in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import yaml

PROJECT = Path(__file__).parents[1]
CORPUS = Path(os.environ.get("REGISTRY_CORPUS", PROJECT.parent / "shared" / "corpus"))
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"))
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a Docker engine, so that `make quick` can leave it out."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)


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


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real and hostile data that nobody here made."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus is not at {CORPUS}; set REGISTRY_CORPUS to its folder")
    return CORPUS


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The Docker engine; tests that need it fail without it, they are never skipped."""
    client = docker.from_env()
    client.ping()
    return client


@pytest.fixture
def bare(tmp_path: Path) -> Registry:
    """A registry with nothing in data/ and the project's params.yaml, in a folder with a name
    as people have them."""
    folder = tmp_path / "my régistry"
    (folder / "data").mkdir(parents=True)
    shutil.copy(PROJECT / "params.yaml", folder)
    return Registry(folder)


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[str], Registry]:
    """Make a fresh clone of the project, as its files are now, under a name."""

    def make(name: str = "my régistry") -> Registry:
        folder = tmp_path / name
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True, text=True
        )
        for path in filter(None, listed.stdout.split("\0")):
            if (PROJECT / path).exists():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / path, folder / path)
        registry = Registry(folder)
        registry.sh("git init -q -b main && git add -A && git commit -q -m 'as it is now'")
        return registry

    return make
