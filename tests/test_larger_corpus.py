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
OURS = {"README.md", "LICENSE", "bigbuckbunny_start.mp4"}
"""Names of files that tests/corpus alone has."""


def test_what_both_have_is_the_same() -> None:
    own = [path for path in corpora.OWN.rglob("*") if path.is_file() and path.name not in OURS]

    assert len(own) > 40
    for path in own:
        name = path.relative_to(corpora.OWN).as_posix()
        other = corpora.LARGER / name.replace("cvat-server/", "cvat/server/")
        assert path.read_bytes() == other.read_bytes(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_hostile_file_is_made(kind: str) -> None:
    assert {path.name for path in (HOSTILE / kind).iterdir()} == KINDS[kind].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files_are_made_to_the_byte(hostile_file: HostileFile, kind: str) -> None:
    """But for what ffmpeg encodes: the tests of movies read theirs, too."""
    for name in KINDS[kind].keys() - movies.ENCODED.keys():
        assert hostile_file(name).read_bytes() == (HOSTILE / kind / name).read_bytes(), name


def test_hostile_branches_are_made_to_the_commit(tmp_path: Path) -> None:
    command = [sys.executable, f"{HOSTILE}/gen.py", "--no-video", "--out", f"{tmp_path}/theirs"]
    subprocess.run([*command, "--branches", str(tmp_path)], check=True, capture_output=True)
    ours = branches.make(tmp_path / "ours")

    assert git(ours, "for-each-ref") == git(tmp_path / "registry.git", "for-each-ref")
