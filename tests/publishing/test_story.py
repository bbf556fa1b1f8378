"""The everyday case: an annotator synchronizes, CI publishes, nobody else does anything."""

import json
import os
import re
import shlex
from pathlib import Path

import docker
import pytest
import yaml

from documents import block
from publishing.worlds import EXPORT, World, with_less_of_a_car

pytestmark = pytest.mark.azure


def test_a_branch_of_cvat_is_published_as_one_commit_that_cvat_sees_merged(world: World) -> None:
    before, wanted = world.head, world.export(with_less_of_a_car)
    branch = world.sync()
    tip = world.bare.refs()[f"refs/heads/{branch}"]
    counted = json.loads(world.file("data/movie2/metrics.json"))["labels"]["Car"]

    said = world.publish().stdout
    after = json.loads(world.file("data/movie2/metrics.json"))["labels"]["Car"]

    assert world.file(EXPORT) == wanted
    assert after < counted
    assert f"movie2: Car {counted} -> {after}" in said
    assert world.bare.git("log", "-1", "--format=%P", world.head).split() == [before, tip]
    assert f"movie2: Car {counted} -> {after}\n" in world.bare.git("log", "-1", "--format=%B")
    assert world.bare.refs()[f"refs/heads/{branch}"] == tip
    world.whole()


def test_a_second_publish_does_nothing(world: World) -> None:
    world.sync()
    world.publish()
    before, blobs = world.head, world.container.blobs()

    assert world.publish().stdout == "default branch: nothing to do\n"
    assert (world.head, world.container.blobs()) == (before, blobs)


@pytest.mark.parametrize("user", [os.geteuid()] if os.geteuid() else [0, 2345])
def test_by_hand_the_image_does_the_same(
    world: World, engine: docker.DockerClient, user: int
) -> None:
    """By the line of docs/new-registry.md; the container sees the servers of the test, too."""
    text = block("docs/new-registry.md", "A registry without tools")
    name = "<tools, as images.yaml names it>"
    (line,) = re.findall(f"^(docker run .*) {name} status$", text, re.S | re.M)
    image = yaml.safe_load((world.clone / "images.yaml").read_text())["images"]["tools"]
    server = f'--network host --volume "{world.bare.folder}:{world.bare.folder}"'
    folders = world.clone.folder, world.bare.folder
    branch = world.sync()
    own(user, *folders)
    command = f"{line} {server} {image} publish"
    if user != os.geteuid():
        group = Path("/var/run/docker.sock").stat().st_gid
        become = f"setpriv --reuid {user} --regid {user} --groups {group}"
        command = f"{become} sh -c {shlex.quote(command)}"
    done = world.clone.sh(command, False, None, **world.env, HOME=str(world.clone.folder))
    left = [path for path in world.clone.folder.rglob("*") if path.lstat().st_uid != user]
    own(os.geteuid(), *folders)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"{branch}: published as {world.head[:12]}\n" in done.stdout
    assert left == []
    world.said += [done.stdout, done.stderr]
    world.whole()


def own(user: int, *folders: Path) -> None:
    """Give folders to a user, if we may."""
    for path in [each for folder in folders for each in (folder, *folder.rglob("*"))]:
        if path.lstat().st_uid != user:
            os.chown(path, user, user, follow_symlinks=False)
