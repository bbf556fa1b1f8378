"""What GitLab would run, run by gitlab-ci-local: checks without a secret, and a publish."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from forges.engines import INJECTING, branch_with, checkout, gitlab, with_other_data
from publishing.worlds import SECRET as SHOWN
from publishing.worlds import World
from registries import Registry
from services.gitserver import git

MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}

HOSTILE = """
steal:
  script:
    - env >"FILE"
"""


def jobs(clone: Registry, **variables: str) -> set[str]:
    """The jobs of a pipeline."""
    ran = gitlab(clone, "--list-csv", **variables)
    assert ran.code == 0, ran.said
    return set(re.findall(r"^([a-z. ]+);(?:\.pre|test|deploy);", ran.said, re.M))


def test_each_kind_of_pipeline_has_its_jobs(world: World) -> None:
    branch = world.sync()
    default, cvat = checkout(world, "runner"), checkout(world, "other", branch)

    assert jobs(default) == {"images", "lint and test", "publish"}
    assert jobs(default, CI_PIPELINE_SOURCE="schedule") == {"images", "publish"}
    assert jobs(default, CI_PIPELINE_SOURCE="pipeline") == {"images", "publish"}
    trigger = {"CI_PIPELINE_SOURCE": "trigger"}
    assert jobs(default, **trigger) == {"images", "publish"}
    assert jobs(default, **trigger, DATA_REGISTRY_IMAGE="of an attacker") == {"images"}
    assert jobs(default, **MERGE_REQUEST) == {"images", "lint and test", "dvc.lock"}
    assert jobs(cvat) == {"images", "check", "ask"}


def test_publishing_can_have_a_machine_of_its_own(world: World) -> None:
    clone = checkout(world, "runner")
    file = clone / ".gitlab-ci.yml"
    inputs = "    inputs: {publisher-tags: [publisher]}\n"
    head, include, tail = file.read_text().partition("  - local: pipelines/gitlab/registry.yml\n")
    file.write_text(head + include + inputs + tail)

    said = gitlab(clone, "--preview").said.split("---\n", 1)[1]
    whole = yaml.safe_load(said.split("\ngit remote get-url", 1)[0])

    assert whole["publish"]["tags"] == ["publisher"]
    assert whole["publish"]["resource_group"] == "publish"
    assert whole["check"]["tags"] == ["registry"]


def test_a_branch_of_cvat_is_checked_without_a_secret(world: World) -> None:
    branch = world.sync()
    before = world.bare.refs()
    clone = checkout(world, "runner", branch)

    ran = gitlab(clone, "check")

    assert ran.code == 0, ran.said
    assert f"> {branch}: may be published: data/movie2/annotations.xml of movie2\n" in ran.said
    assert world.bare.refs() == before


def test_a_branch_that_rewrites_ci_finds_no_secret_and_is_refused(world: World) -> None:
    stolen = world.folder.parent / "stolen"
    text = HOSTILE.replace("FILE", str(stolen))
    branch = branch_with(world, "cvat_12_main_street", {".gitlab-ci.yml": text})
    clone = checkout(world, "runner", branch)

    # GitLab gives a protected variable to protected branches alone: here is none.
    assert gitlab(clone, "steal").code == 0
    assert "CI_COMMIT_BRANCH=cvat_12_main_street" in stolen.read_text()
    assert not SHOWN.search(stolen.read_text())

    # One that is not protected would be found.
    gitlab(clone, "steal", **world.env)
    assert SHOWN.search(stolen.read_text()), "a secret would not be seen here"

    # The next run from the default branch looks at it, and runs nothing of it.
    before = world.bare.refs()
    stolen.unlink()
    publisher = checkout(world, "publisher")
    ran = gitlab(publisher, "publish", **world.env)
    assert ran.code == 1
    assert re.search(rf"> error: {branch}: .*\.gitlab-ci\.yml", ran.said)
    assert not stolen.exists()
    assert world.bare.refs() == before
    report, cases = reports(publisher)
    assert f"- refused: `{branch}`: " in report
    assert cases == {branch: False, "default branch": True}


def test_a_branch_s_name_is_no_command(world: World) -> None:
    branch = branch_with(world, INJECTING, {"data/movie2/annotations.xml": "<annotations/>"})
    clone = checkout(world, "runner", branch)

    ran = gitlab(clone, "check")

    assert ran.code == 1
    assert "> error: cvat_12_$(touch" in ran.said  # gitlab-ci-local itself expands ${IFS}
    assert not list(world.folder.parent.rglob("pwned"))


def test_the_default_branch_publishes_what_waits_once(world: World) -> None:
    branch = world.sync()
    clone = checkout(world, "runner")
    # A job's own token may not push, so docs/ci-gitlab.md says by three variables where to.
    git(clone.folder, "config", "url.file:///nowhere/.pushInsteadOf", "file:///")
    pushes = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "remote.origin.pushurl",
        "GIT_CONFIG_VALUE_0": world.bare.file_url,
    }

    ran = gitlab(clone, "publish", **world.env, **pushes)

    assert ran.code == 0, ran.said
    assert f"> {branch}: published as {world.head[:12]}\n" in ran.said
    report, cases = reports(clone)
    assert f"- `{branch}`: published as {world.head[:12]}\n" in report
    assert cases == {branch: True, "default branch": True}

    # Were our own commit to start a pipeline in spite of what it says, that would do nothing.
    assert world.bare.git("log", "-1", "--format=%B").splitlines()[-1] == "[skip ci]"
    refs, blobs = world.bare.refs(), world.container.blobs()
    again = checkout(world, "again")
    done = gitlab(again, "publish", **world.env)
    assert done.code == 0
    assert "> default branch: nothing to do\n" in done.said
    assert reports(again)[1] == {"default branch": True}
    assert (world.bare.refs(), world.container.blobs()) == (refs, blobs)

    world.said += [line for line in ran.said.splitlines() if line.startswith("publish >")]
    world.whole()


@pytest.mark.parametrize("scope", ["registry", "*"])
def test_a_variable_of_the_environment_reaches_the_publish_alone(
    world: World, tmp_path: Path, scope: str
) -> None:
    stolen = tmp_path / "stolen"
    clone = checkout(world, "runner")
    file = clone / ".gitlab-ci.yml"
    file.write_text(file.read_text() + HOSTILE.replace("FILE", str(stolen)))
    settings = tmp_path / ".gitlab-ci-local/variables.yml"
    settings.parent.mkdir()
    scoped = {name: {"values": {scope: value}} for name, value in world.env.items()}
    settings.write_text(yaml.safe_dump({"global": scoped}))

    assert gitlab(clone, "steal", "--home", str(tmp_path)).code == 0
    assert bool(SHOWN.search(stolen.read_text())) is (scope == "*")
    ran = gitlab(clone, "publish", "--home", str(tmp_path))
    assert ran.code == 0, ran.said
    assert "> default branch: nothing to do\n" in ran.said


def reports(clone: Registry) -> tuple[str, dict[str, bool]]:
    """What the job keeps: the report, and each test with whether it passed."""
    suite = ElementTree.parse(clone / "registry-report.xml").getroot()
    cases = {case.attrib["name"]: case.find("failure") is None for case in suite}
    return (clone / "registry-report.md").read_text("utf-8"), cases


@pytest.mark.parametrize("secret", [False, True], ids=["no secret", "secret"])
def test_a_merge_request_may_not_change_the_lock(world: World, secret: bool) -> None:
    env = {**MERGE_REQUEST, **(world.env if secret else {})}
    other = branch_with(world, "words", {"README.md": "better words"})
    clone = checkout(world, "words", other)
    ran = gitlab(clone, "dvc.lock", **env)
    assert ran.code == 0, ran.said
    assert "> dvc.lock: is not changed\n" in ran.said

    branch = branch_with(world, "lock", {"dvc.lock": with_other_data(world)})
    ran = gitlab(checkout(world, "lock", branch), "dvc.lock", **env)
    assert ran.code == 1
    wanted = "dvc.lock: names data/" if secret else "what it names cannot be looked up here"
    assert wanted in ran.said
