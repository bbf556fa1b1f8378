"""The larger corpus and what stands for it in the repository are the same; it alone is read here.

Where it is not, this file is not collected.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import corpora
from hostile import branches, movies
from hostile.files import KINDS, HostileFile
from services.gitserver import git

HOSTILE = corpora.LARGER / "hostile"
SAME_BYTES = sorted(name for kind in KINDS.values() for name in kind.keys() - movies.ENCODED.keys())
OURS = {"README.md", "LICENSE", "bigbuckbunny_start.mp4"}
"""Names of files that tests/corpus alone has."""


def test_what_both_have_is_the_same() -> None:
    own = [path for path in corpora.OWN.rglob("*") if path.is_file() and path.name not in OURS]

    assert len(own) > 40
    for path in own:
        other = corpora.LARGER / path.relative_to(corpora.OWN)
        assert path.read_bytes() == other.read_bytes(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_hostile_file_is_made(kind: str) -> None:
    assert {path.name for path in (HOSTILE / kind).iterdir()} == KINDS[kind].keys()


@pytest.mark.parametrize("name", SAME_BYTES)
def test_a_hostile_file_is_made_to_the_byte(hostile_file: HostileFile, name: str) -> None:
    [theirs] = HOSTILE.rglob(name)

    assert hostile_file(name).read_bytes() == theirs.read_bytes()


def test_hostile_branches_are_made_to_the_commit(tmp_path: Path) -> None:
    command = [sys.executable, HOSTILE / "gen.py", "--no-video", "--out", tmp_path / "theirs"]
    subprocess.run([*command, "--branches", tmp_path], check=True, capture_output=True)
    ours = branches.make(tmp_path / "ours")

    assert git(ours, "for-each-ref") == git(tmp_path / "registry.git", "for-each-ref")
