"""Registries made by `new`, with datasets that need no engine, and a look at all of their files."""

import shlex
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import make
from cvat_backups import MOVIE, NAME
from pipelines import __main__ as main
from pipelines.cvat import exports, http
from pipelines.datasets import new, params_file, split_stages
from registries import GIT, PATH, PROJECT, Registry
from services.cvat_server import CvatServer

LABELS = ("Pedestrian", "Bicycle", "Car")

DOCKER = """#!/bin/sh
# an engine that has every image, and whose stages find nothing wrong
echo "$*" >>{0}/calls
[ "$1" = run ] && [ -e {0}/hang ] && {{ touch {0}/hangs; exec sleep 60; }}
exit 0
"""


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Movies, and what CVAT exported of them: movie1, movie2, movie3."""
    folder = tmp_path_factory.mktemp("sample")
    make.make(folder)
    return folder


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry without datasets, in a folder with a name as people have them."""
    for key, value in GIT.items():
        monkeypatch.setenv(key, value)
    folder = tmp_path / "my régistry"
    new.new(folder, LABELS, "https://example.org/group/tools@0123abc", PROJECT / "images.yaml")
    return Registry(folder)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of three datasets: street (training), road (validation, task 12), park (none)."""
    folder = tmp_path_factory.mktemp("prepared") / "registry"
    new.new(folder, LABELS, None, PROJECT / "images.yaml")
    registry = Registry(folder)
    text = (folder / "params.yaml").read_text("utf-8")
    for name, split, task in (
        ("street", "training", 0),
        ("road", "validation", 12),
        ("park", None, 0),
    ):
        (folder / "data" / name).mkdir(parents=True)
        (folder / f"data/{name}/movie.mp4").write_text(f"movie of {name}")
        (folder / f"data/{name}/annotations.xml").write_text(f"export of {name}")
        values = {"source": f"data/{name}/movie.mp4", "export": f"data/{name}/annotations.xml"}
        text = params_file.add_dataset(
            text, name, {**values, **({"cvat-task": task} if task else {})}, split
        )
    (folder / "params.yaml").write_text(text, "utf-8")
    split_stages.write(folder)
    registry.sh(
        "dvc add -q data/*/movie.mp4 data/street/annotations.xml data/park/annotations.xml"
        " && git add -A && git commit -q -m 'Three datasets'"
    )
    return folder


@pytest.fixture
def registry(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A copy of it."""
    for key, value in GIT.items():
        monkeypatch.setenv(key, value)
    shutil.copytree(prepared, tmp_path / "registry", symlinks=True)
    return Registry(tmp_path / "registry")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine that is a stub; the folder with what it was told."""
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(folder))
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{PATH}")
    return folder


@pytest.fixture
def empty_cvat(monkeypatch: pytest.MonkeyPatch) -> Iterator[CvatServer]:
    """A CVAT without tasks, whose token is here; nobody waits long for it."""
    monkeypatch.setattr(exports, "POLLS", (0.01,))
    monkeypatch.setattr(http, "WAITS", (0.01, 0.01, 0.01))
    with CvatServer() as server:
        monkeypatch.setenv("CVAT_ACCESS_TOKEN", server.token)
        yield server
        assert server.unexpected == []


@pytest.fixture
def cvat(registry: Registry, empty_cvat: CvatServer) -> CvatServer:
    """A CVAT with a task of a movie, task 3, which the registry's params.yaml names."""
    with (registry / "params.yaml").open("a") as file:
        file.write(f"cvat: {{url: '{empty_cvat.url}', organization: videoteam}}\n")
    movie = (NAME, MOVIE.read_bytes())
    empty_cvat.add_task(3, "bikes", status="completed", deleted=[3, 12], step=2, movie=movie)
    return empty_cvat


@dataclass(frozen=True)
class Said:
    """What a command said."""

    stdout: str
    stderr: str


@pytest.fixture
def tools(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Do what a command line of the tools says in a registry; a refusal is one line, the last."""

    def run(registry: Registry, words: str, code: int = 0) -> Said:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(registry.folder)
            ended = main.main(shlex.split(words))
        said = Said(*capsys.readouterr())
        lines = [line for line in said.stderr.splitlines() if not line.startswith("warning: ")]
        errors = [line for line in lines if line.startswith("error: ")]
        assert ended == code, f"{words}\n{said}"
        assert errors == (lines[-1:] if code else []), said
        return said

    return run


@pytest.fixture
def tree() -> Callable[[Path], dict[str, object]]:
    """All that a folder has, and git's index of it; what DVC stores or locks is left out."""

    def look(folder: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if not name.startswith((".git/", ".dvc/cache", ".dvc/tmp")):
                content = path.readlink() if path.is_symlink() else _content(path)
                found[name] = (stat.S_IMODE(path.lstat().st_mode), content)
        listed = Registry(folder).sh("git ls-files --stage 2>/dev/null", check=False)
        return {**found, "git's index": listed.stdout}

    return look


def _content(path: Path) -> object:
    return path.read_bytes() if path.is_file() else None
