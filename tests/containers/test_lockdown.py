"""A stage's container can do nothing but its work, and each option of the run line is why.

Every check has its broken variant: without that very option, or with one more, it reports it.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

import image_folders
from registries import PROJECT, Registry

PROBE = (Path(__file__).parent / "probe.py").read_text("utf-8")
CANARY = "AccountKey=canary-secret"
IMAGES = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))
IMAGE = IMAGES["images"]["prepare-annotations"]
USER = '--user "$(id -u):$(id -g)" '
DATA = 'source="$PWD/data",target="$PWD/data"'
MOUNT = f"--mount type=bind,{DATA}"
VOLUME = '--volume "$PWD/data":"$PWD/data"'
MORE = "$DOCKER_OPTIONS"

every_stage = pytest.mark.parametrize(
    "stage", [name for name in IMAGES["images"] if name not in image_folders.PARENTS]
)


def changed(old: str = "", new: str = "") -> str:
    """The run line, with the one place where it says old changed to new."""
    line = str(IMAGES["run"])
    assert not old or line.count(old) == 1, f"images.yaml: run has no, or more than one, {old}"
    return line.replace(old, new) if old else line


@pytest.fixture
def registry(bare: Registry) -> Registry:
    """A registry with what a stage must not see."""
    for path in ".git/config", ".dvc/config.local", "dvc.yaml", "pipelines/publishing/publish.py":
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        (bare / path).write_text(CANARY)
    return bare


def probed(registry: Registry, line: str, image: str = IMAGE) -> set[str]:
    """What the probe finds in a container."""
    folder = shlex.quote(str(registry.folder))
    probe = f"-c {shlex.quote(PROBE)} {os.getuid()} {os.getgid()} {folder}"
    done = registry.sh(
        f"{line} --entrypoint python3 {image} {probe}",
        AZURE_STORAGE_CONNECTION_STRING=CANARY,
        DOCKER_OPTIONS="",
    )
    return {problem.partition(":")[0] for problem in done.stdout.splitlines()}


@every_stage
def test_a_stage_can_do_nothing_but_its_work(registry: Registry, stage: str, engine: Any) -> None:
    assert probed(registry, changed(), IMAGES["images"][stage]) == set()


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        (USER, "", "user"),
        ("--network none", "", "network"),
        ("--read-only", "", "writable"),
        ("--tmpfs /tmp:size=256m", "", "scratch"),
        (":size=256m", "", "scratch"),
        (",readonly", "", "parameters"),
        (DATA, DATA.replace("/data", ""), "tree mounts"),
        ('--workdir "$PWD"', "", "workdir"),
        (MORE, "--env AZURE_STORAGE_CONNECTION_STRING", "secrets"),
        (MORE, '--env OTHER="$AZURE_STORAGE_CONNECTION_STRING"', "secrets"),
        (MORE, '--volume "$PWD/.git":/mnt:ro', "mounts"),
        ("--cap-drop ALL", "", "capabilities"),
        ("--security-opt no-new-privileges", "", "privileges"),
        (MORE, "--security-opt seccomp=unconfined", "seccomp"),
        ("--init", "", "init"),
        ("--memory 2g", "", "memory"),
        ("--pids-limit 256", "", "processes"),
    ],
)
def test_each_option_keeps_a_stage_from_one_thing(
    registry: Registry, old: str, new: str, reported: str, engine: Any
) -> None:
    assert probed(registry, changed(old, new)) == set(reported.split())


def settings(container: Any, folder: Path) -> Iterator[str]:
    """The settings of a container that are not those of a stage."""
    config, host = container.attrs["Config"], container.attrs["HostConfig"]
    data, parameters = str(folder / "data"), str(folder / "params.yaml")
    mounts = {(m["Source"], m["Destination"], m["RW"]) for m in container.attrs["Mounts"]}
    names = {word.partition("=")[0] for word in config["Env"]}
    names -= {name for name in names if name.upper().endswith("_PROXY")}  # set by the client
    stage = {
        "user": config["User"] == f"{os.getuid()}:{os.getgid()}",
        "network": host["NetworkMode"] == "none",
        "read-only": host["ReadonlyRootfs"] is True,
        "tmpfs": host["Tmpfs"] == {"/tmp": "size=256m"},  # noqa: S108
        "mounts": mounts == {(data, data, True), (parameters, parameters, False)},
        "workdir": config["WorkingDir"] == str(folder),
        "env": names
        == {"PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LANG", "IMAGE_REFERENCE"},
        "secret": CANARY not in str(container.attrs),
        "capabilities": host["CapDrop"] == ["ALL"] and not host["CapAdd"],
        "privileges": host["SecurityOpt"] == ["no-new-privileges"] and not host["Privileged"],
        "devices": not host["Devices"] and not host["DeviceRequests"],
        "host": "host" not in (host["PidMode"], host["UTSMode"], host["IpcMode"]),
        "init": host.get("Init") is True,
        "memory": host["Memory"] == 2 << 30,
        "processes": host["PidsLimit"] == 256,
        "removed": host["AutoRemove"] is True,
        "label": config["Labels"].get("data-registry") == str(folder),
    }
    return (name for name, right in stage.items() if not right)


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("", "", ""),
        (USER, "", "user"),
        ("--network none", "--network host", "network"),
        ("--read-only", "", "read-only"),
        (":size=256m", "", "tmpfs"),
        (",readonly", "", "mounts"),
        (MORE, "--volume /var/run/docker.sock:/run/docker.sock", "mounts"),
        ('--workdir "$PWD"', "", "workdir"),
        (MORE, "--env AZURE_STORAGE_CONNECTION_STRING", "env secret"),
        (MORE, '--label note="$AZURE_STORAGE_CONNECTION_STRING"', "secret"),
        ("--cap-drop ALL", "", "capabilities"),
        (MORE, "--cap-add SYS_ADMIN", "capabilities"),
        ("--security-opt no-new-privileges", "", "privileges"),
        (MORE, "--privileged", "privileges"),
        (MORE, "--device /dev/null:/dev/other", "devices"),
        (MORE, "--uts host", "host"),
        ("--init", "", "init"),
        ("--memory 2g", "", "memory"),
        ("--pids-limit 256", "", "processes"),
        ("--rm", "", "removed"),
        ('--label data-registry="$PWD"', "", "label"),
    ],
)
def test_the_engine_knows_each_option(
    registry: Registry, engine: docker.DockerClient, old: str, new: str, reported: str
) -> None:
    create = changed(old, new).replace("docker run", "docker create")
    created = registry.sh(
        f"{create} {IMAGE}", AZURE_STORAGE_CONNECTION_STRING=CANARY, DOCKER_OPTIONS=""
    )
    container = engine.containers.get(created.stdout.strip())
    container.remove()

    assert set(settings(container, registry.folder)) == set(reported.split())


@pytest.mark.parametrize(("rm", "left"), [("--rm", 0), ("", 1)])
def test_nothing_is_left_of_a_container(
    registry: Registry, engine: docker.DockerClient, rm: str, left: int
) -> None:
    registry.sh(f"{changed('--rm', rm)} {IMAGE} --version", DOCKER_OPTIONS="")

    containers = engine.containers.list(all=True, filters=label(registry))
    for container in containers:
        container.remove()

    assert len(containers) == left


@pytest.mark.parametrize(("option", "found"), [('--label data-registry="$PWD"', True), ("", False)])
def test_a_running_container_is_found_by_its_registry(
    registry: Registry, engine: docker.DockerClient, option: str, found: bool
) -> None:
    line = changed('--label data-registry="$PWD"', option)
    started = registry.sh(f"{line} --entrypoint sleep {IMAGE} 60", DOCKER_OPTIONS="--detach")
    container = engine.containers.get(started.stdout.strip())
    containers = engine.containers.list(filters=label(registry))
    container.remove(force=True)

    assert (container in containers) is found


def label(registry: Registry) -> dict[str, Any]:
    """What finds the containers that work for a registry."""
    return {"label": f"data-registry={registry.folder}"}


@pytest.mark.parametrize(("never", "pulled"), [("--pull never", False), ("", True)])
@pytest.mark.parametrize(
    "image", ["127.0.0.1:9/nobody/prepare-annotations:0123456789ab", IMAGE.rpartition(":")[0]]
)
def test_an_image_that_is_not_there_is_named_not_fetched(
    registry: Registry, never: str, pulled: bool, image: str, engine: Any
) -> None:
    done = registry.sh(f"{changed('--pull never', never)} {image} --version", False)

    assert done.returncode == 125
    assert done.stdout == ""
    assert image in done.stderr
    assert ("Unable to find image" in done.stderr) is pulled


@pytest.mark.parametrize(("old", "new", "made"), [("", "", False), (MOUNT, VOLUME, True)])
def test_a_folder_that_is_not_there_is_not_made(
    registry: Registry, engine: Any, old: str, new: str, made: bool
) -> None:
    (registry / "data").rmdir()
    done = registry.sh(f"{changed(old, new)} {IMAGE} --version", False)

    assert (done.returncode == 0) is made
    assert (registry / "data").exists() is made
    assert made or f"{registry.folder}/data" in done.stderr
