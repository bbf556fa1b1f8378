"""`remove` and `rename` change every file that names a dataset, and lose nothing of value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.datasets import remove, rename, split_stages
from pipelines.datasets.edits import Edit
from pipelines.errors import PipelineError
from registries import Registry

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]


def make_outputs(registry: Registry) -> None:
    """What the stages of street and of its split leave behind."""
    for path in ("street/frames.csv", "street/JPEGImages/frame_000000.PNG", "street/metrics.json"):
        (registry / "data" / path).parent.mkdir(exist_ok=True)
        (registry / "data" / path).write_text("made")
    merged = registry / "data/merged/training"
    (merged / "JPEGImages").mkdir(parents=True)
    (merged / "metrics.json").write_text("{}")
    link = merged / "JPEGImages/street__frame_000000.PNG"
    link.symlink_to("../../../street/JPEGImages/frame_000000.PNG")
    registry.sh("git add data && git commit -q -m 'What was made'")


def test_a_removed_dataset_is_named_nowhere(registry: Registry, tools: Tools) -> None:
    make_outputs(registry)
    done = tools(registry, "remove street")
    params = yaml.safe_load((registry / "params.yaml").read_text())

    assert [*params["datasets"]] == ["road", "park"]
    assert params["splits"]["training"]["datasets"] == []
    for name in ("dvc.yaml", "pictures/dvc.yaml", "params.yaml"):
        assert "street:" not in (registry / name).read_text().replace("`street", "")
        assert "data/street" not in (registry / name).read_text()
    assert not (registry / "data/street").exists()
    assert not (registry / "data/merged/training").exists()
    assert registry.sh("git ls-files data/street data/merged").stdout == ""
    assert "street: is no longer in the split training" in done.stdout
    split_stages.check(registry.folder)
    registry.sh("dvc status")


def test_old_versions_of_a_removed_dataset_come_back(registry: Registry, tools: Tools) -> None:
    tools(registry, "remove street")
    registry.sh("git commit -q -a -m 'Remove street' && git checkout -q HEAD~1")
    registry.sh("dvc checkout -q data/street/*.dvc")

    assert (registry / "data/street/movie.mp4").read_text() == "movie of street"


def test_a_dataset_that_is_not_on_this_disk_can_be_removed(
    registry: Registry, tools: Tools
) -> None:
    for path in ("movie.mp4", "annotations.xml"):
        (registry / "data/street" / path).unlink()
    tools(registry, "remove street")

    assert not (registry / "data/street").exists()


def add_a_note(registry: Registry) -> None:
    (registry / "data/street/notes.txt").write_text("mine")


def change_the_movie(registry: Registry) -> None:
    (registry / "data/street/movie.mp4").unlink()
    (registry / "data/street/movie.mp4").write_text("another one")


def lose_the_cache(registry: Registry) -> None:
    for path in (registry / ".dvc/cache/files/md5").glob("*/*"):
        path.unlink()


def change_the_export(registry: Registry) -> None:
    (registry / "data/road/annotations.xml").write_text("corrected by hand")


def stage_the_export(registry: Registry) -> None:
    change_the_export(registry)
    registry.sh("git add data/road/annotations.xml")


@pytest.mark.parametrize(
    ("spoil", "name", "lost"),
    [
        (add_a_note, "street", "data/street/notes.txt"),
        (change_the_movie, "street", "data/street/movie.mp4"),
        (lose_the_cache, "street", "data/street/annotations.xml, data/street/movie.mp4"),
        (change_the_export, "road", "data/road/annotations.xml"),
        (stage_the_export, "road", "data/road/annotations.xml"),
    ],
)
def test_what_nobody_else_has_is_not_removed(
    registry: Registry,
    tools: Tools,
    tree: Tree,
    spoil: Callable[[Registry], None],
    name: str,
    lost: str,
) -> None:
    spoil(registry)
    before = tree(registry.folder)
    done = tools(registry, f"remove {name}", 1)

    assert done.stderr.startswith(f"error: {lost}: is neither committed to git nor kept by DVC")
    assert tree(registry.folder) == before


@pytest.mark.parametrize("words", ["remove lake", "rename lake sea"])
def test_a_dataset_that_is_not_there_is_refused(
    registry: Registry, tools: Tools, tree: Tree, words: str
) -> None:
    before = tree(registry.folder)
    done = tools(registry, words, 1)

    assert "there is no dataset lake; there are: street, road, park" in done.stderr
    assert tree(registry.folder) == before


def test_a_renamed_dataset_is_another_one_nowhere(registry: Registry, tools: Tools) -> None:
    make_outputs(registry)
    hashes = (registry / "data/street/movie.mp4.dvc").read_bytes()
    tools(registry, "rename street avenue")
    params = yaml.safe_load((registry / "params.yaml").read_text())

    assert [*params["datasets"]] == ["avenue", "road", "park"]
    assert params["datasets"]["avenue"]["source"] == "data/avenue/movie.mp4"
    assert params["splits"]["training"]["datasets"] == ["avenue"]
    assert "data/street" not in (registry / "dvc.yaml").read_text()
    assert (registry / "data/avenue/movie.mp4.dvc").read_bytes() == hashes
    assert (registry / "data/avenue/JPEGImages/frame_000000.PNG").exists()
    assert not (registry / "data/street").exists()
    assert not (registry / "data/merged/training/JPEGImages").exists()
    moved = registry.sh("git diff --cached -M --name-status HEAD -- data").stdout.splitlines()
    assert len(moved) == 4
    assert all(line.startswith("R100\t") for line in moved)
    assert registry.sh("dvc status data/avenue/*.dvc").stdout.endswith("up to date.\n")
    split_stages.check(registry.folder)


def test_what_is_not_staged_is_not_staged_by_a_rename(registry: Registry, tools: Tools) -> None:
    change_the_export(registry)
    tools(registry, "rename road way")

    assert (registry / "data/way/annotations.xml").read_text() == "corrected by hand"
    assert " M data/way/annotations.xml" in registry.sh("git diff --name-status").stdout.replace(
        "M\t", " M "
    )


def test_stages_of_ones_own_that_name_the_old_folder_are_named(
    registry: Registry, tools: Tools
) -> None:
    path = registry / "dvc.yaml"
    path.write_text(path.read_text() + "  mine:\n    cmd: wc data/street/movie.mp4\n")
    done = tools(registry, "rename street avenue")

    assert "warning: dvc.yaml: still names data/street/ in stages of your own" in done.stderr


@pytest.mark.parametrize("name", ["road", "a.b", "merged", "a__b"])
def test_a_new_name_that_cannot_be_one_is_refused(
    registry: Registry, tools: Tools, tree: Tree, name: str
) -> None:
    before = tree(registry.folder)
    tools(registry, f"rename street {name}", 1)

    assert tree(registry.folder) == before


@pytest.mark.parametrize("step", ["put_away", "put_away_splits", "move", "write", "git"])
@pytest.mark.parametrize("command", ["remove", "rename"])
def test_what_fails_at_a_step_is_undone(
    registry: Registry,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    step: str,
) -> None:
    make_outputs(registry)
    before, real = tree(registry.folder), getattr(Edit, step)

    def fail(*args: object, **more: object) -> None:
        real(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(Edit, step, fail)
    work: Callable[[], None] = {
        "remove": lambda: remove.remove(registry.folder, "street"),
        "rename": lambda: rename.rename(registry.folder, "street", "avenue"),
    }[command]
    if (command, step) == ("remove", "move"):
        work()  # it has no such step
        return
    with pytest.raises(PipelineError, match="stopped before it was done"):
        work()

    assert tree(registry.folder) == before
