"""The split stages of dvc.yaml say what params.yaml says, and nothing else is touched."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.datasets import params, split_stages
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError

DATASETS = ("movie1", "movie2", "movie3", "movie4")
OWN = """
  # the user's own
  train:
    cmd: echo train
"""


def parameters(splits: str, relabelled: str = "") -> str:
    """The text of a params.yaml with four datasets."""
    lines = ["datasets:"]
    for name in DATASETS:
        more = ", annotations: {valid-labels: [Dog]}" if name == relabelled else ""
        lines.append(f"  {name}: {{source: data/{name}/m.mp4, export: data/{name}/e.zip{more}}}")
    return "\n".join([*lines, f"splits: {splits}", ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry whose dvc.yaml has one stage of the user's own, and no split yet."""
    (tmp_path / "pictures").mkdir()
    for path in ("dvc.yaml", "pictures/dvc.yaml"):
        (tmp_path / path).write_text(f"stages:{OWN}")
    return tmp_path


def write(folder: Path, splits: str, relabelled: str = "") -> dict[str, Any]:
    """Write the stages of splits; return all stages of both files."""
    (folder / "params.yaml").write_text(parameters(splits, relabelled))
    split_stages.write(folder)
    split_stages.check(folder)
    stages: dict[str, Any] = {}
    for path in ("dvc.yaml", "pictures/dvc.yaml"):
        text = (folder / path).read_text()
        assert OWN in text
        stages |= yaml.safe_load(text)["stages"]
    return stages


TWO = "{training: {datasets: [movie1, movie2]}, validation: {datasets: [movie3]}}"


def test_a_split_is_a_merge_and_links(folder: Path) -> None:
    stages = write(folder, TWO)

    assert set(stages) == {
        *("train", "merge-annotations-training", "merge-annotations-validation"),
        *("link-pictures-training", "link-pictures-validation"),
    }
    assert stages["link-pictures-training"] == {
        "wdir": "..",
        "cmd": "${run} ${images.merge-annotations} --links-only --source data/movie1 "
        "--source data/movie2 --destination data/merged/training",
        "deps": [
            "data/merged/training/merge.csv",
            "data/movie1/JPEGImages",
            "data/movie2/JPEGImages",
        ],
        "outs": [{"data/merged/training/JPEGImages": {"cache": False}}],
    }
    merge = stages["merge-annotations-validation"]
    assert "--source data/movie3 --destination data/merged/validation" in merge["cmd"]
    assert merge["params"] == ["annotations.valid-labels"]


def compared(stages: dict[str, Any]) -> set[tuple[str, str]]:
    """Each two splits of which the first is compared with the second."""
    return {
        (name.removeprefix("merge-annotations-"), other)
        for name, stage in stages.items()
        for word in stage["cmd"].split("--against data/merged/")[1:]
        for other in [word.partition("/")[0]]
    }


THREE = "{{a: {{datasets: [movie1]{}}}, b: {{datasets: [movie2]{}}}, c: {{datasets: [movie3]{}}}}}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("", "", ""), {("b", "a"), ("c", "a"), ("c", "b")}),
        (("", "", ", apart-from: []"), {("b", "a")}),
        (("", "", ", apart-from: [a]"), {("b", "a"), ("c", "a")}),
        ((", apart-from: [c]", "", ""), {("c", "a"), ("c", "b")}),
        ((", apart-from: [c]", "", ", apart-from: []"), {("c", "a")}),
        ((", apart-from: []",) * 3, set()),
    ],
)
def test_splits_are_compared_unless_params_say_otherwise(
    folder: Path, said: tuple[str, str, str], expected: set[tuple[str, str]]
) -> None:
    assert compared(write(folder, THREE.format(*said))) == expected


def test_a_comparison_depends_on_the_other_split_and_on_the_frames_of_both(folder: Path) -> None:
    deps = write(folder, TWO)["merge-annotations-validation"]["deps"]

    frames = {f"data/{name}/frames.csv" for name in ("movie1", "movie2", "movie3")}
    assert {*deps} == {
        *("data/movie3/${annotations.destination}", "data/movie3/labelmap.txt"),
        "data/merged/training/merge.csv",
        *frames,
    }


def test_a_range_of_frames_depends_on_the_frames(folder: Path) -> None:
    stages = write(folder, '{training: {datasets: [movie1, "movie4[5000:]"]}}')

    merge = stages["merge-annotations-training"]
    assert "--source data/movie1 --source 'data/movie4[5000:]' --dest" in merge["cmd"]
    assert "data/movie4/frames.csv" in merge["deps"]
    assert "data/movie1/frames.csv" not in merge["deps"]
    assert "--source 'data/movie4[5000:]'" in stages["link-pictures-training"]["cmd"]


def test_class_numbers_depend_on_the_labels_of_every_dataset(folder: Path) -> None:
    stages = write(folder, TWO, relabelled="movie4")

    expected = ["annotations.valid-labels", "datasets.movie4.annotations.valid-labels"]
    assert stages["merge-annotations-training"]["params"] == expected


def test_a_split_without_datasets_has_no_stage(folder: Path) -> None:
    stages = write(folder, "{training: {datasets: []}, validation: {datasets: [movie3]}, c: }")

    assert set(stages) == {*("train", "merge-annotations-validation", "link-pictures-validation")}
    assert compared(stages) == set()


def test_writing_again_changes_nothing_and_a_change_only_its_lines(folder: Path) -> None:
    write(folder, TWO)
    both = [folder / path for path in ("dvc.yaml", "pictures/dvc.yaml")]
    for path in both:
        path.write_text(path.read_text() + "\n# the end\n")
    before = [path.read_text() for path in both]
    assert split_stages.write(folder) == []

    write(folder, TWO.replace("movie2", "movie4"))

    assert [path.read_text() for path in both] == [
        text.replace("movie2", "movie4") for text in before
    ]


def test_line_ends_are_kept(folder: Path) -> None:
    (folder / "dvc.yaml").write_bytes(f"stages:{OWN}".replace("\n", "\r\n").encode())
    (folder / "params.yaml").write_bytes(parameters(TWO).replace("\n", "\r\n").encode())
    split_stages.write(folder)

    content = (folder / "dvc.yaml").read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") > 20


@pytest.mark.parametrize("path", ["dvc.yaml", "pictures/dvc.yaml"])
@pytest.mark.parametrize("old", ["movie2", "link-pictures-validation", "stages of the splits:"])
def test_stages_that_differ_from_params_are_refused(folder: Path, path: str, old: str) -> None:
    write(folder, TWO)
    text = (folder / path).read_text()
    if old not in text:
        old = "merge-annotations-validation"
    (folder / path).write_text(text.replace(old, "other", 1))

    with pytest.raises(PipelineError, match=f"^{path}: .*(run `registry splits`|restore it)"):
        split_stages.check(folder)


def test_a_stage_of_the_same_name_elsewhere_is_refused(folder: Path) -> None:
    path = folder / "dvc.yaml"
    path.write_text(path.read_text() + "  merge-annotations-training:\n    cmd: echo\n")
    before = path.read_text()

    with pytest.raises(PipelineError, match=r"merge-annotations-training stands outside .*delete"):
        write(folder, TWO)
    assert path.read_text() == before


def test_a_registry_without_splits_in_params_is_left_alone(folder: Path) -> None:
    (folder / "params.yaml").write_text(parameters(TWO).partition("splits:")[0])
    before = (folder / "dvc.yaml").read_text()
    split_stages.check(folder)
    assert split_stages.write(folder) == []
    assert (folder / "dvc.yaml").read_text() == before


def test_a_section_that_is_deleted_leaves_no_stage_behind(folder: Path) -> None:
    write(folder, TWO)
    (folder / "params.yaml").write_text(parameters(TWO).partition("splits:")[0])
    with pytest.raises(PipelineError, match="run `registry splits`"):
        split_stages.check(folder)
    split_stages.write(folder)
    assert set(yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]) == {"train"}


def test_a_file_that_cannot_be_written_is_as_it_was(folder: Path) -> None:
    (folder / "params.yaml").write_text(parameters(TWO))
    (folder / "pictures/.partial-dvc.yaml").mkdir()
    (folder / ".partial-dvc.yaml").mkdir()
    before = (folder / "dvc.yaml").read_text()

    with pytest.raises(PipelineError, match=r"^dvc.yaml: cannot be written: Is a directory"):
        split_stages.write(folder)
    assert (folder / "dvc.yaml").read_text() == before


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("[training]", "splits: must be a mapping"),
        ("{a b: {}}", "splits.a b: a name has letters and digits"),
        ("{a.b: {}}", "splits.a.b: a name has letters and digits"),
        ("{1: {}}", "splits.1: a name has letters and digits"),
        ("{a: [movie1]}", "splits.a: must be a mapping"),
        ("{a: {dataset: []}}", "splits.a.dataset: is no parameter; there are apart-from, datasets"),
        ("{a: {datasets: movie1}}", "splits.a.datasets: must be a list of names"),
        ("{a: {datasets: [[movie1]]}}", "splits.a.datasets: must be a list of names"),
        ("{a: {datasets: [movie9]}}", "splits.a.datasets: there is no dataset movie9; the section"),
        (
            '{a: {datasets: ["movie1[5]"]}}',
            r"splits.a.datasets: 'movie1\[5\]' is not a dataset, `movie4`",
        ),
        ("{a: {apart-from: b}}", "splits.a.apart-from: must be a list of names"),
        ("{a: {apart-from: [b]}}", "splits.a.apart-from: 'b' is no other split; there are: none"),
        ("{a: {apart-from: [a]}, b: }", "splits.a.apart-from: 'a' is no other split; there are: b"),
    ],
)
def test_splits_that_are_none_are_refused(splits: str, expected: str) -> None:
    with pytest.raises(PipelineError, match=f"^params.yaml: {expected}"):
        params.parse(parameters(splits))


def test_params_without_any_dataset_are_read() -> None:
    assert params.parse("datasets: {}\nsplits: {a: {datasets: []}}").splits is not None
    assert params.parse("datasets:\nsplits:\n") == Settings(splits={})
