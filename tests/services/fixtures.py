"""The services as fixtures; a conftest.py imports those that its tests use."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile import branches
from services import azurite as azure
from services import container_registry as docker_registry
from services import gitserver
from services.cvat_server import CvatServer

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure.Azurite]:
    """An Azurite for all tests; one that stops it starts its own, with `azurite.serving`."""
    with azure.serving(tmp_path_factory.mktemp("azurite")) as one:
        yield one


@pytest.fixture
def container(azurite: azure.Azurite) -> azure.Container:
    """An empty container of its own for each test."""
    return azurite.container(f"registry-{next(NUMBERS)}")


@pytest.fixture(scope="session")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gitserver.GitServer]:
    """A git server for all tests; one that stops it starts its own, with `gitserver.serving`."""
    with gitserver.serving(tmp_path_factory.mktemp("git server")) as one:
        yield one


@pytest.fixture
def cvat_server() -> Iterator[CvatServer]:
    """A CVAT without tasks, for each test."""
    with CvatServer() as one:
        yield one


@pytest.fixture(scope="session")
def container_registry(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[docker_registry.ContainerRegistry]:
    """A container registry for all tests; a name of its own for each test's images is enough."""
    with docker_registry.serving(tmp_path_factory.mktemp("container registry")) as one:
        yield one


@pytest.fixture(scope="session")
def hostile_branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository of hostile branches, for `cvat.graft`."""
    return branches.make(tmp_path_factory.mktemp("hostile branches"))
