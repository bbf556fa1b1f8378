"""A new export, brought by the documentation's own lines, leaves the old version as it was."""

import hashlib
import os
from pathlib import Path

import pytest

from documents import block
from registries import SAMPLE, Registry

OLD, NEW = b"the old export", b"the new export of an annotator"
PATH = "data/street/cvat-pascalvoc.zip"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with one export in DVC, and a newer one in the folder of downloads."""
    registry = Registry(tmp_path / "my régistry")
    (registry / "data/street").mkdir(parents=True)
    registry.sh("git init -q && dvc init -q")
    config = registry / ".dvc/config"
    config.write_text((SAMPLE / ".dvc/config").read_text())
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "Downloads/new-export.zip").write_bytes(NEW)
    return registry


def lines() -> str:
    """What docs/datasets.md tells people to type, without what talks to a server."""
    text = block("docs/datasets.md", "Bring a new export", 1)
    kept = [line for line in text.splitlines() if "push" not in line]
    assert len(kept) == 5  # with the shell's own first line
    return "\n".join(kept)


@pytest.mark.parametrize("links", ["", "hardlink", "symlink", "reflink,copy"])
def test_the_old_version_is_kept_whatever_links_the_cache_uses(
    registry: Registry, links: str
) -> None:
    if links:
        registry.sh(f"dvc config --local cache.type {links}")
    (registry / PATH).write_bytes(OLD)
    registry.sh(f"dvc add -q {PATH} && git add -A && git commit -q -m old")

    registry.sh(f"set -e\n{lines()}", HOME=str(registry.folder.parent))

    assert (registry / PATH).read_bytes() == NEW
    registry.sh("git checkout -q HEAD~1 && dvc checkout -q")
    assert (registry / PATH).read_bytes() == OLD
    for content in (OLD, NEW):
        name = hashlib.md5(content, usedforsecurity=False).hexdigest()
        kept = registry / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"
        assert kept.read_bytes() == content


def test_the_registrys_own_cache_shares_no_bytes_with_the_files(registry: Registry) -> None:
    (registry / PATH).write_bytes(OLD)
    registry.sh(f"dvc add -q {PATH}")
    os.chmod(registry / PATH, 0o644)  # noqa: PTH101
    (registry / PATH).write_bytes(NEW)

    name = hashlib.md5(OLD, usedforsecurity=False).hexdigest()
    assert (registry / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}").read_bytes() == OLD
