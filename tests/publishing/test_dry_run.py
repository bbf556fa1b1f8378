"""`publish --dry-run` does all that can be refused, says what would be published, sends nothing."""

import re

import pytest

from publishing.worlds import World, errors, with_less_of_a_car
from services.gitserver import git

pytestmark = pytest.mark.azure


def state(world: World) -> object:
    """All that a publish might change."""
    folder = world.clone.folder
    here = git(folder, "status", "--porcelain", "--ignored"), git(folder, "worktree", "list")
    return world.bare.refs(), world.container.blobs(), here


def test_a_dry_run_says_what_a_publish_does_and_needs_the_right_to_read_only(
    world: World,
) -> None:
    branch = world.sync()
    before, blobs = state(world), {one.name for one in world.container.blobs()}

    dry = world.publish("--dry-run", AZURE_STORAGE_CONNECTION_STRING=world.azure.sas("rl"))

    assert state(world) == before
    first, *lines, last, other = dry.stdout.splitlines()
    assert first == f"{branch}: would be published: Publish movie2 from {branch}"
    assert other == "default branch: nothing to do"
    sent = re.fullmatch(r"  to send: (\d+) files of (\d+) bytes", last)
    assert sent

    done, *changed, _ = world.publish().stdout.splitlines()
    fresh = [one for one in world.container.blobs() if one.name not in blobs]
    assert done.startswith(f"{branch}: published as ")
    assert lines == changed
    assert len(lines) >= 2
    assert int(sent[1]) == len(fresh)
    assert int(sent[2]) == sum(len(world.container.read(one.name)) for one in fresh)
    assert world.publish("--dry-run").stdout == "default branch: nothing to do\n"


def test_a_dry_run_refuses_what_a_publish_refuses(world: World) -> None:
    branch = world.sync(world.export(with_less_of_a_car))
    before = state(world)

    said = world.publish("--dry-run --max-drop 0", code=1).stderr

    (line,) = errors(said)
    assert re.match(rf"error: {branch}: data/movie2/metrics.json: would drop \d+% of its", line)
    assert state(world) == before


def test_each_step_is_told_as_it_begins(world: World) -> None:
    branch = world.sync()

    said = world.publish().stderr

    steps = [
        f"movie2: merge {branch}",
        "movie2: read data/movie2/annotations.xml",
        "look up ",
        "movie2: prepare-annotations",
        "training: merge-annotations",
        "validation: merge-annotations",
        "check what is to be published",
        "send data to the remote",
        "look up ",
        "commit",
        f"push to {world.branch}",
    ]
    told = [line for line in said.splitlines() if not line.startswith(("fetch ", "error: "))]
    begins = [step for line in told for step in dict.fromkeys(steps) if line.startswith(step)]
    assert begins[: len(steps)] == steps
    assert "docker run" not in said


def test_a_pipeline_that_does_not_say_what_params_yaml_says_is_refused(world: World) -> None:
    """By publish, status and check; and so is a dvc.lock of pictures that git has."""
    params = world.file("params.yaml").decode()
    assert "splits:" in params
    changed = params.replace("[movie3]", "['movie3[0:30]']")
    assert changed != params
    world.commit("a change", **{"params.yaml": changed.encode()})
    text = "dvc.yaml: does not have the splits of params.yaml; run `registry splits`"
    git(world.clone.folder, "pull", "-q")
    before = world.container.blobs()

    for command in ("publish", "status", "check"):
        assert text in world.pipelines(command, 1).stderr

    lock = {"params.yaml": params.encode(), "pictures/dvc.lock": b"schema: '2.0'\n"}
    world.commit("a lock", **lock)
    git(world.clone.folder, "pull", "-q")
    text = "pictures/dvc.lock: is committed, but it is each machine's own; `git rm --cached "
    for command in ("publish", "status", "check"):
        said = world.pipelines(command, 1).stderr
        assert len([line for line in errors(said) if text in line]) == 1, said
    assert world.container.blobs() == before
