"""A published registry with the files of both forges; each test has a copy of it."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml

from forges.engines import with_ci_files
from publishing.conftest import Published, made, published  # noqa: F401
from publishing.worlds import World
from services import azurite as azure
from services.container_registry import ContainerRegistry, forget
from services.fixtures import azurite, container, container_registry, git_server  # noqa: F401
from services.gitserver import GitServer


@pytest.fixture
def world(
    published: Published,
    container: azure.Container,
    git_server: GitServer,
    tmp_path: Path,
) -> World:
    """A copy of the published registry with the files of both forges and a remote of its own."""
    return made(published, container, git_server, tmp_path / "my régistry", with_ci_files)


@pytest.fixture
def shared(
    world: World,
    engine: docker.DockerClient,
    container_registry: ContainerRegistry,
) -> Iterator[str]:
    """The prefix of a world that shares its images; the engine has none of them afterwards."""
    prefix = f"{container_registry.host}/{world.container.name}"
    text = world.file("images.yaml").decode()
    text = text.replace(yaml.safe_load(text)["prefix"], prefix)
    world.commit("a prefix", **{"images.yaml": text.encode()})
    yield prefix
    forget(engine, prefix)
