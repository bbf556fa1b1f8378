"""What is due in CVAT is taken and published by one job, on the runners of both forges."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forges.engines import PUBLISH, Ran, checkout, github, gitlab, pushed
from publishing.worlds import World, with_less_of_a_car
from registries import PROJECT
from services.cvat_server import CvatServer

ACCEPTED = [("acceptance", "completed")]
BRANCH = "cvat_12_main_street"
PUSHED = f"movie2: task 12: pushed {BRANCH}"
DELIVERIES = "tests/corpus/cvat-server/webhook-deliveries.json"

Forge = Callable[[World, str], Ran]


def on_gitlab(world: World, token: str) -> Ran:
    """Run the job of GitLab that publishes."""
    secrets = {**world.env, "CVAT_ACCESS_TOKEN": token}
    return gitlab(checkout(world, "runner"), "publish", **secrets)


def on_github(world: World, token: str) -> Ran:
    """Run the workflow of GitHub that publishes, as its schedule does."""
    secrets, payload = {**world.env, "CVAT_ACCESS_TOKEN": token}, pushed(world, world.branch)
    return github(checkout(world, "runner"), "push", PUBLISH, payload=payload, secrets=secrets)


@pytest.fixture(params=[on_gitlab, on_github], ids=["GitLab", "GitHub"])
def run(request: pytest.FixtureRequest) -> Forge:
    """Run what publishes on a forge's own runner."""
    forge: Forge = request.param
    return forge


@pytest.fixture
def cvat(world: World) -> Iterator[CvatServer]:
    """A CVAT whose task 12 is movie2's, accepted, with three boxes fewer than the registry has."""
    with CvatServer() as server:
        params = world.file("params.yaml").decode()
        section = f"cvat:\n  url: {server.url}\n  organization: videoteam\n"
        world.commit("a CVAT", **{"params.yaml": f"{params}\n{section}".encode()})
        export = world.export(with_less_of_a_car)
        server.add_task(12, "main street", export=export, jobs=ACCEPTED)
        yield server


def cars(world: World) -> int:
    """The cars of movie2, as the default branch counts them."""
    count: int = json.loads(world.file("data/movie2/metrics.json"))["labels"]["Car"]
    return count


def test_one_job_takes_what_is_due_and_publishes_it(
    world: World, cvat: CvatServer, run: Forge
) -> None:
    before = cars(world)

    ran = run(world, cvat.token)

    assert ran.code == 0, ran.said
    assert PUSHED in ran.said
    assert re.search(rf"{BRANCH}: published as {world.head[:12]}", ran.said)
    assert cars(world) == before - 3
    message = world.bare.git("log", "-1", "--format=%B", f"refs/heads/{BRANCH}")
    assert re.search(r"^CVAT-Updated: 20\S+Z$", message, re.M)
    assert cvat.token not in ran.said

    asked = len(cvat.requests)
    (world.folder / "runner").rename(world.folder / "earlier runner")
    again = run(world, cvat.token)
    assert again.code == 0, again.said
    assert "movie2: task 12: unchanged" in again.said
    assert "default branch: nothing to do" in again.said
    assert len(cvat.requests) == asked + 1
    world.whole()


def test_without_cvat_the_rest_is_published_and_the_job_fails(
    world: World, cvat: CvatServer, run: Forge
) -> None:
    cvat.close()
    branch = world.sync(name="by hand")

    ran = run(world, cvat.token)

    assert ran.code != 0
    assert re.search(r"error: \S*.*does not answer", ran.said)
    assert re.search(rf"{branch}: published as {world.head[:12]}", ran.said)
    world.whole()


def test_neither_secret_reaches_the_other_command(world: World, cvat: CvatServer) -> None:
    """The command of the registry is one that writes down what it sees."""
    seen = world.folder.parent / "seen"
    clone = checkout(world, "runner")
    script = clone / "pipelines/registry"
    words = "AZURE_STORAGE_CONNECTION_STRING CVAT_ACCESS_TOKEN"
    line = f'for name in {words}; do env | grep -q "^$name=" && echo "$1 $name" >>"{seen}"; done'
    script.write_text(f"#!/bin/sh\n{line}\ntrue\n")

    ran = gitlab(clone, "publish", **world.env, CVAT_ACCESS_TOKEN=cvat.token)

    assert ran.code == 0, ran.said
    assert set(seen.read_text().splitlines()) >= {
        "fetch CVAT_ACCESS_TOKEN",
        "publish AZURE_STORAGE_CONNECTION_STRING",
    }
    assert "fetch AZURE_STORAGE_CONNECTION_STRING" not in seen.read_text()
    assert "publish CVAT_ACCESS_TOKEN" not in seen.read_text()


def deliveries() -> list[str]:
    """The bodies that a CVAT posted, as texts."""
    recorded = json.loads((PROJECT / DELIVERIES).read_text("utf-8"))
    return [each["body"] for each in recorded["deliveries"]]


@pytest.mark.parametrize(("event", "fetched"), [("saved", False), ("completed", True)])
def test_cvat_itself_may_start_the_pipeline_of_gitlab(
    world: World, cvat: CvatServer, tmp_path: Path, event: str, fetched: bool
) -> None:
    """The body of the webhook says whether CVAT is asked at all."""
    bodies = [json.loads(text) for text in deliveries()]
    wanted = {"saved": {"updated_date"}, "completed": {"state", "updated_date"}}[event]
    [body, *_] = [
        each
        for each in bodies
        if each["event"] == "update:job" and set(each.get("before_update", {})) == wanted
    ]
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps(body))
    variables = {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": str(payload)}

    secrets = {**world.env, "CVAT_ACCESS_TOKEN": cvat.token}
    ran = gitlab(checkout(world, "runner"), "publish", **secrets, **variables)

    assert ran.code == 0, ran.said
    assert (PUSHED in ran.said) is fetched
    assert bool(cvat.requests) is fetched
