"""What the tests share: hostile files, the engine, and registries of their own to work in."""

import shutil
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

import corpora
from hostile import files
from hostile.files import HostileFile
from registries import SAMPLE, Registry, copy_of_project

collect_ignore = [] if corpora.LARGER in corpora.SETS else ["test_larger_corpus.py"]

LONG = ("publishing", "forges", "demo")
"""Folders whose modules take minutes: they begin, so that none is alone at work in the end."""


def pytest_report_header() -> str:
    """Say whether the tests run on the second, larger set of foreign data, too."""
    if corpora.LARGER in corpora.SETS:
        return f"larger corpus: {corpora.LARGER}"
    return f"larger corpus: none at {corpora.LARGER} (REGISTRY_CORPUS); tests/corpus is used alone"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a Docker engine, so that `make quick` can leave it out; order the folders."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> HostileFile:
    """Write a hostile file, by its name, for all tests to read; return its path."""
    folder = tmp_path_factory.mktemp("hostile")
    return lambda name: files.write(name, folder)


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The Docker engine; tests that need it fail without it, they are never skipped."""
    client = docker.from_env()
    client.ping()
    return client


@pytest.fixture
def bare(tmp_path: Path) -> Registry:
    """A registry with nothing in data/ and the sample's params.yaml, in a folder with a name
    as people have them."""
    folder = tmp_path / "my régistry"
    (folder / "data").mkdir(parents=True)
    shutil.copy(SAMPLE / "params.yaml", folder)
    return Registry(folder)


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[str], Registry]:
    """Make fresh registries of the project's tools and the sample, by name."""
    return lambda name: copy_of_project(tmp_path / name)


@pytest.fixture(scope="module")
def clone_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Registry]:
    """Make the same, by name, that live as long as a test module."""
    folder = tmp_path_factory.mktemp("module")
    return lambda name: copy_of_project(folder / name)
