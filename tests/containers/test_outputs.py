"""What stages write belongs to their caller, and runs at the same time do not meet."""

import os
import shlex
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from registries import PATH, PROJECT, SAMPLE, Registry

IMAGES = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))
CALLERS = [os.geteuid()] if os.geteuid() else [0, 2345]
"""Root can be anybody, everybody else only themselves."""

STAGES = {
    "video-to-frame": "--source data/movie3/movie.mp4 --destination data/movie3/JPEGImages "
    "--index data/movie3/frames.csv",
    "prepare-annotations": "--parameters params.yaml --root data/movie3 "
    "--source data/movie3/annotations.zip --destination data/movie3/Annotations "
    "--export-imagesets --metrics data/movie3/metrics.json",
    "merge-annotations": "--source data/movie3 --destination data/merged/new "
    "--metrics data/merged/new/metrics.json",
}
OUTPUTS = {"movie3/JPEGImages", "movie3/frames.csv", "movie3/Annotations", "movie3/ImageSets"}
OUTPUTS |= {"movie3/labelmap.txt", "movie3/metrics.json", "merged", "merged/new"}
OUTPUTS |= {f"merged/new/{name}" for name in ("Annotations", "ImageSets", "JPEGImages")}
OUTPUTS |= {f"merged/new/{name}" for name in ("labelmap.txt", "merge.csv", "metrics.json")}


def filled(folder: Path, uid: int) -> Registry:
    """A user's registry with one dataset."""
    (folder / "data/movie3").mkdir(parents=True)
    shutil.copy(SAMPLE / "params.yaml", folder)
    for name in "movie.mp4", "annotations.zip":
        shutil.copy(SAMPLE / "data/movie3" / name, folder / "data/movie3")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid if os.geteuid() == 0 else -1)
    return Registry(folder)


def sh(registry: Registry, command: str, uid: int, options: str = "") -> str:
    """Run a command as a user who may use the engine; return its exit code and what it said."""
    other = uid != os.geteuid()
    socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").split("://")[1])
    groups: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": [socket.stat().st_gid]}
    home, env = str(registry.folder), {"PATH": PATH, "DOCKER_OPTIONS": options}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=registry.folder,
        env={**os.environ, **env, "PWD": home, **({"HOME": home} if other else {})},
        **(groups if other else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    return "done" if done.returncode == 0 else f"{done.returncode}: {done.stderr}"


def run(
    registry: Registry, uid: int, umask: str = "022", inside: str = "", options: str = ""
) -> str:
    """Run every stage as a user; inside: what to do in the container before it."""
    for stage, arguments in STAGES.items():
        work = f"{IMAGES['images'][stage]} {arguments}"
        if inside:
            words = f"{inside}; exec {stage} {arguments}"
            work = f"--entrypoint sh {IMAGES['images'][stage]} -c {shlex.quote(words)}"
        ended = sh(registry, f"umask {umask}; {IMAGES['run']} {work}", uid, options)
        if ended != "done":
            return ended
    return "done"


def kinds(registry: Registry) -> set[tuple[int, str]]:
    """Whose the outputs are, and what can be done with them."""
    made = [registry / "data" / name for name in OUTPUTS]
    found = [path.lstat() for each in made for path in (each, *each.rglob("*"))]
    return {(one.st_uid, stat.filemode(one.st_mode)) for one in found}


@pytest.mark.parametrize("umask", ["000", "077"])
@pytest.mark.parametrize("uid", CALLERS)
def test_outputs_are_the_callers(tmp_path: Path, uid: int, umask: str, engine: Any) -> None:
    registry = filled(tmp_path / "my régistry", uid)
    ended = run(registry, uid, umask)
    found = kinds(registry)
    removed = sh(registry, "rm -r data/merged data/movie3", uid)

    assert ended == removed == "done"
    assert found == {(uid, "drwxr-xr-x"), (uid, "-rw-r--r--"), (uid, "lrwxrwxrwx")}


def test_a_umask_inside_would_show(tmp_path: Path, engine: Any) -> None:
    """The broken variant of the above."""
    registry = filled(tmp_path / "my régistry", os.geteuid())
    ended = run(registry, os.geteuid(), inside="umask 077")

    assert ended == "done"
    assert {mode for _, mode in kinds(registry)} == {"drwx------", "-rw-------", "lrwxrwxrwx"}


def content(registry: Registry) -> dict[str, bytes]:
    """All files of a registry."""
    paths = (path for path in registry.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(registry.folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(("options", "clashes"), [("", False), ("--name my-stage", True)])
def test_runs_at_the_same_time_are_both_right(
    tmp_path: Path, engine: Any, options: str, clashes: bool
) -> None:
    alone, *both = (filled(tmp_path / name / "one", os.geteuid()) for name in ("a", "b", "c"))
    run(alone, os.geteuid())
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda registry: run(registry, os.geteuid(), options=options), both))

    assert (ended != ["done", "done"]) is clashes
    assert ([content(registry) for registry in both] != [content(alone)] * 2) is clashes
    assert {path.name for path in alone.folder.glob("data/merged/new/*")} >= {
        "JPEGImages",
        "merge.csv",
    }
