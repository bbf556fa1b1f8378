"""`repro` runs what `dvc repro` runs, in few words, and only what params.yaml says."""

from collections.abc import Callable

import docker
import pytest

from publishing.worlds import errors
from registries import Registry

FRAMES = [f"index-frames@movie{number}" for number in (1, 2, 3)]


@pytest.fixture
def registry(clone: Callable[[str], Registry], engine: docker.DockerClient) -> Registry:
    """A registry that was never reproduced."""
    return clone("my régistry")


def test_it_says_what_ran_and_what_was_up_to_date(registry: Registry) -> None:
    registry.sh("python -m pipelines repro index-frames@movie1")
    done = registry.sh("python -m pipelines repro index-frames")

    ran, unchanged = done.stdout.splitlines()
    assert sorted(ran.removeprefix("ran: ").split(", ")) == FRAMES[1:]
    assert unchanged == "up to date: 1 of 3 stages"
    steps = [line for line in done.stderr.splitlines() if line.endswith(": index-frames")]
    assert sorted(steps) == ["movie2: index-frames", "movie3: index-frames"]
    assert "docker run" not in done.stderr
    again = registry.sh("python -m pipelines repro index-frames")
    assert (again.stdout, again.stderr) == ("up to date: 3 of 3 stages\n", "")


def test_without_targets_the_pictures_are_made_too(registry: Registry) -> None:
    said = registry.sh("python -m pipelines repro").stdout

    assert "pictures/dvc.yaml:video-to-frame@movie1" in said.splitlines()[0]
    assert (registry / "data/movie1/JPEGImages").is_dir()
    assert registry.sh("dvc status dvc.yaml pictures/dvc.yaml").stdout.strip() == (
        "Data and pipelines are up to date."
    )


def test_what_cannot_be_run_as_it_is_meant_is_refused_before_anything_runs(
    registry: Registry,
) -> None:
    params, images = registry / "params.yaml", registry / "images.yaml"
    right = params.read_text(), images.read_text()
    params.write_text(right[0].replace("[movie1, movie2]", "[movie2]"))
    images.write_text(right[1].replace("/video-to-frame:", "/video-to-frame:0"))

    said = [registry.sh("python -m pipelines repro", False)]
    params.write_text(right[0])
    said.append(registry.sh("python -m pipelines repro", False))

    assert [each.returncode for each in said] == [1, 1]
    first, second = (errors(each.stderr) for each in said)
    assert first == [
        "error: dvc.yaml: does not have the splits of params.yaml; run `registry splits`"
    ]
    assert "is not in the engine; run `" in second[0]
    assert not (registry / "dvc.lock").exists()
