"""Images on their way through a container registry: pushed once, pulled by everybody else."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import yaml

from image_folders import NO_STAGES, PARENTS, STAGES
from registries import Registry
from services.container_registry import ContainerRegistry, forget
from services.fixtures import container_registry  # noqa: F401

Clone = Callable[[str], Registry]


@dataclass(frozen=True)
class Shared:
    """A registry whose images are shared, and those who keep them."""

    registry: Registry
    engine: docker.DockerClient
    there: ContainerRegistry
    prefix: str

    def images(self, words: str = "", *, code: int = 0, **env: str) -> tuple[str, str]:
        """Run `python -m pipelines images`; what it printed, and its errors."""
        command = f"python -m pipelines images {words}"
        done = self.registry.sh(command, False, None, **{**self.there.credentials, **env})
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        assert self.there.password not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def references(self) -> dict[str, str]:
        """The images that the registry names."""
        found = yaml.safe_load((self.registry / "images.yaml").read_text())["images"]
        return {name: str(each) for name, each in found.items()}

    def pushed(self) -> set[str]:
        """The references that the container registry has of these images."""
        return self.there.held(self.prefix)

    def forget(self) -> None:
        """Be another machine: the engine has none of them."""
        forget(self.engine, self.prefix)


@pytest.fixture
def shared(
    clone: Clone,
    engine: docker.DockerClient,
    container_registry: ContainerRegistry,  # noqa: F811
    tmp_path: Path,
) -> Iterator[Shared]:
    """A registry of few images whose prefix names the container registry."""
    registry = clone("régistry")
    others = [f"images/{name}" for name in (*STAGES, *NO_STAGES)]
    registry.sh(f"git rm -q -r {' '.join(others)}")
    prefix = f"{container_registry.host}/{re.sub('[^a-z0-9]+', '-', tmp_path.name.lower())}/images"
    text = (registry / "images.yaml").read_text()
    (registry / "images.yaml").write_text(text.replace(yaml.safe_load(text)["prefix"], prefix))
    one = Shared(registry, engine, container_registry, prefix)
    yield one
    one.forget()


def ids(one: Shared) -> dict[str, str]:
    """The engine's images, by what they are called here."""
    found = one.references().items()
    return {name: str(one.engine.images.get(each).id) for name, each in found}


def test_what_one_pushes_the_others_pull(shared: Shared) -> None:
    said, _ = shared.images("--push")
    assert said.count(": building ...") == len(shared.references()) == len(PARENTS)
    assert shared.pushed() == {*shared.references().values()}
    made = ids(shared)

    shared.forget()
    said, _ = shared.images()
    assert "building" not in said
    assert ids(shared) == made

    said, _ = shared.images("--push")  # once more, nothing is to be done
    assert "building" not in said
    assert ids(shared) == made


def test_who_pushes_takes_what_is_there_already(shared: Shared) -> None:
    """Else one name would stand for two images, and another tomorrow."""
    shared.images()
    own, reference = ids(shared), shared.references()["base"]
    container = shared.engine.containers.create(reference, "true")
    theirs = container.commit(*reference.rsplit(":", 1)).id
    container.remove()
    login = {"username": shared.there.user, "password": shared.there.password}
    assert "error" not in shared.engine.images.push(reference, auth_config=login)
    shared.forget()
    shared.images("--push")

    assert theirs != own["base"]
    assert ids(shared)["base"] == theirs
    assert shared.pushed() == {*shared.references().values()}


@pytest.mark.parametrize(
    "credentials",
    [
        {"CI_REGISTRY_PASSWORD": "guessed"},
        {"CI_REGISTRY_PASSWORD": ""},
        {"CI_REGISTRY": "registry.example.org"},
    ],
    ids=["a wrong password", "none", "another registry's"],
)
def test_who_is_not_let_in_is_told_so(shared: Shared, credentials: dict[str, str]) -> None:
    _, said = shared.images("--push", code=1, **credentials)

    *warnings, line = said.splitlines()
    assert [each.partition(": cannot be pulled: ")[0] for each in warnings] == [
        f"warning: {shared.references()['base']}"
    ]
    assert line.startswith(f"error: {shared.references()['base']}: cannot be pushed: ")
    assert "no basic auth credentials" in line or "unauthorized" in line
    assert line.endswith("; check CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD")
    assert shared.pushed() == set()


def test_credentials_do_not_stay(shared: Shared, tmp_path: Path) -> None:
    """On a machine that runs the jobs of other branches, too."""
    own = tmp_path / "docker"
    own.mkdir()
    (own / "config.json").write_text("{}")
    (tmp_path / "tmp").mkdir()
    tmp = str(tmp_path / "tmp")
    shared.images("--push", DOCKER_CONFIG=str(own), HOME=str(tmp_path), TMPDIR=tmp)

    assert shared.pushed()
    assert (own / "config.json").read_text() == "{}"
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not [path for path in tmp_path.rglob("*.json") if "auths" in path.read_text()]


def test_a_prefix_of_this_machine_is_pushed_nowhere(shared: Shared) -> None:
    file = shared.registry / "images.yaml"
    file.write_text(file.read_text().replace(shared.prefix, "localhost/data-registry"))
    said, _ = shared.images("--push")

    assert "images.yaml: the prefix localhost/data-registry names no container registry; " in said
    assert f"\n{shared.references()['annotations']}  " in said


def test_a_registry_without_images_of_its_own_pulls_those_it_names(shared: Shared) -> None:
    shared.images("--push")
    before = (shared.registry / "images.yaml").read_text()
    made = ids(shared)
    shared.forget()
    shared.registry.sh("git rm -q -r images && rm -rf images")
    said, _ = shared.images()

    assert ids(shared) == made
    assert (shared.registry / "images.yaml").read_text() == before
    assert "written" not in said

    wrong = before.replace("/base:", "/base:0")
    (shared.registry / "images.yaml").write_text(wrong)
    _, said = shared.images(code=1)
    text = "is not in the engine, and cannot be pulled; name one that can in images.yaml"
    assert said == f"error: {shared.references()['base']}: {text}\n"
