"""A published registry, made once; each test has a copy of the repository and of the remote."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from publishing import worlds
from publishing.worlds import World
from registries import Registry
from services import azurite as azure
from services.fixtures import azurite, container, git_server, hostile_branches  # noqa: F401
from services.gitserver import Bare, GitServer, git

BRANCH = "trunk"


@dataclass(frozen=True)
class Published:
    """A registry after its first publish: its repository, and the blobs of its container."""

    bare: Bare
    blobs: dict[str, bytes]


@pytest.fixture(scope="session")
def published(
    azurite: azure.Azurite,
    git_server: GitServer,
    engine: docker.DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """A registry that was published once."""
    seed = worlds.seed(tmp_path_factory.mktemp("a régistry") / "seed")
    return published_once(seed, azurite, git_server)


def published_once(registry: Registry, azurite: azure.Azurite, git_server: GitServer) -> Published:
    """Publish a new registry for the first time, from a clone beside it."""
    folder = registry.folder.parent
    own = azurite.container("published")
    env = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    worlds.with_remote(registry, "azure://published/dvc")
    registry.sh("dvc push -q", True, None, **env)
    registry.sh("git add -A && git commit -q -m 'a registry'")
    bare = git_server.bare("published", BRANCH)
    registry.sh(f"git push -q {bare.file_url} HEAD:refs/heads/{BRANCH}")
    git(folder, "clone", "-q", bare.file_url, str(folder / "clone"))
    World(folder, bare, own, BRANCH, env).publish()
    return Published(bare, {blob.name: own.read(blob.name) for blob in own.blobs()})


@pytest.fixture
def world(
    published: Published,
    container: azure.Container,
    git_server: GitServer,
    tmp_path: Path,
) -> World:
    """A copy of the published registry, with a remote of its own."""
    return made(published, container, git_server, tmp_path / "my régistry")


def made(
    published: Published,
    container: azure.Container,
    server: GitServer,
    folder: Path,
) -> World:
    """Copy the published registry: its repository, and its blobs into a container."""
    folder.mkdir()
    worlds.copied(container, published.blobs)
    bare = server.bare(container.name, BRANCH)
    git(folder, "clone", "-q", published.bare.file_url, str(folder / "seed"))
    seed = folder / "seed"
    config = seed / ".dvc/config"
    config.write_text(config.read_text().replace("azure://published", f"azure://{container.name}"))
    git(seed, "commit", "-q", "-a", "-m", "its own remote")
    git(seed, "push", "-q", bare.file_url, f"HEAD:refs/heads/{BRANCH}")
    git(folder, "clone", "-q", bare.file_url, str(folder / "clone"))
    shutil.rmtree(seed)
    env = {"AZURE_STORAGE_CONNECTION_STRING": container.connection_string}
    world = World(folder, bare, container, BRANCH, env)
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
