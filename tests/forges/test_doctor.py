"""`doctor` names what is not set up as it should be, and nothing else."""

import re
from collections.abc import Mapping

import pytest

from pipelines.setup.doctor import SECRET
from publishing.worlds import World
from registries import Registry
from services.gitserver import git

NO_FORGE = {"GITLAB_CI": "", "GITHUB_ACTIONS": ""}
DELETABLE = "nothing in it can be deleted: give CI a SAS with the rights rlcw, so that no mistake"


def errors(
    world: World, env: Mapping[str, str] = NO_FORGE, code: int = 1, where: Registry | None = None
) -> list[str]:
    """What doctor finds wrong."""
    done = world.pipelines("doctor", code, where, **{**NO_FORGE, **env})
    assert re.search(r"^ok: ", done.stdout, re.M)
    return [line.removeprefix("error: ") for line in done.stderr.splitlines()]


def test_with_the_account_s_key_all_but_that_is_right(world: World) -> None:
    (found,) = errors(world)

    assert found.startswith(DELETABLE)


@pytest.fixture
def right(world: World) -> World:
    """A world where CI may do no more than it must."""
    world.env = {SECRET: world.azure.sas("rlcw")}
    return world


def test_with_the_rights_that_the_readme_says_all_is_right(right: World) -> None:
    before = right.bare.refs()

    assert errors(right, code=0) == []
    assert errors(right, code=0) == []
    assert right.bare.refs() == before
    assert git(right.clone.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("rights", "what"), [("rl", "it can be written to"), ("c", "it can be read")]
)
def test_a_right_that_lacks_is_named(right: World, rights: str, what: str) -> None:
    found = errors(right, {SECRET: right.azure.sas(rights)})

    assert found[0].startswith(f"{what}: ")
    assert "sig=" not in "".join(found).replace("sig=***", "")


def test_a_shallow_clone_is_named(right: World) -> None:
    git(right.folder, "clone", "-q", "--depth", "1", right.bare.file_url, "shallow")

    (found,) = errors(right, where=Registry(right.folder / "shallow"))

    assert found.startswith("the clone is whole: it lacks old commits; ")
    assert "GIT_DEPTH" in found


def test_a_remote_whose_data_is_not_checked_is_named(right: World) -> None:
    right.clone.sh("dvc config --unset remote.storage.verify")

    (found,) = errors(right)

    remedy = "dvc config remote.storage.verify true"
    assert found == f"what is read from it is checked: it is not; run `{remedy}`"
    right.clone.sh(remedy)
    assert errors(right, code=0) == []


def test_no_remote_is_named(right: World) -> None:
    right.clone.sh("dvc remote remove storage")

    (found,) = errors(right)

    assert found.startswith("a default remote is set: there is none; run `dvc remote add --default")


def test_an_image_that_the_engine_lacks_is_named(right: World) -> None:
    path = right.clone / "images.yaml"
    path.write_text(re.sub(r"/base:\w+", "/base:000000000000", path.read_text()))

    (found,) = errors(right)

    assert found.startswith("the images are in the engine: it lacks ")
    assert found.endswith("/base:000000000000; run `python -m pipelines images`")


GITLAB = {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true"}


@pytest.mark.parametrize(
    "env",
    [
        {"GITLAB_CI": "true", "CI_COMMIT_REF_NAME": "cvat_12_x"},
        {"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "cvat_12_x"},
    ],
    ids=["GitLab", "GitHub"],
)
def test_a_secret_that_a_branch_of_cvat_sees_is_named(right: World, env: dict[str, str]) -> None:
    (found,) = errors(right, env)

    assert found.startswith(f"{SECRET} is hidden from cvat_12_x: it is not; limit it: ")


@pytest.mark.parametrize("forge", ["GitLab", "GitHub"])
def test_the_default_branch_has_the_secret(right: World, forge: str) -> None:
    name = {"GitLab": "CI_COMMIT_REF_NAME", "GitHub": "GITHUB_REF_NAME"}[forge]
    env = {**(GITLAB if forge == "GitLab" else {"GITHUB_ACTIONS": "true"}), name: right.branch}

    assert errors(right, env, 0) == []
    assert (
        f"{SECRET} is set: it is not; set it as docs/ci-gitlab.md or docs/ci-github.md says"
        in errors(right, {**env, SECRET: ""})
    )


def test_a_default_branch_that_is_not_protected_is_named(right: World) -> None:
    env = {**GITLAB, "CI_COMMIT_REF_NAME": right.branch, "CI_COMMIT_REF_PROTECTED": "false"}

    (found,) = errors(right, env)

    assert found.startswith(f"{right.branch} is protected: it is not; Settings > Repository > ")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"GITLAB_CI": "true", "CI_REGISTRY_IMAGE": "r.example.org/group/project"}, True),
        ({"GITLAB_CI": "true", "CI_REGISTRY_IMAGE": "r.example.org/group/project/images"}, True),
        ({"GITLAB_CI": "true", "CI_REGISTRY_IMAGE": "r.example.org/group/pro"}, False),
        ({"CI_REGISTRY": "r.example.org", "GITHUB_REPOSITORY": "Group/Project"}, True),
        ({"CI_REGISTRY": "r.example.org", "GITHUB_REPOSITORY": "group/other"}, False),
    ],
)
def test_images_that_every_branch_can_push_are_named(
    right: World, env: dict[str, str], named: bool
) -> None:
    path = right.clone / "images.yaml"
    prefix = "r.example.org/group/project/images"
    path.write_text(
        path.read_text().replace("prefix: localhost/data-registry", f"prefix: {prefix}")
    )
    env = {**env, "CI_COMMIT_REF_NAME": right.branch, "CI_COMMIT_REF_PROTECTED": "true"}

    found = errors(right, env, int(named))

    text = "jobs of other branches cannot push images: they can, to "
    assert [each.startswith(f"{text}{prefix}; ") for each in found] == [True] * named


def test_a_registry_without_data_and_remote_ends_without_traceback(right: World) -> None:
    right.clone.sh("git rm -rqf data && rm -rf data && dvc remote remove storage")

    found = errors(right)

    assert [line.partition(":")[0] for line in found] == [
        "data/ is here",
        "a default remote is set",
    ]
    assert "make the folder data/<name>" in found[0]


def test_with_a_folder_as_remote_all_can_be_right(right: World) -> None:
    folder = right.folder.parent / "storage"
    folder.mkdir()
    right.clone.sh(f"dvc remote modify storage url '{folder}'")
    right.env = {}

    done = right.pipelines("doctor", 0, None, **NO_FORGE)

    assert "without rights of its own; whoever can write to it can delete, too" in done.stdout
    assert done.stderr == ""


def test_a_cache_that_was_written_to_is_named(right: World) -> None:
    right.clone.sh("dvc pull -q data/movie3/annotations.zip.dvc", True, None, **right.env)
    (kept,) = (right.clone / ".dvc/cache/files/md5").glob("*/*")
    kept.chmod(0o644)
    kept.write_bytes(b"a new export, written through a link")

    (found,) = errors(right)

    assert found.startswith("the 1 objects of the cache hash to their names: 1 do not; the first ")
    assert str(kept.relative_to(right.clone.folder)) in found
