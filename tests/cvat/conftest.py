"""A registry whose exports are a CVAT's, a clone of it where CI works, and that CVAT."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvat_worlds import DATASETS, World, seed
from pipelines.cvat import exports, http
from services.cvat_server import CvatServer
from services.fixtures import git_server  # noqa: F401
from services.gitserver import ISOLATED, GitServer

NUMBERS = itertools.count(1)


@pytest.fixture
def cvat() -> Iterator[CvatServer]:
    """A CVAT without tasks; a test that asks it what nothing plays fails."""
    with CvatServer() as server:
        yield server
        assert server.unexpected == []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be waited for as long as on a true server."""
    monkeypatch.setattr(exports, "POLLS", (0.01,))
    monkeypatch.setattr(http, "WAITS", (0.01, 0.01, 0.01))
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY", "CI_PIPELINE_SOURCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def world(
    cvat: CvatServer,
    git_server: GitServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    """A registry of two datasets, street (task 3) and yard (task 12, in a zip)."""
    folder = tmp_path / "my régistry"
    folder.mkdir()
    bare = git_server.bare(f"cvat-{next(NUMBERS)}", "trunk")
    for name, value in {**ISOLATED, "CVAT_ACCESS_TOKEN": cvat.token}.items():
        monkeypatch.setenv(name, value)
    made = World(folder, bare, cvat, capsys)
    seed(made)
    monkeypatch.chdir(made.clone)
    yield made
    made.check_secrets()


@pytest.fixture
def street(world: World) -> World:
    """A registry with one dataset."""
    world.settings({"street": DATASETS["street"]})
    return world
