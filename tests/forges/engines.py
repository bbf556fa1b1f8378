"""The forges' own engines, run on this machine: act for GitHub, gitlab-ci-local for GitLab.

Of environments gitlab-ci-local knows the variables' scope, act nothing; neither knows protected
variables, masking or one-at-a-time: tests/README.md lists what is left for a real forge to show.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines.containers import builds
from publishing.worlds import World
from registries import GIT, PATH, PROJECT, Registry
from services.azurite import NODE
from services.gitserver import git

ACT = Path(sys.executable).parent / "act"
LOCAL = PROJECT / ".venv/services/node_modules/.bin/gitlab-ci-local"
CHECK = ".github/workflows/check.yml"
PUBLISH = ".github/workflows/publish.yml"
TEST = ".github/workflows/test.yml"
IMAGES = ".github/workflows/images.yml"
INJECTING = "cvat_12_$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned"
"""A branch's name that a shell must never read as more than a word."""

CI_FILES = (".github", ".gitlab-ci.yml", "pipelines/gitlab")
BUILDS = Path("/builds/fallback.group/fallback.project")
"""Where gitlab-ci-local has a clone in containers, if it does not know the forge by its URL."""

RUNNER = f"""#!/bin/sh
# docker for a runner; with SHARED its build folder is the engine's: volumes = ["/builds:/builds"]
if [ "$SHARED $1 $2" = "yes volume create" ] && [ "${{3%-build}}" != "$3" ]; then
  mkdir -p {BUILDS}
  find {BUILDS} -mindepth 1 -delete
  exec docker volume create --opt type=none --opt o=bind --opt device={BUILDS} "$3"
fi
exec docker "$@"
"""

HELPER = "localhost/data-registry-tests/helper"
"""The image by which gitlab-ci-local copies files: Debian with rsync."""

LATER = 4_000_000_000
"""A time after all files were made."""


@dataclass(frozen=True)
class Ran:
    """How a pipeline ended, and what it said."""

    code: int
    said: str


def with_ci_files(registry: Registry) -> None:
    """Give a registry the project's own files for both forges."""
    for path in CI_FILES:
        if (PROJECT / path).is_dir():
            shutil.copytree(PROJECT / path, registry / path, dirs_exist_ok=True)
        else:
            shutil.copy2(PROJECT / path, registry / path)


def checkout(world: World, name: str, ref: str = "") -> Registry:
    """Make the clone that a runner gets of a branch, the default one if none is named.

    Its .venv has the project's packages, and is up to date for `make`, which so installs nothing.
    """
    folder = world.folder / name
    branch = ref or world.branch
    git(world.folder, "clone", "-q", "--branch", branch, world.bare.file_url, folder.name)
    (folder / ".venv").mkdir()
    for path in ("bin", "lib", "lib64", "pyvenv.cfg"):
        (folder / ".venv" / path).symlink_to(PROJECT / ".venv" / path)
    made = world.folder / "made"
    made.touch()
    os.utime(made, (LATER, LATER))
    (folder / ".venv/run").symlink_to(made)
    return Registry(folder)


def branch_with(world: World, name: str, files: Mapping[str, str]) -> str:
    """Push a branch that writes files, as somebody who has CVAT's key can; return its name."""
    folder = world.folder / f"hostile {name}"
    git(world.folder, "clone", "-q", world.bare.file_url, folder.name)
    for path, text in files.items():
        (folder / path).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "CVAT Annotation updated")
    git(folder, "push", "-q", "--force", "origin", f"HEAD:refs/heads/{name}")
    return name


def github(
    clone: Registry,
    event: str,
    workflow: str,
    *words: str,
    payload: Mapping[str, object],
    secrets: Mapping[str, str] | None = None,
) -> Ran:
    """Run a workflow as GitHub would for an event; secrets: what GitHub gives to it.

    act works in a folder with no blank in its path, which it cannot quote.
    """
    folder = clone.folder.parents[1] / f"act-{clone.folder.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "event.json").write_text(json.dumps(payload))
    (folder / "secrets").write_text("".join(f"{k}={v}\n" for k, v in (secrets or {}).items()))
    command: list[str | Path] = [
        *(ACT, event, "--workflows", workflow, "--platform", "ubuntu-latest=-self-hosted"),
        *("--eventpath", folder / "event.json", "--secret-file", folder / "secrets"),
        *("--use-gitignore=false", "--pull=false", *words),
    ]
    env = environment(XDG_CACHE_HOME=str(folder))
    done = subprocess.run(
        command, cwd=clone.folder, env=env, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, f"{done.stdout}\n{done.stderr}")


def gitlab(clone: Registry, *words: str, **variables: str) -> Ran:
    """Run jobs as GitLab would in a shell; variables: what GitLab gives to them."""
    return _gitlab(clone, ("--force-shell-executor", "--no-shell-isolation", *words), variables)


def gitlab_in_containers(
    world: World, clone: Registry, job: str, runner_env: Mapping[str, str], **variables: str
) -> Ran:
    """Run a job as GitLab would in a container that has the engine's socket.

    runner_env: SHARED=yes if the engine has the job's build folder, too; what docker needs.
    """
    runner = world.folder.parent / "runner-docker"  # gitlab-ci-local quotes no blanks
    runner.write_text(RUNNER)
    runner.chmod(0o755)
    bundle = Path(os.environ.get("PIP_CERT", builds.BUNDLE)).resolve()
    shared = ["/var/run/docker.sock:/var/run/docker.sock", f"{bundle}:/bundle.pem:ro"]
    server = world.bare.folder.parents[2]  # whose path has no blank
    shared += [f"{server}:{server}"]
    words: list[str | Path] = [
        *("--container-executable", runner, "--pull-policy", "if-not-present"),
        *("--helper-image", HELPER, "--network", "host"),
        *(f"--volume={each}" for each in shared),
    ]
    known = {name: os.environ[name] for name in builds.PASSED_ON if os.environ.get(name)}
    given = {**known, "PIP_CERT": "/bundle.pem", **variables}
    return _gitlab(clone, (*words, job), given, **runner_env)


def _gitlab(
    clone: Registry, words: Sequence[str | Path], variables: Mapping[str, str], **more: str
) -> Ran:
    given = {"GITLAB_CI": "true", **variables}
    words = (*words, "--ignore-predefined-vars", ",".join(given))
    words = (*words, *(f"--variable={name}={value}" for name, value in given.items()))
    command: list[str | Path] = [LOCAL, *words]
    env = environment(PATH=f"{NODE.parent}:{PATH}", **more)
    done = subprocess.run(
        command, cwd=clone.folder, env=env, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, f"{done.stdout}\n{done.stderr}")


def environment(**more: str) -> dict[str, str]:
    """The environment of a runner: this one's, with no secret and no forge in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AZURE_", "CI_", "GITHUB_", "GITLAB_"))
    }
    return {**kept, **GIT, "PATH": PATH, **more}


def pushed(world: World, ref: str) -> dict[str, object]:
    """What GitHub says of a push."""
    repository = {
        "default_branch": world.branch,
        "full_name": "owner/registry",
        "name": "registry",
        "owner": {"login": "owner"},
    }
    return {"ref": f"refs/heads/{ref}", "repository": repository}


def references(world: World) -> dict[str, str]:
    """The images that the default branch names."""
    found: dict[str, str] = yaml.safe_load(world.file("images.yaml"))["images"]
    return found


def with_other_data(world: World) -> str:
    """The dvc.lock of the default branch, with the hash of an output that nobody has."""
    text = world.file("dvc.lock").decode()
    head, outs, tail = text.partition("    - path: data/movie2/Annotations\n      hash: md5\n")
    assert outs
    return head + outs + re.sub(r"[0-9a-f]{32}", "0123456789abcdef" * 2, tail, count=1)
