"""A Docker engine that is a stub, for what is asked of one."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.containers import builds, root_image
from registries import Registry

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>{0}/calls
case "$1" in
  image) for last; do :; done;
    if grep -qxF "$last" {0}/has; then echo 1000000; else
      echo "Error: No such image: $last" >&2
      exit 1
    fi ;;
  pull) [ -e {0}/pulls ] && echo "$3" >>{0}/has ;;
  build)
    [ "$DOCKER_BUILDKIT" = 0 ] && cat >{0}/context && [ ! -e {0}/fails ] || exit 1
    while [ "$1" != --tag ]; do shift; done
    echo "$2" >>{0}/has ;;
  import) echo "$3" >>{0}/has ;;
esac
"""
MMDEBSTRAP = """#!/bin/sh
printf 'mmdebstrap %s\\n' "$*" >>{0}/calls
for last; do :; done; echo >"$last"
"""


@dataclass(frozen=True)
class Engine:
    """A stub of an engine: what it has, and what it was told."""

    folder: Path

    def has(self, *references: str) -> None:
        (self.folder / "has").write_text("".join(f"{one}\n" for one in references))

    def calls(self, first: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(first)]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that has the root image, and nothing else of the host's settings."""
    folder = tmp_path / "stub"
    folder.mkdir()
    for name, text in ("docker", DOCKER), ("mmdebstrap", MMDEBSTRAP):
        (folder / name).write_text(text.format(folder))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in (*builds.BUNDLES, *builds.PASSED_ON):
        monkeypatch.delenv(name, raising=False)
    engine = Engine(folder)
    engine.has(root_image.MADE)
    (folder / "calls").touch()
    return engine


@pytest.fixture
def project(
    clone: Callable[[str], Registry], stub: Engine, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    """A copy of the project to break, and the current folder."""
    made = clone("project")
    monkeypatch.chdir(made.folder)
    return made
