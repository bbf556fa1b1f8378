"""merge-annotations as dvc.yaml runs it: in its container, with the mounts of images.yaml."""

import json
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from registries import Registry

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]

LINE = "--source data/movie1 --source data/movie2 --destination data/merged/training"
"""The line of the workflow."""

FRAMES = {f"frame_{n:06}.PNG": ["Car"] * (n % 3) for n in range(6)}


@pytest.fixture
def data(bare: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder data/ of a registry that containers work on."""
    monkeypatch.chdir(bare.folder)
    return bare / "data"


@pytest.fixture
def registry(bare: Registry, dataset: Dataset, engine: docker.DockerClient) -> Registry:
    """A registry with two datasets."""
    dataset("movie1", FRAMES, ["Car"])
    dataset("movie2", {**FRAMES, "sub/車 一.png": ["Bus"]}, ["Bus", "Bicycle"])
    return bare


def refusal(registry: Registry, tree: Tree, arguments: str) -> str:
    """What the stage says on its one line; it must have changed no file."""
    before = files(tree(registry.folder))
    done = registry.run("merge-annotations", arguments, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert files(tree(registry.folder)) == before
    return done.stderr


def files(tree: dict[str, bytes | str | None]) -> dict[str, bytes | str]:
    """What is no folder."""
    return {name: content for name, content in tree.items() if content is not None}


def test_the_line_of_the_workflow_works(registry: Registry, tree: Tree) -> None:
    done = registry.run("merge-annotations", LINE)
    merged = registry / "data/merged/training"
    links = [path for path in (merged / "JPEGImages").rglob("*") if path.is_symlink()]

    assert done.stderr == ""
    assert sorted(path.name for path in merged.iterdir()) == [
        "Annotations", "ImageSets", "JPEGImages", "labelmap.txt", "merge.csv",
    ]  # fmt: skip
    assert len(links) == 13
    assert all(path.exists() and not path.readlink().is_absolute() for path in links)
    assert (merged / "JPEGImages/movie2__sub/車 一.png").read_text() == "sub/車 一.png of movie2"
    assert not [name for name in tree(registry.folder) if ".partial-" in name]


def test_the_lines_of_dvc_yaml_give_the_same_dataset(registry: Registry, tree: Tree) -> None:
    registry.run("merge-annotations", LINE)
    wanted = tree(registry / "data/merged/training")
    registry.sh("rm -r data/merged")
    metrics = "--metrics data/merged/training/metrics.json"
    registry.run("merge-annotations", f"{LINE} --images none {metrics}")
    registry.run("merge-annotations", f"--links-only {LINE}")
    found = tree(registry / "data/merged/training")

    assert json.loads(found.pop("metrics.json") or "")["pictures"] == 13
    assert found == wanted


def test_a_missing_picture_is_refused_with_the_remedy(registry: Registry, tree: Tree) -> None:
    (registry / "data/movie2/JPEGImages/frame_000003.PNG").unlink()

    assert refusal(registry, tree, LINE) == (
        "error: data/movie2/JPEGImages/frame_000003.PNG: is not there; make the pictures first "
        "(dvc repro pictures/dvc.yaml:video-to-frame@movie2), or give --images none\n"
    )


def test_a_bad_name_is_refused_on_one_line(registry: Registry, tree: Tree) -> None:
    (registry / "data/movie1").rename(registry / "data/movie__1")

    assert "data/movie__1: a dataset's name has" in refusal(
        registry, tree, LINE.replace("movie1", "movie__1")
    )


def test_a_dataset_outside_the_mounts_says_so_and_names_them(
    registry: Registry, tree: Tree
) -> None:
    (registry / "data/movie1").rename(registry / "movie1")
    said = refusal(registry, tree, LINE.replace("data/movie1", "movie1"))

    assert "movie1: no such file or folder; this container sees " in said
    assert f"sees {registry.folder}/data and {registry.folder}/params.yaml, and " in said
