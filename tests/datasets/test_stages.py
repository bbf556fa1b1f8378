"""`add`, `update` and `check` with the stages' own containers, and what DVC makes of the result."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from pipelines.datasets import check
from registries import Registry
from services.cvat_server import CvatServer

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]


def words(sample: Path, name: str, movie: str, export: str, split: str) -> str:
    return f"add {name} --movie '{sample / movie}' --export '{sample / export}' --split {split}"


def test_a_first_dataset_comes_in_and_the_pipeline_makes_it(
    fresh: Registry, engine: docker.DockerClient, sample: Path, tools: Tools
) -> None:
    """Then another one, a new export, another name; in the end one dataset is left."""
    street = words(sample, "street", "movie1/movie.mkv", "movie1/cvat-pascalvoc.zip", "training")
    added = tools(fresh, street)
    road = words(sample, "road", "movie2/movie.mp4", "movie2/annotations.xml", "validation")
    tools(fresh, f"{road} --cvat-task 12")
    fresh.sh("dvc repro -q -P && git add data params.yaml dvc.yaml dvc.lock pictures/dvc.yaml")
    fresh.sh("git commit -q -m 'Two datasets'")
    numbers = json.loads((fresh / "data/street/metrics.json").read_text())
    tools(fresh, f"update street '{sample / 'movie1/cvat-pascalvoc.zip'}'")
    said = [line.split() for line in added.stdout.splitlines()]

    assert ["pictures", str(numbers["pictures"])] in said
    assert ["Car", str(numbers["labels"]["Car"])] in said
    assert len([*(fresh / "data/merged/training/JPEGImages").iterdir()]) == numbers["pictures"]
    assert check.findings(fresh.folder) == []
    assert fresh.sh("git status --short").stdout == "?? pictures/dvc.lock\n"

    locks = [fresh / path for path in ("dvc.lock", "pictures/dvc.lock")]
    assert all("road" in path.read_text() for path in locks)
    tools(fresh, "rename street avenue")
    tools(fresh, "remove road")
    assert not [path for path in locks if re.search("road|street@", path.read_text())]
    fresh.sh("dvc repro -q -P")
    named = {path.name[:8] for path in (fresh / "data/merged/training/JPEGImages").iterdir()}

    assert named == {"avenue__"}
    assert check.findings(fresh.folder) == []


def name_cvat(fresh: Registry, cvat: CvatServer) -> str:
    """Let a registry name its CVAT, and no label; return its params.yaml."""
    text = (fresh / "params.yaml").read_text()
    text = re.sub(r"valid-labels:\n(    - .*\n)+", "valid-labels: []\n", text)
    text += f"cvat: {{url: '{cvat.url}', organization: videoteam}}\n"
    (fresh / "params.yaml").write_text(text)
    return text


def test_a_first_dataset_comes_from_a_task_of_cvat_with_one_command(
    fresh: Registry,
    engine: docker.DockerClient,
    sample: Path,
    tools: Tools,
    empty_cvat: CvatServer,
) -> None:
    """Its labels are named, a deleted frame is left out, and the pipeline makes it."""
    name_cvat(fresh, empty_cvat)
    export = (sample / "movie2/annotations.xml").read_bytes()
    movie = ("movie2.mp4", (sample / "movie2/movie.mp4").read_bytes())
    empty_cvat.add_task(12, export=export, status="completed", deleted=[3], movie=movie)
    added = tools(fresh, "add road --cvat-task 12 --split training")
    fresh.sh("dvc repro -q -P && git add data params.yaml dvc.yaml dvc.lock pictures/dvc.yaml")
    fresh.sh("git commit -q -m 'A dataset'")
    dropped = json.loads((fresh / "data/road/metrics.json").read_text())["dropped"]

    assert "valid-labels: was empty and is now " in added.stdout
    assert dropped["frame deleted in CVAT"] == 1
    assert (fresh / "data/road/movie.mp4").read_bytes() == movie[1]
    assert check.findings(fresh.folder) == []


def test_a_movie_that_is_shorter_than_its_task_is_refused(
    fresh: Registry,
    engine: docker.DockerClient,
    sample: Path,
    tools: Tools,
    tree: Tree,
    empty_cvat: CvatServer,
) -> None:
    name_cvat(fresh, empty_cvat)
    export = (sample / "movie2/annotations.xml").read_bytes()
    shorter = ("movie2.mp4", (sample / "movie3/movie.mp4").read_bytes())  # 40 frames, not 50
    empty_cvat.add_task(12, export=export, status="completed", movie=shorter)
    before = tree(fresh.folder)
    said = tools(fresh, "add road --cvat-task 12", 1).stderr

    assert "task 12: its frames go to number 49, but its movie has 40; give the movie by" in said
    assert tree(fresh.folder) == before


def test_a_first_dataset_names_its_labels_if_none_are_named(
    fresh: Registry, engine: docker.DockerClient, sample: Path, tools: Tools
) -> None:
    params = fresh / "params.yaml"
    labels = yaml.safe_load(params.read_text())["annotations"]["valid-labels"]
    listed = "".join(f"\n    - {label}" for label in labels)
    assert f"valid-labels:{listed}\n" in params.read_text()
    params.write_text(params.read_text().replace(f"valid-labels:{listed}\n", "valid-labels: []\n"))
    line = words(sample, "street", "movie1/movie.mkv", "movie1/cvat-pascalvoc.zip", "training")
    said = tools(fresh, line).stdout

    with zipfile.ZipFile(sample / "movie1/cvat-pascalvoc.zip") as export:
        lines = export.read("labelmap.txt").decode().splitlines()
    there = {each.partition(":")[0] for each in lines[1:]} - {"background"}
    found = yaml.safe_load(params.read_text())["annotations"]["valid-labels"]
    assert {*found} <= there
    assert len(found) > 1
    assert found == sorted(found)
    assert f"valid-labels: was empty and is now {', '.join(found)}; delete" in said


def test_the_image_of_the_tools_adds_a_dataset_without_them(
    fresh: Registry, engine: docker.DockerClient, sample: Path
) -> None:
    line = words(sample, "street", "movie1/movie.mkv", "movie1/cvat-pascalvoc.zip", "training")
    done = fresh.sh(f"pipelines/registry {line}")
    fresh.sh("dvc status data/street/*.dvc")

    assert "street: added, in the split training" in done.stdout
    assert "  registry repro " in done.stdout
    owners = {path.stat().st_uid for path in fresh.folder.rglob("*")}
    assert owners == {fresh.folder.stat().st_uid}


def test_the_numbers_that_change_are_said(
    fresh: Registry, engine: docker.DockerClient, sample: Path, tools: Tools, tmp_path: Path
) -> None:
    tools(fresh, words(sample, "road", "movie2/movie.mp4", "movie2/annotations.xml", "training"))
    fresh.sh("dvc repro -q prepare-annotations@road")
    text = (sample / "movie2/annotations.xml").read_text("utf-8")
    cars = json.loads((fresh / "data/road/metrics.json").read_text())["labels"]["Car"]
    (tmp_path / "new.xml").write_text(text.replace('label="Car"', 'label="Bird"'), "utf-8")
    done = tools(fresh, f"update road '{tmp_path / 'new.xml'}'")

    assert cars > 0
    assert f"road: Car {cars} -> 0" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("movie", "export", "expected"),
    [
        ("movie2/annotations.xml", "movie3/annotations.zip", "movie2/annotations.xml: is not a mo"),
        ("movie3/movie.mp4", "movie1/movie.mkv", "movie1/movie.mkv:1: is no XML"),
        ("movie3/movie.mp4", "movie1/cvat-pascalvoc.zip", "the export of another movie?"),
    ],
    ids=["no movie", "no export", "of another movie"],
)
def test_what_the_stages_refuse_changes_nothing(
    fresh: Registry,
    engine: docker.DockerClient,
    sample: Path,
    tools: Tools,
    tree: Tree,
    movie: str,
    export: str,
    expected: str,
) -> None:
    before, own = tree(fresh.folder), tree(sample)
    done = tools(fresh, f"{words(sample, 'lake', movie, export, 'training')} --move", 1)

    assert expected in done.stderr
    assert ".partial-" not in done.stderr
    assert tree(fresh.folder) == before
    assert tree(sample) == own


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("format: png", "format: gif", "frames.format: must be png or jpg"),
        ("quality: 2", "quolity: 2", "frames.quolity: is no parameter"),
        ("- Car", "- 12", "annotations.valid-labels: must be text, not 12"),
        ("destination: Annotations", "destination: x", "annotations.destination: must be one of"),
        ("frames:", "framez:", "framez: is no section"),
    ],
)
def test_parameters_are_checked_by_the_stages_that_have_them(
    fresh: Registry, engine: docker.DockerClient, old: str, new: str, expected: str
) -> None:
    (fresh / "data").mkdir()
    text = (fresh / "params.yaml").read_text("utf-8")
    (fresh / "params.yaml").write_text(text.replace(old, new, 1), "utf-8")
    found = [str(each) for each in check.findings(fresh.folder)]

    assert old in text
    assert len(found) == 1
    assert expected in found[0]


def test_an_export_that_cannot_be_read_is_named(
    registry: Registry, engine: docker.DockerClient
) -> None:
    found = [str(each) for each in check.findings(registry.folder) if each.refused]

    assert [each.partition(":")[0] for each in found] == [
        f"data/{name}/annotations.xml" for name in ("street", "road", "park")
    ]
