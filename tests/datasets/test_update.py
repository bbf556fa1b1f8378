"""`update` puts a new export in the place of the old one, whatever links the cache uses."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.datasets import update
from pipelines.datasets.edits import Edit
from pipelines.errors import PipelineError
from registries import Registry

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "new export.xml"
    path.write_text("a newer export")
    return path


def cached(registry: Registry) -> dict[str, str]:
    """The objects of DVC's cache, and what they hash to now."""
    paths = (registry / ".dvc/cache/files/md5").glob("*/*")
    return {
        f"{path.parent.name}{path.name}": hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
        for path in paths
    }


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_the_old_file_is_replaced_not_written_into(
    registry: Registry, stub: Path, export: Path, tools: Tools, link: str
) -> None:
    registry.sh(f"dvc config cache.type {link} && dvc checkout -q --relink data/*/*.dvc")
    tools(registry, f"update street '{export}'")
    said = yaml.safe_load((registry / "data/street/annotations.xml.dvc").read_text())

    assert (registry / "data/street/annotations.xml").read_text() == "a newer export"
    assert said["outs"][0]["md5"] == hashlib.md5(b"a newer export").hexdigest()  # noqa: S324
    assert all(name == digest for name, digest in cached(registry).items())
    assert len(cached(registry)) == 6
    assert registry.sh("git status --short -- data params.yaml").stdout == (
        " M data/street/annotations.xml.dvc\n"
    )


def test_an_export_that_git_keeps_stays_in_git(
    registry: Registry, stub: Path, export: Path, tools: Tools
) -> None:
    tools(registry, f"update road '{export}'")

    assert registry.sh("git status --short -- data").stdout == "M  data/road/annotations.xml\n"
    assert (registry / "data/road/annotations.xml").read_text() == "a newer export"


@pytest.mark.parametrize("name", ["street", "road"])
def test_an_export_of_another_kind_has_another_path(
    registry: Registry, stub: Path, export: Path, tools: Tools, name: str
) -> None:
    zipped = export.with_suffix(".zip")
    export.rename(zipped)
    done = tools(registry, f"update {name} '{zipped}'")
    entry = yaml.safe_load((registry / "params.yaml").read_text())["datasets"][name]
    files = {path.name for path in (registry / f"data/{name}").iterdir()}
    kept = {"annotations.zip.dvc"} if name == "street" else set()

    assert entry["export"] == f"data/{name}/annotations.zip"
    assert files == {"movie.mp4", "movie.mp4.dvc", ".gitignore", "annotations.zip", *kept}
    ignored = (registry / f"data/{name}/.gitignore").read_text().splitlines()
    assert ("/annotations.zip" in ignored) is (name == "street")
    assert "/annotations.xml" not in ignored
    assert f"data/{name}/annotations.zip: replaces data/{name}/annotations.xml" in done.stdout


def test_an_export_that_is_not_here_is_replaced_all_the_same(
    registry: Registry, stub: Path, export: Path, tools: Tools
) -> None:
    (registry / "data/street/annotations.xml").unlink()
    done = tools(registry, f"update street '{export}'")

    assert (registry / "data/street/annotations.xml").read_text() == "a newer export"
    assert "data/street/frames.csv: is not here, so names and sizes are not compared" in done.stderr


def test_what_the_dvc_file_says_besides_stays(
    registry: Registry, stub: Path, export: Path, tools: Tools
) -> None:
    path = registry / "data/street/annotations.xml.dvc"
    path.write_text(path.read_text() + "  desc: by the night shift\n")
    tools(registry, f"update street '{export}'")

    assert "desc: by the night shift" in path.read_text()


def refuse_all(registry: Registry) -> None:
    stub = registry.folder.parent / "stub/docker"
    text = (
        'case "$*" in *" --check"*) echo "error: data/street/x: is no export" >&2; exit 1; esac\n'
    )
    stub.write_text(stub.read_text().replace("exit 0\n", text))


def import_from_elsewhere(registry: Registry) -> None:
    path = registry / "data/street/annotations.xml.dvc"
    path.write_text(path.read_text() + "deps:\n- path: /srv/export.xml\n")


def nothing(registry: Registry) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "command", "expected"),
    [
        (nothing, "update lake {0}", "there is no dataset lake; there are: street, road, park"),
        (nothing, "update street none.xml", "none.xml: is not there"),
        (nothing, "update street data", "data: is no file"),
        (refuse_all, "update street {0}", "is no export"),
        (import_from_elsewhere, "update street {0}", "DVC imported it from elsewhere"),
    ],
)
def test_what_is_refused_changes_nothing(
    registry: Registry,
    stub: Path,
    export: Path,
    tools: Tools,
    tree: Tree,
    spoil: Callable[[Registry], None],
    command: str,
    expected: str,
) -> None:
    spoil(registry)
    before = tree(registry.folder)
    done = tools(registry, command.format(f"'{export}'"), 1)

    assert expected in done.stderr
    assert tree(registry.folder) == before


@pytest.mark.parametrize("name", ["street", "road"])
@pytest.mark.parametrize("step", ["dvc", "write", "git", "move"])
def test_what_fails_at_a_step_is_undone(
    registry: Registry,
    stub: Path,
    export: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    name: str,
) -> None:
    zipped = export.with_suffix(".zip")
    export.rename(zipped)
    before, real = tree(registry.folder), getattr(Edit, step)

    def fail(*args: object, **more: object) -> None:
        real(*args, **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Edit, step, fail)
    if (name, step) in {("street", "git"), ("road", "dvc")}:
        update.update(registry.folder, name, zipped)  # it has no such step
        return
    with pytest.raises(PipelineError, match="No space left"):
        update.update(registry.folder, name, zipped)

    assert tree(registry.folder) == before
