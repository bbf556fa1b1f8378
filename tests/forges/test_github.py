"""What GitHub would run, run by act: checks without a secret, a publish, and its images."""

import re
import shlex

import docker
import pytest

from forges.engines import (
    CHECK,
    IMAGES,
    INJECTING,
    PUBLISH,
    TEST,
    Ran,
    branch_with,
    checkout,
    github,
    pushed,
    references,
    with_other_data,
)
from publishing.worlds import SECRET as SHOWN
from publishing.worlds import World
from registries import Registry
from services.container_registry import ContainerRegistry, forget

HOSTILE = """
name: check
on: push
jobs:
  steal:
    runs-on: ubuntu-latest
    env:
      AZURE: ${{ secrets.AZURE_STORAGE_CONNECTION_STRING }}
      ALL: ${{ toJSON(secrets) }}
    steps:
      - run: env >"FILE"
"""


def summary(ran: Ran) -> str:
    """What the page of a run shows."""
    found = re.search(r"Summary - (## Data registry\n.*?)\n\[", ran.said, re.S)
    assert found, ran.said
    return found[1]


def test_a_branch_of_cvat_is_checked_without_a_secret(world: World) -> None:
    branch = world.sync()
    before = world.bare.refs()

    ran = github(checkout(world, "runner", branch), "push", CHECK, payload=pushed(world, branch))

    assert ran.code == 0, ran.said
    assert f"| {branch}: may be published: data/movie2/annotations.xml of movie2\n" in ran.said
    assert f"- `{branch}`: may be published" in summary(ran)
    assert world.bare.refs() == before


def test_a_branch_that_rewrites_ci_finds_no_secret_and_is_refused(world: World) -> None:
    stolen = world.folder.parent / "stolen"
    text = HOSTILE.replace("FILE", str(stolen))
    branch = branch_with(world, "cvat_12_main_street", {CHECK: text, PUBLISH: text})
    clone = checkout(world, "runner", branch)

    # GitHub gives an environment's secret to jobs of the default branch alone: here is none.
    assert github(clone, "push", CHECK, payload=pushed(world, branch)).code == 0
    assert "GITHUB_ACTIONS=true" in stolen.read_text()
    assert not SHOWN.search(stolen.read_text())

    # The next run from the default branch looks at it, and runs nothing of it.
    before = world.bare.refs()
    stolen.unlink()
    ran = github(
        checkout(world, "publisher"),
        "workflow_run",
        PUBLISH,
        payload=pushed(world, world.branch),
        secrets=world.env,
    )
    assert ran.code == 1
    assert re.search(rf"::error title={branch}::.*\.github/workflows/check\.yml", ran.said)
    assert f"- refused: `{branch}`: " in summary(ran)
    assert not stolen.exists()
    assert world.bare.refs() == before
    assert not SHOWN.search(ran.said)


def test_a_branch_s_name_is_no_command(world: World) -> None:
    branch = branch_with(world, INJECTING, {"data/movie2/annotations.xml": "<annotations/>"})
    clone = checkout(world, "runner", branch)

    ran = github(clone, "push", CHECK, payload=pushed(world, branch))

    assert ran.code == 1
    assert "its name has characters other than A-Z a-z 0-9 . _ ( ) -" in ran.said
    assert not list(world.folder.parent.rglob("pwned"))


def test_such_a_branch_would_find_a_secret_that_is_the_repository_s(world: World) -> None:
    stolen = world.folder.parent / "stolen"
    branch = branch_with(world, "cvat_12_x", {CHECK: HOSTILE.replace("FILE", str(stolen))})

    payload = pushed(world, branch)
    github(checkout(world, "runner", branch), "push", CHECK, payload=payload, secrets=world.env)

    assert SHOWN.search(stolen.read_text()), "a secret would not be seen here"


def test_the_default_branch_publishes_what_waits_once(world: World) -> None:
    url = shlex.quote(str(world.bare.folder))
    model = world.model()
    model.sh(f"dvc import -q {url} data/merged/training --out training", True, None, **world.env)
    before = cars(model)
    branch = world.sync()
    tip, payload = world.bare.refs()[f"refs/heads/{branch}"], pushed(world, world.branch)

    clone = checkout(world, "runner")
    ran = github(clone, "push", PUBLISH, payload=payload, secrets=world.env)

    assert ran.code == 0, ran.said
    assert f"- `{branch}`: published as {world.head[:12]}\n" in summary(ran)
    assert world.bare.refs()[f"refs/heads/{branch}"] == tip
    assert world.bare.git("log", "-1", "--format=%B").splitlines()[-1] == "[skip ci]"
    model.sh("dvc update -q training.dvc", True, None, **world.env)
    assert cars(model) == before - 3

    # Were our own commit to start a pipeline in spite of what it says, that would do nothing.
    refs, blobs = world.bare.refs(), world.container.blobs()
    again = github(checkout(world, "again"), "push", PUBLISH, payload=payload, secrets=world.env)
    assert again.code == 0
    assert summary(again).splitlines()[2:] == ["- `default branch`: nothing to do"]
    assert (world.bare.refs(), world.container.blobs()) == (refs, blobs)

    world.said += [ran.said, again.said]
    world.whole()


def cars(model: Registry) -> int:
    """The cars in a model repository's training split."""
    files = (model / "training/Annotations").glob("*.xml")
    return sum(file.read_text().count("<name>Car</name>") for file in files)


def test_another_branch_publishes_nothing(world: World) -> None:
    branch = branch_with(world, "idea", {"idea.txt": "an idea"})
    world.sync()
    before, payload = world.bare.refs(), pushed(world, branch)

    ran = github(
        checkout(world, "runner", branch), "push", PUBLISH, payload=payload, secrets=world.env
    )

    assert ran.code == 0
    assert "pipelines publish" not in ran.said
    assert "published as" not in ran.said
    assert world.bare.refs() == before


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"README.md": "better words"}, 0, "dvc.lock: is not changed"),
        ({"dvc.lock": "names other data"}, 1, "dvc.lock: is changed, and what it names cannot be"),
    ],
)
def test_a_fork_s_pull_request_may_not_change_the_lock(
    world: World, change: dict[str, str], code: int, said: str
) -> None:
    if "dvc.lock" in change:
        change = {"dvc.lock": with_other_data(world)}
    branch = branch_with(world, "pull", change)
    clone = checkout(world, "runner", branch)

    ran = github(clone, "pull_request", TEST, "--job", "lock", payload=pushed(world, branch))

    assert ran.code == code, ran.said
    assert said in ran.said
    if code:  # with the secret it is looked up, and the remote lacks it
        done = world.pipelines("check", 1, clone)
        assert "error: dvc.lock: names data/" in done.stderr
        assert "which the remote lacks" in done.stderr


def in_images(world: World, ref: str, registry: ContainerRegistry, *words: str) -> Ran:
    """Run the workflow that makes the images, for a push to a branch; act masks no secret."""
    return github(
        checkout(world, "maker", ref),
        *("push", IMAGES, "--insecure-secrets", *words),
        payload=pushed(world, ref),
        secrets={"CI_REGISTRY_USER": registry.user, "CI_REGISTRY_PASSWORD": registry.password},
    )


def test_the_default_branch_s_images_are_pushed_and_a_publish_pulls_them(
    world: World,
    shared: str,
    container_registry: ContainerRegistry,
    engine: docker.DockerClient,
) -> None:
    host, known = ("--var", f"CI_REGISTRY={container_registry.host}"), {*references(world).values()}
    ran = in_images(world, world.branch, container_registry, *host)
    assert ran.code == 0, ran.said
    assert container_registry.password not in ran.said
    assert container_registry.held(shared) == known
    forget(engine, shared)

    # A publish knows the container registry as whoever started it does, by the job's own token.
    branch = world.sync()
    ran = github(
        checkout(world, "runner"),
        "push",
        PUBLISH,
        *(*host, "--actor", container_registry.user, "--insecure-secrets"),
        payload=pushed(world, world.branch),
        secrets={**world.env, "GITHUB_TOKEN": container_registry.password},
    )
    assert ran.code == 0, ran.said
    assert "building" not in ran.said
    assert container_registry.password not in ran.said
    assert f"- `{branch}`: published as {world.head[:12]}\n" in summary(ran)
    assert container_registry.held(shared) == known
    world.said += [ran.said]
    world.whole()


def test_another_branch_s_images_are_pushed_by_nobody(
    world: World, shared: str, container_registry: ContainerRegistry
) -> None:
    branch = branch_with(world, "idea", {"idea.txt": "an idea"})

    host = ("--var", f"CI_REGISTRY={container_registry.host}")
    ran = in_images(world, branch, container_registry, *host)

    assert ran.code == 0, ran.said
    assert "[images/images]" not in ran.said
    assert container_registry.held(shared) == set()


def test_images_are_not_pushed_without_the_container_registry_s_name(
    world: World, shared: str, container_registry: ContainerRegistry
) -> None:
    base = references(world)["base"]

    ran = in_images(world, world.branch, container_registry)

    assert ran.code == 1
    assert container_registry.password not in ran.said
    assert container_registry.held(shared) == set()
    (said,) = re.findall(r"\| error: (.*)", ran.said)
    assert said.startswith(f"{base}: cannot be pushed: no basic auth credentials; ")
