"""`add` brings in a dataset whole, or changes nothing. What stages say: test_stages.py."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.datasets import add, edits, split_stages
from pipelines.datasets.edits import Edit
from pipelines.errors import PipelineError
from registries import GIT, PATH, PROJECT, Registry

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]
Files = tuple[Path, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A movie and an export, in a folder of somebody's; the stub of an engine takes them."""
    folder = tmp_path / "my dównloads"
    folder.mkdir()
    (folder / "a movie.MP4").write_bytes(b"movie" * 20_000)
    (folder / "export.zip").write_bytes(b"export")
    return folder / "a movie.MP4", folder / "export.zip"


def words(files: Files, name: str = "lake", more: str = "--split training") -> str:
    return f"add {name} --movie '{files[0]}' --export '{files[1]}' {more}"


def test_a_dataset_is_in_every_file_that_must_name_it(
    registry: Registry, stub: Path, files: Files, tools: Tools
) -> None:
    done = tools(registry, words(files))
    params = yaml.safe_load((registry / "params.yaml").read_text())
    pipeline = yaml.safe_load((registry / "dvc.yaml").read_text())["stages"]
    pictures = yaml.safe_load((registry / "pictures/dvc.yaml").read_text())["stages"]

    assert params["datasets"]["lake"] == {
        "source": "data/lake/movie.MP4",
        "export": "data/lake/annotations.zip",
    }
    assert params["splits"]["training"]["datasets"] == ["street", "lake"]
    assert "data/lake/labelmap.txt" in pipeline["merge-annotations-training"]["deps"]
    assert "data/lake/JPEGImages" in pictures["link-pictures-training"]["deps"]
    assert "lake: added, in the split training" in done.stdout
    assert "git add data/lake params.yaml" in done.stdout
    assert files[0].exists()
    assert not [*registry.folder.glob("data/.partial-*")]
    assert (
        registry.sh("dvc status data/lake/*.dvc").stdout == "Data and pipelines are up to date.\n"
    )
    assert sorted(os.listdir(registry / "data/lake")) == [  # noqa: PTH208
        *(".gitignore", "annotations.zip", "annotations.zip.dvc"),
        *("movie.MP4", "movie.MP4.dvc"),
    ]


def test_an_export_that_a_branch_of_cvat_brings_is_kept_by_git(
    registry: Registry, stub: Path, files: Files, tools: Tools
) -> None:
    tools(registry, words(files, more="--cvat-task 7"))
    entry = yaml.safe_load((registry / "params.yaml").read_text())["datasets"]["lake"]

    assert entry["cvat-task"] == 7
    assert registry.sh("git ls-files data/lake").stdout == "data/lake/annotations.zip\n"
    assert not (registry / "data/lake/annotations.zip.dvc").exists()
    assert (registry / "data/lake/movie.MP4.dvc").exists()


def test_files_that_are_moved_are_gone(
    registry: Registry, stub: Path, files: Files, tools: Tools
) -> None:
    tools(registry, words(files, more="--move"))

    assert not any(path.exists() for path in files)
    assert (registry / "data/lake/movie.MP4").read_bytes() == b"movie" * 20_000


def test_without_a_split_the_pipeline_stays_and_that_is_said(
    registry: Registry, stub: Path, files: Files, tools: Tools
) -> None:
    before = (registry / "dvc.yaml").read_bytes()
    done = tools(registry, words(files, more=""))

    assert (registry / "dvc.yaml").read_bytes() == before
    assert "in no split yet" in done.stdout


def test_what_is_uncommitted_in_params_yaml_stays(
    registry: Registry, stub: Path, files: Files, tools: Tools
) -> None:
    text = (registry / "params.yaml").read_text("utf-8") + "# a note of mine\n"
    (registry / "params.yaml").write_text(text, "utf-8")
    tools(registry, words(files))
    now = (registry / "params.yaml").read_text("utf-8")

    assert now.endswith("# a note of mine\n")
    assert "  lake:\n" in now


NAMES = ["a.b", "'a b'", "merged", "a__b", "-a", "_a", "a-", "''", "../x", "12", "1e5", "no", "ä"]
NAMES += ["a" * 101]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_one_changes_nothing(
    registry: Registry, stub: Path, files: Files, tools: Tools, tree: Tree, name: str
) -> None:
    before = tree(registry.folder)
    command = f"add --movie '{files[0]}' --export '{files[1]}' -- {name}"
    done = tools(registry, command, 1)

    assert "cannot be a dataset's name" in done.stderr or "a dataset's name has" in done.stderr
    assert tree(registry.folder) == before


def break_yaml(registry: Registry) -> None:
    (registry / "params.yaml").write_text("datasets: {a: [}\n")


def make_read_only(registry: Registry) -> None:
    (registry / "params.yaml").chmod(0o444)


def make_pipeline_read_only(registry: Registry) -> None:
    (registry / "dvc.yaml").chmod(0o444)


def lose_the_end_of_the_splits(registry: Registry) -> None:
    text = (registry / "dvc.yaml").read_text("utf-8")
    (registry / "dvc.yaml").write_text(text.replace(split_stages.END, ""), "utf-8")


def use_an_alias(registry: Registry) -> None:
    text = (registry / "params.yaml").read_text("utf-8")
    text = text.replace("datasets: [street]", "datasets: &a [street]")
    text = text.replace("datasets: [road]", "datasets: *a")
    (registry / "params.yaml").write_text(text, "utf-8")


def lose_dvc(registry: Registry) -> None:
    (registry / ".dvc/config").unlink()
    (registry / ".dvc").rename(registry / "dvc")


def take_the_folder(registry: Registry) -> None:
    (registry / "data/lake").mkdir()


def nothing(registry: Registry) -> None:
    pass


BAD: dict[str, tuple[Callable[[Registry], None], str, str]] = {
    "a name that exists": (nothing, "add park --movie {0} --export {1}", "there is a dataset park"),
    "a folder that exists": (take_the_folder, "add lake --movie {0} --export {1}", "is there alr"),
    "no such split": (
        nothing,
        "add lake --movie {0} --export {1} --split x",
        "there is no split x",
    ),
    "no movie": (nothing, "add lake --movie none --export {1}", "none: is not there"),
    "a folder as export": (nothing, "add lake --movie {0} --export data", "data: is no file"),
    "one file as both": (nothing, "add lake --movie {0} --export {0}", "as movie and as export"),
    "a movie of another split": (
        nothing,
        "add lake --movie data/street/movie.mp4 --export {1} --split validation",
        "is the movie of street, which is in the split training",
    ),
    "a task of another dataset": (
        nothing,
        "add lake --movie {0} --export {1} --cvat-task 12",
        "cvat-task: must be the number of a task that no other dataset has",
    ),
    "broken YAML": (break_yaml, "add lake --movie {0} --export {1}", "is no plain YAML"),
    "read-only": (make_read_only, "add lake --movie {0} --export {1}", "params.yaml: is read-only"),
    "a read-only pipeline": (
        make_pipeline_read_only,
        "add lake --movie {0} --export {1} --split training",
        "dvc.yaml: is read-only",
    ),
    "a pipeline that is damaged": (
        lose_the_end_of_the_splits,
        "add lake --movie {0} --export {1} --split training",
        "dvc.yaml: must have one line",
    ),
    "an alias": (
        use_an_alias,
        "add lake --movie {0} --export {1} --split training",
        "edit it by hand",
    ),
    "no DVC": (lose_dvc, "add lake --movie {0} --export {1}", "dvc add: "),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_changes_nothing(
    registry: Registry, stub: Path, files: Files, tools: Tools, tree: Tree, case: str
) -> None:
    spoil, command, expected = BAD[case]
    spoil(registry)
    before, own = tree(registry.folder), tree(files[0].parent)
    done = tools(registry, command.format(*(f"'{path}'" for path in files)) + " --move", 1)

    assert expected in done.stderr
    assert tree(registry.folder) == before
    assert tree(files[0].parent) == own


@pytest.mark.parametrize("step", ["dvc", "write", "git", "_install"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_fails_at_a_step_is_undone(
    registry: Registry,
    stub: Path,
    files: Files,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
) -> None:
    """Whether a step was not begun, or was done when it failed."""
    before, own = tree(registry.folder), tree(files[0].parent)
    real = getattr(Edit, step)
    for done_first in (False, True):

        def fail(*args: object, first: bool = done_first, **more: object) -> None:
            if first:
                real(*args, **more)
            raise error

        monkeypatch.setattr(Edit, step, fail)
        with pytest.raises(PipelineError):
            add.add(registry.folder, add.New("lake", *files, "training", 7, move=True))

        assert tree(registry.folder) == before
        assert tree(files[0].parent) == own


def test_params_yaml_that_others_changed_meanwhile_is_theirs(
    registry: Registry, stub: Path, files: Files, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Edit.dvc

    def meanwhile(self: Edit, *given: str) -> None:
        real(self, *given)
        (registry / "params.yaml").write_text(self.text + "# theirs\n", "utf-8")

    monkeypatch.setattr(Edit, "dvc", meanwhile)
    text = edits.read(registry.folder)
    with pytest.raises(PipelineError, match="was changed by somebody else"):
        add.add(registry.folder, add.New("lake", *files))

    assert edits.read(registry.folder) == text + "# theirs\n"
    assert not (registry / "data/lake").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_container_and_undoes_all(
    registry: Registry, stub: Path, files: Files, tree: Tree, number: int
) -> None:
    (stub / "hang").touch()
    before = tree(registry.folder)
    command = ("python", "-m", "pipelines", "add", "lake", "--split", "training", "--move")
    with subprocess.Popen(
        [*command, "--movie", str(files[0]), "--export", str(files[1])],
        cwd=registry.folder,
        env={**os.environ, **GIT, "PATH": f"{stub}:{PATH}", "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (stub / "hangs").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    calls = (stub / "calls").read_text().splitlines()

    assert process.returncode == 1
    assert said == "error: stopped before it was done; nothing was changed\n"
    assert tree(registry.folder) == before
    assert all(path.exists() for path in files)
    label = next(call for call in calls if call.startswith("run")).partition("data-registry-run=")[
        2
    ]
    assert any(call.startswith("ps") and label[:32] in call for call in calls)


def test_a_disk_that_is_full_changes_nothing(
    registry: Registry, stub: Path, files: Files, tree: Tree
) -> None:
    before = tree(registry.folder)
    env = {"PATH": f"{stub}:{PATH}", "PYTHONPATH": str(PROJECT)}
    command = f"ulimit -f 100; python -m pipelines {words(files)}"  # blocks of 512 bytes
    done = registry.sh(command, False, None, **env)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "nothing was changed" in done.stderr
    assert tree(registry.folder) == before
