"""A published registry, made once; each test has a copy of the repository and of the remote.

The remote of the copy is a folder, where a publish takes two thirds of the time; that of tests
with the mark `azure` is a container of Azurite.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from publishing import worlds
from publishing.worlds import Store, World
from registries import Registry
from services import azurite as azure
from services.fixtures import NUMBERS, azurite, container, git_server, hostile_branches  # noqa: F401
from services.folder_store import FolderStore
from services.gitserver import GitServer, git

BRANCH = "trunk"


@dataclass(frozen=True)
class Published:
    """A registry after its first publish, in a folder: its repository and its remote's objects."""

    folder: Path

    @property
    def repository(self) -> Path:
        """The bare repository."""
        return self.folder / "repository.git"

    @property
    def store(self) -> FolderStore:
        """The remote."""
        return FolderStore("published", self.folder / "remote")


@pytest.fixture(scope="session")
def published(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A registry that was published once, by whichever process of the test run needs it first."""
    whole_run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        whole_run = whole_run.parent
    made = Published(whole_run / "published")
    with (whole_run / "published.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.folder.exists():
            publish_once(tmp_path_factory.mktemp("published"), made)
    return made


def publish_once(folder: Path, published: Published) -> None:
    """Publish a new registry for the first time, from a clone, in a folder; keep what that gave.

    DVC writes no remote into its configuration that has other letters than ASCII in its path.
    """
    registry, store = worlds.seed(folder / "séed"), FolderStore("published", folder / "remote")
    worlds.with_remote(registry, store.url)
    registry.sh("dvc push -q && git add -A && git commit -q -m 'a registry'")
    registry.sh(f"git init -q --bare -b {BRANCH} ../repository.git")
    registry.sh(f"git push -q ../repository.git HEAD:refs/heads/{BRANCH}")
    registry.sh("git clone -q ../repository.git ../clöne")
    Registry(folder / "clöne").sh("python -m pipelines publish")
    published.folder.mkdir()
    for path in ("repository.git", "remote"):
        (folder / path).rename(published.folder / path)


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    published: Published,
    git_server: GitServer,
    tmp_path: Path,
) -> World:
    """A copy of the published registry, with a remote of its own."""
    if request.node.get_closest_marker("azure"):
        container: Store = request.getfixturevalue("container")
    else:
        container = FolderStore(f"registry-{next(NUMBERS)}", tmp_path / "remote")
    return made(published, container, git_server, tmp_path / "my régistry")


def made(
    published: Published,
    container: Store,
    server: GitServer,
    folder: Path,
    change: Callable[[Registry], None] = lambda _: None,
) -> World:
    """Copy the published registry: its repository, and its objects into a remote.

    change: what more the registry is to have before it is pushed.
    """
    folder.mkdir()
    worlds.copy_objects(published.store, container)
    bare = server.bare(container.name, BRANCH)
    seed = Registry(folder / "seed")
    git(folder, "clone", "-q", str(published.repository), "seed")
    config = seed / ".dvc/config"
    old = re.search("url = (.*)", config.read_text())
    assert old
    config.write_text(config.read_text().replace(old[1], container.url))
    change(seed)
    seed.sh("git add -A && git commit -q -m 'its own remote'")
    git(seed.folder, "push", "-q", bare.file_url, f"HEAD:refs/heads/{BRANCH}")
    git(folder, "clone", "-q", bare.file_url, str(folder / "clone"))
    shutil.rmtree(seed.folder)
    world = World(folder, bare, container, BRANCH, worlds.credentials(container))
    world.first = world.head
    return world


@pytest.fixture(scope="session")
def worlds_at(
    published: Published,
    git_server: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[azure.Container], World]:
    """Make a copy of the published registry for a container of the test's own Azurite."""
    folder = tmp_path_factory.mktemp("worlds")
    return lambda own: made(published, own, git_server, folder / own.name)
