"""`make demo` shows what it says, leaves its folder, and ends its servers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from registries import PROJECT, Registry


@pytest.fixture(scope="module")
def said(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints; its folder is below one of ours."""
    folder = tmp_path_factory.mktemp("a démo")
    done = subprocess.run(
        [sys.executable, "tests/demo/demo.py"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "tests", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout


def test_it_goes_from_cvat_to_the_model_repository(said: str) -> None:
    assert re.findall(r"^(\d)\. ", said, re.M) == list("1234567")
    assert "| cvat_12_main_street: may be published: data/movie2/annotations.xml" in said
    assert re.search(r"\| cvat_12_main_street: published as [0-9a-f]{12}\n", said)
    assert re.search(r"\|   movie2: Car 45 -> 42\n", said)
    assert re.search(r"\| data/movie2/metrics\.json +labels\.Car +45 +42 +-3\n", said)
    assert re.search(r"\| +data/training/Annotations/movie2__frame_000005\.xml\n", said)
    assert re.search(r"\| < +<name>Car</name>\n", said)
    assert "files summary: 9 modified" in said


def test_it_says_no_secret(said: str) -> None:
    assert "sig=" not in said
    assert "AccountKey" not in said


def test_it_leaves_its_folder_as_it_says_and_no_server(said: str) -> None:
    (folder,) = {Path(line.strip()) for line in said.splitlines() if line.startswith("  /")}
    model = Registry(folder / "model")

    assert model.sh("git status --porcelain").stdout == ""
    assert len(list((model / "data/training/Annotations").iterdir())) == 47
    assert "Publish movie2" in Registry(folder / "clone").sh("git log -1 --format=%s").stdout
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in text(p)]


def text(path: Path) -> str:
    """What a file of a process says; nothing if the process has ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
