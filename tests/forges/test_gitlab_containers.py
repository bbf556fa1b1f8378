"""GitLab with runners that run jobs in containers: where their images come from, and a publish."""

import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from forges.engines import BUILDS, HELPER, checkout, gitlab_in_containers, references
from pipelines.containers import dockerfiles, root_image
from publishing.worlds import World
from registries import PROJECT, Registry
from services.container_registry import ContainerRegistry, forget
from services.gitserver import git

LOOK = """
look:
  extends: .registry
  script: [pipelines/registry doctor]
"""


@pytest.fixture(autouse=True)
def runner(engine: docker.DockerClient) -> Iterator[None]:
    """What gitlab-ci-local needs; Debian, as from a container registry; no builds afterwards."""
    text = f"FROM {root_image.MADE}\nRUN apt-get update && apt-get install --yes rsync"
    engine.images.build(fileobj=BytesIO(text.encode()), tag=HELPER, network_mode="host", rm=True)
    debian = dockerfiles.declared_root()
    try:
        engine.images.get(debian)
        made = False
    except ImageNotFound:
        made = engine.images.get(root_image.MADE).tag(debian)
    yield
    if made:
        engine.images.remove(debian)
    shutil.rmtree(BUILDS.parent, ignore_errors=True)


def test_from_the_first_run_to_a_publish_in_the_image_that_it_made(
    world: World,
    shared: str,
    engine: docker.DockerClient,
    container_registry: ContainerRegistry,
    tmp_path: Path,
) -> None:
    knows = {"SHARED": "yes", **container_registry.log_in(tmp_path / "docker")}
    forge, image = container_registry.credentials, references(world)["tools"]

    # The first run: nothing but Debian. What is made there is pushed, and its like is gone here.
    clone = checkout(world, "runner")
    ran = gitlab_in_containers(world, clone, "images", knows, **forge)
    assert ran.code == 0, ran.said
    assert container_registry.password not in ran.said
    assert container_registry.held(shared) == {*references(world).values()}
    forget(engine, shared)

    # A branch of CVAT is checked in that image, without a secret, and changes nothing.
    branch = world.sync()
    before = world.bare.refs()
    there = checkout(world, "there", branch)
    ran = gitlab_in_containers(world, there, "check", knows, DATA_REGISTRY_IMAGE=image, **forge)
    assert ran.code == 0, ran.said
    assert f"> {branch}: may be published: data/movie2/annotations.xml of movie2\n" in ran.said
    assert "building" not in ran.said
    assert world.bare.refs() == before

    # The default branch's next job runs in the image that the first one named.
    ran = gitlab_in_containers(world, clone, "publish", knows, **forge, **world.env)
    assert ran.code == 0, ran.said
    assert f"publish starting {image} " in ran.said
    assert f"> {branch}: published as {world.head[:12]}\n" in ran.said
    assert "building" not in ran.said
    assert container_registry.held(shared) == {*references(world).values()}
    world.said += [line for line in ran.said.splitlines() if line.startswith("publish >")]
    world.whole()


def test_a_build_folder_that_the_engine_does_not_see_is_named(world: World) -> None:
    file = world.clone / ".gitlab-ci.yml"
    world.commit("a job", **{".gitlab-ci.yml": (file.read_text() + LOOK).encode()})
    image = {"DATA_REGISTRY_IMAGE": references(world)["tools"]}

    ran = gitlab_in_containers(world, checkout(world, "runner"), "look", {}, **world.env, **image)

    assert ran.code == 1, ran.said
    said = set(re.findall(r"> error: containers see the files of this folder: (.*)", ran.said))
    assert len(said) == 1
    assert said.pop().startswith(f"{BUILDS}/data is not there: the engine is another machine's or ")


INCLUDING = """
include:
  - local: registry.yml
    inputs:
      image: IMAGE
      command: registry
stages: [test, deploy]
"""


def test_a_registry_without_the_tools_publishes_by_their_image(world: World) -> None:
    """It has its pipeline, its parameters and its data; an include, and images.yaml."""
    image = references(world)["tools"]
    other = Registry(world.folder / "other")
    git(world.folder, "clone", "-q", world.bare.file_url, other.folder.name)
    (other / "registry.yml").write_text((PROJECT / "pipelines/gitlab/registry.yml").read_text())
    other.sh("git rm -q -r pipelines images Makefile README.md pyproject.toml .ci")
    (other / ".gitlab-ci.yml").write_text(INCLUDING.replace("IMAGE", image))
    other.sh("git add -A && git commit -q -m 'data alone' && git push -q")
    branch = world.sync()

    clone = checkout(world, "runner")
    assert not (clone / "pipelines").exists()
    ran = gitlab_in_containers(world, clone, "publish", {"SHARED": "yes"}, **world.env)

    assert ran.code == 0, ran.said
    assert f"publish starting {image} " in ran.said
    assert f"> {branch}: published as {world.head[:12]}\n" in ran.said
    world.said += [line for line in ran.said.splitlines() if line.startswith("publish >")]
    world.whole()

    there = checkout(world, "there", branch)
    ran = gitlab_in_containers(world, there, "check", {"SHARED": "yes"})
    assert ran.code == 0, ran.said
    assert f"> {branch}: is published already\n" in ran.said
