"""Datasets that cannot be merged, and destinations that are not replaced."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile.files import HostileFile
from merge_annotations import link, merge
from overlap import Against
from stage.errors import StageError

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]

MERGED = Path("data/merged/training")
PICTURES = {"frame_000000.PNG": ["Car"]}


def refusal(data: Path, tree: Tree, sources: list[Path], destination: Path = MERGED) -> str:
    """What is said of a merge, which must change no file."""
    before = files(tree(data.parents[1]))
    with pytest.raises(StageError) as raised:
        merge(sources, destination, "none")
    assert files(tree(data.parents[1])) == before
    return str(raised.value)


def files(tree: dict[str, bytes | str | None]) -> dict[str, bytes | str]:
    """What is no folder."""
    return {name: content for name, content in tree.items() if content is not None}


@pytest.mark.parametrize(
    "name", ["a__b", "a.b", "_a", "a_", "a b", "été", "a--b", "a-_b", "-a", "[0]", "a\nb"]
)
def test_a_name_that_would_not_lead_back_is_refused(
    data: Path, dataset: Dataset, tree: Tree, name: str
) -> None:
    said = refusal(data, tree, [dataset(name, PICTURES)])

    assert "a dataset's name has letters and digits, with single `-` or `_` between" in said


@pytest.mark.parametrize("name", ["a", "Movie-1_b-2", "007"])
def test_a_plain_name_is_taken(dataset: Dataset, name: str) -> None:
    merge([dataset(name, PICTURES)], MERGED, "none")

    assert (MERGED / "Annotations" / f"{name}__frame_000000.xml").exists()


def test_the_name_is_the_last_part_of_the_source_even_if_that_is_a_link(
    data: Path, dataset: Dataset
) -> None:
    dataset("movie1", PICTURES)
    (data / "alias").symlink_to("movie1")
    merge([Path("data/alias")], MERGED, "none")

    assert (MERGED / "Annotations" / "alias__frame_000000.xml").exists()


def test_two_datasets_of_one_name_are_refused(data: Path, dataset: Dataset, tree: Tree) -> None:
    first, second = dataset("movie1", PICTURES), dataset("north/movie1", PICTURES)

    assert "north/movie1: is the second dataset called movie1; rename one" in refusal(
        data, tree, [first, second]
    )
    assert "is the second dataset called movie1" in refusal(data, tree, [first, first])


def test_a_missing_dataset_and_one_without_annotations_are_refused(data: Path, tree: Tree) -> None:
    (data / "movie2").mkdir()

    assert "data/movie1: no such file" in refusal(data, tree, [Path("data/movie1")])
    assert "data/movie2/Annotations: no such" in refusal(data, tree, [Path("data/movie2")])


def test_a_broken_annotation_is_named(data: Path, dataset: Dataset, tree: Tree) -> None:
    source = dataset("movie1", {**PICTURES, "frame_000001.PNG": ["Car"]})
    (source / "Annotations/frame_000001.xml").write_text("<annotation>")

    assert "data/movie1/Annotations/frame_000001.xml:1: is no XML" in refusal(data, tree, [source])


@pytest.mark.parametrize("destination", ["data/movie1", "data/movie1/Annotations", "data/movie2"])
def test_a_merge_into_one_of_its_datasets_is_refused(
    data: Path, dataset: Dataset, tree: Tree, destination: str
) -> None:
    sources = [dataset("movie1", PICTURES), dataset("movie2", PICTURES)]

    refusal(data, tree, sources, Path(destination))


@pytest.mark.parametrize("images", ["link", "copy"])
def test_the_pictures_of_a_dataset_are_never_replaced(
    data: Path, dataset: Dataset, tree: Tree, images: str
) -> None:
    source = dataset("movie1", PICTURES)
    before = tree(data)

    with pytest.raises(StageError):
        merge([source], source, images)
    assert tree(data) == before


@pytest.mark.parametrize("name", ["Annotations/notes.txt", "ImageSets/a.xml", "labelmap.txt/x",
                                  "merge.csv/x"])  # fmt: skip
def test_what_a_merge_did_not_make_is_kept(
    data: Path, dataset: Dataset, tree: Tree, name: str
) -> None:
    (data / "merged/training" / name).parent.mkdir(parents=True)
    (data / "merged/training" / name).touch()

    refusal(data, tree, [dataset("movie1", PICTURES)])


@pytest.mark.parametrize("name", ["labelmap.txt", "merge.csv"])
@pytest.mark.parametrize("content", ["", "picture,dataset\na,b\n"])
def test_a_file_of_somebody_else_is_kept(
    data: Path, dataset: Dataset, tree: Tree, name: str, content: str
) -> None:
    MERGED.mkdir(parents=True)
    (MERGED / name).write_text(content)

    assert f"{name}: is no {name}, or a damaged one" in refusal(
        data, tree, [dataset("movie1", PICTURES)]
    )


def test_a_dataset_that_is_not_merged_is_not_replaced_either(
    data: Path, dataset: Dataset, tree: Tree
) -> None:
    sources, other = [dataset("movie1", PICTURES)], dataset("movie2", PICTURES)
    (other / "Annotations/frame_000000.xml").write_text(
        "<annotation>\n  <folder>JPEGImages</folder>\n</annotation>\n"
    )

    assert "frame_000000.xml: was not made by this command" in refusal(data, tree, sources, other)


def test_the_split_that_it_is_held_against_is_not_replaced(
    data: Path, dataset: Dataset, tree: Tree
) -> None:
    source = dataset("movie1", PICTURES)
    merge([source], MERGED, "none")
    before = tree(data)

    with pytest.raises(StageError, match=r"merge\.csv: is the input .*merge\.csv; give another"):
        merge([source], MERGED, "none", against=[Against(MERGED / "merge.csv")])
    assert tree(data) == before


def test_pictures_that_a_dataset_links_to_are_not_replaced(
    data: Path, dataset: Dataset, tree: Tree
) -> None:
    source = dataset("movie1", {"a.png": ["Car"]})
    MERGED.mkdir(parents=True)
    (source / "JPEGImages").rename(MERGED / "JPEGImages")
    (MERGED / "JPEGImages/a.png").rename(MERGED / "JPEGImages/movie0__a.png")
    (source / "JPEGImages").symlink_to("../merged/training/JPEGImages")
    before = tree(data)

    with pytest.raises(StageError, match=r"JPEGImages: is the input data/movie1/JPEGImages; give"):
        link([source], MERGED)
    assert tree(data) == before


@pytest.mark.parametrize(
    "metrics",
    ["data/movie1", "data/movie1/labelmap.txt", "data/merged", "data/movie1/metrics.json",
     "data/movie1/new.json", "data/merged/training/merge.csv",
     "data/merged/training/Annotations/metrics.json"],
)  # fmt: skip
def test_metrics_in_the_place_of_something_else_are_refused(
    data: Path, dataset: Dataset, tree: Tree, metrics: str
) -> None:
    source = dataset("movie1", PICTURES, ["Car"])
    merge([source], MERGED, "none", MERGED / "metrics.json")
    shutil.copy(MERGED / "metrics.json", source)
    before = tree(data)

    with pytest.raises(StageError):
        merge([source], MERGED, "none", Path(metrics))
    assert tree(data) == before


@pytest.mark.parametrize(
    "file",
    ["v01_filename_traversal.xml", "v02_filename_absolute.xml", "v05_filename_nul_entity.xml",
     "v12_name_traversal.xml"],
)  # fmt: skip
def test_a_hostile_annotation_leads_nowhere(
    data: Path, dataset: Dataset, tree: Tree, hostile_file: HostileFile, file: str
) -> None:
    source = dataset("movie1", PICTURES)
    shutil.copy(hostile_file(file), source / "Annotations/frame_000000.xml")

    assert "frame_000000.xml" in refusal(data, tree, [source])


def test_two_annotations_of_one_picture_are_refused(
    data: Path, dataset: Dataset, tree: Tree
) -> None:
    source = dataset("movie1", {"a.png": ["Car"], "b.png": ["Car"]})
    (source / "Annotations/b.xml").write_text((source / "Annotations/a.xml").read_text())

    assert "b.xml" in refusal(data, tree, [source])


@pytest.mark.parametrize("label", ["../../../x", "a:b", "-rf", ".hidden", "a\\b"])
def test_a_label_that_would_be_no_file_name_or_line_is_refused(
    data: Path, dataset: Dataset, tree: Tree, label: str
) -> None:
    refusal(data, tree, [dataset("movie1", {"a.png": [label]})])


def test_a_label_of_a_labelmap_that_would_be_no_file_name_is_refused(
    data: Path, dataset: Dataset, tree: Tree
) -> None:
    refusal(data, tree, [dataset("movie1", PICTURES, ["Car", "../../../x"])])
