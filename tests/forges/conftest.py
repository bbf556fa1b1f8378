"""A published registry with the files of both forges; each test has a copy of it."""

from pathlib import Path

import docker
import pytest

from forges.engines import with_ci_files
from publishing import worlds
from publishing.conftest import BRANCH, Published, made
from publishing.worlds import World
from services import azurite as azure
from services.fixtures import azurite, container, git_server  # noqa: F401
from services.gitserver import GitServer, git


@pytest.fixture(scope="session")
def published_with_ci(
    azurite: azure.Azurite,
    git_server: GitServer,
    engine: docker.DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """A registry that was published once."""
    folder = tmp_path_factory.mktemp("forges")
    registry = worlds.seed(folder / "seed")
    with_ci_files(registry)
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
    published_with_ci: Published,
    container: azure.Container,
    git_server: GitServer,
    tmp_path: Path,
) -> World:
    """A copy of that registry, with a remote of its own."""
    return made(published_with_ci, container, git_server, tmp_path / "my régistry")
