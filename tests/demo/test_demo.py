"""`make demo` shows what it says, leaves its folder, and ends its servers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from registries import PROJECT, Registry
from services.cvat_server import CvatServer


@pytest.fixture(scope="module")
def said(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints; its folder is below one of ours."""
    folder = tmp_path_factory.mktemp("a démo")
    done = subprocess.run(
        [sys.executable, "-m", "demo.demo"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "tests", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def folder(said: str) -> Path:
    """The folder that the demo says it leaves."""
    (found,) = {Path(line.strip()) for line in said.splitlines() if line.startswith("  /")}
    return found


def step(said: str, number: int) -> str:
    """What the demo says in a step."""
    return said.partition(f"\n{number}. ")[2].partition(f"\n{number + 1}. ")[0]


def commands(text: str) -> list[str]:
    """The commands of the project that a text shows, with the secrets that they get."""
    return re.findall(r"\$ (.*python -m pipelines .*)", text)


def test_a_task_is_left_alone_until_all_its_jobs_are_accepted(said: str) -> None:
    assert re.findall(r"^(\d+)\. ", said, re.M) == list("12345678")
    assert "| movie2: task 12: not accepted yet (1 of 2 jobs)\n" in step(said, 4)
    assert "pushed" not in step(said, 4)


def test_an_accepted_task_becomes_a_branch_and_then_a_commit(said: str) -> None:
    assert "| movie2: task 12: pushed cvat_12_movie2\n" in step(said, 5)
    assert re.search(r"\|  data/movie2/annotations\.xml \| +\d+ [+-]+\n.*\| +1 file", step(said, 5))
    assert re.search(r"\| +<deleted_frames>20</deleted_frames>\n", step(said, 5))
    assert re.search(r"\| cvat_12_movie2: published as [0-9a-f]{12}\n", step(said, 6))


def test_a_frame_that_was_deleted_in_cvat_is_counted(said: str) -> None:
    table = step(said, 6).split("$ dvc metrics diff ")[1]

    assert re.search(r"data/movie2/metrics\.json +dropped\.frame deleted in CVAT +- +1 ", table)
    assert re.search(r"data/movie2/metrics\.json +pictures +47 +46 +-1\n", table)
    assert re.search(r"data/merged/training/metrics\.json +pictures +47 +46 +-1\n", table)


def test_the_box_that_was_moved_arrives_in_the_model_repository(said: str, folder: Path) -> None:
    moved = "data/movie2/Annotations/frame_000006.xml"
    merged = "data/training/Annotations/movie2__frame_000006.xml"
    old, new = "<xmin>5.75</xmin>", "<xmin>7.75</xmin>"

    assert (folder / "before.xml").read_text().count(old) == 1
    for path in moved, merged:
        text = (folder / "model" / path).read_text()
        assert (text.count(old), text.count(new), text.count("<xmax>49.35</xmax>")) == (0, 1, 1)
    assert re.search(rf"\| > +<bndbox>{new}", step(said, 7))


def test_a_second_look_costs_one_request_and_changes_nothing(said: str, folder: Path) -> None:
    assert "| movie2: task 12: unchanged\n" in step(said, 8)
    assert "was asked: GET /api/tasks\n" in step(said, 8)
    assert "| default branch: nothing to do\n" in step(said, 8)
    log = "git fetch -q && git log --first-parent --format=%s origin/trunk"
    newest, *_ = Registry(folder / "clone").sh(log).stdout.splitlines()
    assert newest == "Publish movie2 from cvat_12_movie2"


def test_each_command_gets_its_own_secret_and_none_is_said(said: str, folder: Path) -> None:
    fetch = "CVAT_ACCESS_TOKEN=*** python -m pipelines fetch"
    publish = "AZURE_STORAGE_CONNECTION_STRING=*** python -m pipelines publish"
    made = Registry(folder / "clone").sh("git log -p -m HEAD~2..HEAD").stdout
    with CvatServer() as cvat:
        token = cvat.token

    assert commands(said) == [publish, fetch, fetch, publish, fetch, publish]
    assert "CVAT Annotation updated" in made
    for text in said, made:
        assert token not in text
        assert "sig=" not in text
        assert "AccountKey=" not in text


def test_it_leaves_its_folder_as_it_says_and_no_server(folder: Path) -> None:
    model = Registry(folder / "model")

    assert model.sh("git status --porcelain").stdout == ""
    assert len(list((model / "data/training/Annotations").iterdir())) == 46
    assert not (model / "data/training/Annotations/movie2__frame_000020.xml").exists()
    assert "Publish movie2" in Registry(folder / "clone").sh("git log -1 --format=%s").stdout
    assert (folder / "git").is_dir()
    assert (folder / "azurite").is_dir()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in text_of(p)]


def text_of(path: Path) -> str:
    """What a file of a process says; nothing if the process has ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
