"""What the images of the stages say of themselves."""

import json
import re
from collections.abc import Callable
from typing import Any

import docker
import pytest

from image_folders import NO_STAGES, PARENTS, REFERENCES, STAGES
from pipelines.containers import dockerfiles, root_image
from pipelines.containers.engine import size
from registries import PROJECT, Registry

LIMIT = "data-registry.max-megabytes"
"""The label that says how much an image may add to the root image; parents hand theirs down."""

every_stage = pytest.mark.parametrize("stage", STAGES)


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pipelines finds images/ and images.yaml."""
    monkeypatch.chdir(PROJECT)


def settings(engine: docker.DockerClient, name: str, image: str, reference: str) -> set[str]:
    """What is not as it must be in the settings of a stage's image."""
    config = engine.images.get(image).attrs["Config"]
    labels = {key.rpartition(".")[2]: text for key, text in (config["Labels"] or {}).items()}
    right = {
        "user": config["User"].split(":")[0] not in ("", "0", "root"),
        "entrypoint": config["Entrypoint"] == [name],
        "command": not config["Cmd"],
        "title": labels.get("title") == name,
        "description": bool(labels.get("description")),
        "version": labels.get("version") == reference,
        "reference": f"IMAGE_REFERENCE={reference}" in config["Env"],
        "ports": not config.get("ExposedPorts") and not config.get("Volumes"),
    }
    return {what for what, holds in right.items() if not holds}


@every_stage
def test_an_image_says_what_it_is(engine: docker.DockerClient, stage: str) -> None:
    assert settings(engine, stage, REFERENCES[stage], REFERENCES[stage]) == set()


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("USER 0:0", "user"),
        ("USER root", "user"),
        ('ENTRYPOINT ["python3"]', "entrypoint"),
        ("ENTRYPOINT merge-annotations", "entrypoint"),
        ('CMD ["--help"]', "command"),
        ('LABEL org.opencontainers.image.title="other"', "title"),
        ('LABEL org.opencontainers.image.description=""', "description"),
        ('LABEL org.opencontainers.image.version="1"', "version"),
        ("ENV IMAGE_REFERENCE=other", "reference"),
        ("VOLUME /data", "ports"),
    ],
)
def test_a_wrong_setting_shows(
    engine: docker.DockerClient, build: Callable[..., str], line: str, reported: str
) -> None:
    reference = REFERENCES["merge-annotations"]
    image = build(f"FROM {reference}\n{line}\n")

    assert settings(engine, "merge-annotations", image, reference) == {reported}


@every_stage
def test_the_command_tells_its_version_and_its_options(
    bare: Registry, engine: Any, stage: str
) -> None:
    described = bare.run(stage, "--help").stdout

    assert bare.run(stage, "--version").stdout == REFERENCES[stage] + "\n"
    assert described.startswith(f"usage: {stage} ")
    assert "--source" in described
    assert "--destination" in described


def test_parents_are_no_stages(engine: docker.DockerClient) -> None:
    started = [
        engine.images.get(REFERENCES[name]).attrs["Config"]["Entrypoint"] for name in PARENTS
    ]

    assert "base" in PARENTS
    assert started == [None] * len(PARENTS)
    assert {*PARENTS, *STAGES, *NO_STAGES} == set(REFERENCES)


@every_stage
def test_an_image_is_light(engine: docker.DockerClient, stage: str) -> None:
    whole, below = (
        size(each) for each in (REFERENCES[stage], root_image.image(dockerfiles.declared_root()))
    )

    limit = engine.images.get(REFERENCES[stage]).labels[LIMIT]

    assert 0 < whole - below <= float(limit) * 1e6


def told(engine: docker.DockerClient, image: str) -> set[str]:
    """What an image's history tells of the machine that built it."""
    history = json.dumps(engine.images.get(image).history())
    return set(re.findall(r"ca-bundle|CERTIFICATE|_proxy|PIP_|https?://", history, re.I))


@every_stage
def test_the_history_tells_nothing_of_where_it_was_built(
    engine: docker.DockerClient, stage: str
) -> None:
    assert told(engine, REFERENCES[stage]) == set()


def test_a_history_that_tells_shows(engine: docker.DockerClient, build: Callable[..., str]) -> None:
    image = build("FROM scratch\nCOPY it /ca-bundle.pem\nENV PIP_INDEX_URL=https://a", it=b"")

    assert told(engine, image) == {"ca-bundle", "PIP_", "https://"}
