"""The everyday case: an annotator synchronizes, CI publishes, nobody else does anything."""

import json

from publishing.worlds import EXPORT, World, with_less_of_a_car


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
