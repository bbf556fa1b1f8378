"""Whatever state a registry is in, `check`, `status` and `doctor` say what is wrong with it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from publishing import worlds
from registries import PROJECT, Registry

OURS = {"PYTHONPATH": str(PROJECT), "PYTHONSAFEPATH": "1"}
"""Variables with which the tools of the project are run, whatever the clone has of them."""

KNOWN = re.compile(r"error: |warning: |fetch |look up |  ")
"""How lines of standard error begin."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a folder as its remote, never published, and the server of its clone."""
    folder = tmp_path_factory.mktemp("states")
    seed = worlds.seed(folder / "seed")
    (folder / "store").mkdir()
    worlds.with_remote(seed, str(folder / "store"))
    seed.sh("git add -A && git commit -q -m 'a registry'")
    seed.sh(f"git init -q --bare -b main '{folder}/server.git'")
    seed.sh(f"git push -q '{folder}/server.git' HEAD:refs/heads/main")
    return folder


def with_file(path: str, content: str) -> Callable[[Registry], object]:
    """Return the function that writes a file."""
    return lambda clone: (clone / path).write_text(content)


def with_command(command: str) -> Callable[[Registry], object]:
    """Return the function that runs a shell command."""
    return lambda clone: clone.sh(command)


STATES: dict[str, Callable[[Registry], object]] = {
    "as it is": with_command("true"),
    "no data": with_command("git rm -q -r data && rm -rf data"),
    "no remote": with_command("dvc remote remove storage"),
    "a remote that is not there": with_command("dvc remote modify storage url /nowhere/at/all"),
    "a remote of s3": with_command("dvc remote modify storage url s3://bucket/x"),
    "a remote of ssh": with_command("dvc remote modify storage url ssh://host/x"),
    "a dvc.lock that is none": with_file("dvc.lock", "- 1\n"),
    "no params.yaml": with_command("git rm -q params.yaml"),
    "an empty params.yaml": with_file("params.yaml", ""),
    "no dvc.yaml": with_command("git rm -q dvc.yaml"),
    "a dvc.yaml that is no YAML": with_file("dvc.yaml", "a: [\n"),
    "no images.yaml": with_command("git rm -q images.yaml"),
    "no .dvc": with_command("git rm -q -r .dvc && rm -rf .dvc"),
    "a .dvc/config that is none": with_file(".dvc/config", "[core\n"),
    "no origin": with_command("git remote remove origin"),
    "no commit": with_command("git checkout -q --orphan other"),
    "no git": with_command("rm -rf .git"),
}


@pytest.mark.parametrize("state", STATES)
def test_no_state_ends_in_a_traceback(registry: Path, tmp_path: Path, state: str) -> None:
    """Each is pushed, where that is possible, so that it is the default branch's state, too."""
    shutil.copytree(registry / "server.git", tmp_path / "server.git")
    clone = Registry(tmp_path / "clone")
    Registry(tmp_path).sh("git clone -q server.git clone")
    STATES[state](clone)
    clone.sh("git add -A && git commit -q -m x && git push -q", check=False)

    for command in ("check", "status --timeout 60", "doctor"):
        done = clone.sh(f"python -m pipelines {command}", False, None, **OURS)

        said = f"{command}: {done.stdout}\n{done.stderr}"
        assert done.returncode in (0, 1, 3), said
        assert "Traceback" not in said
        assert (done.returncode != 0) == bool(worlds.errors(done.stderr)), said
        assert {line for line in done.stderr.splitlines() if not KNOWN.match(line)} == set(), said
