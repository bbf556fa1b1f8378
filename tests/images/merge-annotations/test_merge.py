"""What a merged dataset holds, and where each picture comes from."""

import csv
import hashlib
import json
import re
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from merge_annotations import link, merge
from stage import progress

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]

MERGED = Path("data/merged/training")


@pytest.fixture
def two(dataset: Dataset) -> list[Path]:
    """Two datasets with frames of the same names and different labels."""
    return [
        dataset(
            "movie1",
            {"frame_000000.PNG": ["Car", "Car"], "frame_000007.PNG": []},
            ["Car", "Bicycle"],
        ),
        dataset("movie-2", {"frame_000000.PNG": ["Bus"], "sub/deep/車 一.png": ["Car"]}, ["Bus"]),
    ]


def lines(merged: Path) -> list[dict[str, str]]:
    """The lines of merge.csv."""
    with (merged / "merge.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_picture_has_the_dataset_before_its_name(two: list[Path], data: Path) -> None:
    merge(two, MERGED)
    annotations, pictures = (
        sorted(p.relative_to(data).as_posix() for p in (data / "merged/training" / f).rglob("*.*"))
        for f in ("Annotations", "JPEGImages")
    )

    assert annotations == [
        "merged/training/Annotations/movie-2__frame_000000.xml",
        "merged/training/Annotations/movie-2__sub/deep/車 一.xml",
        "merged/training/Annotations/movie1__frame_000000.xml",
        "merged/training/Annotations/movie1__frame_000007.xml",
    ]
    assert pictures == [
        "merged/training/JPEGImages/movie-2__frame_000000.PNG",
        "merged/training/JPEGImages/movie-2__sub/deep/車 一.png",
        "merged/training/JPEGImages/movie1__frame_000000.PNG",
        "merged/training/JPEGImages/movie1__frame_000007.PNG",
    ]


def test_an_annotation_differs_only_in_its_picture(two: list[Path]) -> None:
    merge(two, MERGED, "none")
    before = ElementTree.parse("data/movie-2/Annotations/sub/deep/車 一.xml").getroot()
    after = ElementTree.parse(MERGED / "Annotations/movie-2__sub/deep/車 一.xml").getroot()

    assert after.findtext("filename") == "movie-2__sub/deep/車 一.png"
    for path in ("size/width", "size/height", "object/name", "object/occluded",
                 "object/bndbox/xmin", "object/bndbox/xmax", "object/attributes/attribute/value",
                 ):  # fmt: skip
        assert after.findtext(path) == before.findtext(path), path
    assert len(after.findall("object")) == len(before.findall("object"))


def test_merge_csv_leads_back_to_each_picture_and_annotation(two: list[Path]) -> None:
    merge(two, MERGED)
    found = lines(MERGED)

    assert [line["picture"] for line in found] == [
        "movie-2__frame_000000.PNG",
        "movie-2__sub/deep/車 一.png",
        "movie1__frame_000000.PNG",
        "movie1__frame_000007.PNG",
    ]
    for line in found:
        origin = Path("data", line["dataset"])
        annotation = (origin / "Annotations" / line["original"]).with_suffix(".xml")
        picture = origin / "JPEGImages" / line["original"]
        assert line["sha256"] == hashlib.sha256(annotation.read_bytes()).hexdigest()
        assert picture.read_bytes() == (MERGED / "JPEGImages" / line["picture"]).read_bytes()


def test_merge_csv_is_plain_csv(dataset: Dataset) -> None:
    source = dataset("movie1", {'a, "b".png': []})
    merge([source], MERGED, "none")
    [digest] = {line["sha256"] for line in lines(MERGED)}

    assert (MERGED / "merge.csv").read_text() == (
        f'picture,dataset,original,sha256\n"movie1__a, ""b"".png",movie1,"a, ""b"".png",{digest}\n'
    )


def test_labels_are_those_of_all_datasets_sorted(two: list[Path]) -> None:
    merge(two, MERGED, "none")
    labelmap = (MERGED / "labelmap.txt").read_text().splitlines()

    assert labelmap[:2] == ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    assert [line.split(":")[0] for line in labelmap[2:]] == ["Bicycle", "Bus", "Car"]


def test_a_label_has_the_same_colour_in_every_split(two: list[Path]) -> None:
    merge(two, MERGED, "none")
    merge(two[:1], Path("data/merged/validation"), "none")
    both, one = (
        (folder / "labelmap.txt").read_text().splitlines()
        for folder in (MERGED, Path("data/merged/validation"))
    )

    assert set(one) < set(both)


def test_image_sets_list_every_picture_and_who_has_a_label(two: list[Path]) -> None:
    merge(two, MERGED, "none")
    sets = {p.name: p.read_text("utf-8") for p in (MERGED / "ImageSets/Main").iterdir()}
    names = (
        "movie-2__frame_000000",
        "movie-2__sub/deep/車 一",
        "movie1__frame_000000",
        "movie1__frame_000007",
    )

    assert sets.pop("default.txt").splitlines() == list(names)
    assert {name: re.findall(" (-?1)$", text, re.M) for name, text in sets.items()} == {
        "Bicycle_default.txt": ["-1", "-1", "-1", "-1"],
        "Bus_default.txt": ["1", "-1", "-1", "-1"],
        "Car_default.txt": ["-1", "1", "1", "-1"],
    }
    assert sets["Bus_default.txt"].splitlines()[0] == f"{names[0]}  1"


def test_metrics_add_up(two: list[Path]) -> None:
    merge(two, MERGED, "none", Path("data/merged/training/metrics.json"))

    assert json.loads((MERGED / "metrics.json").read_text()) == {
        "pictures": 4,
        "objects": 4,
        "labels": {"Car": 3, "Bus": 1, "Bicycle": 0},
        "dropped": {},
    }


def test_a_dataset_without_labelmap_has_the_labels_that_occur(dataset: Dataset) -> None:
    merge([dataset("movie1", {"a.png": ["Car", "Bus"]})], MERGED, "none")

    assert sorted(path.name for path in (MERGED / "ImageSets/Main").iterdir()) == [
        "Bus_default.txt",
        "Car_default.txt",
        "default.txt",
    ]


def test_the_order_of_sources_changes_no_byte(
    two: list[Path], dataset: Dataset, tree: Tree
) -> None:
    three = [*two, dataset("a", {"x.png": ["Car"]})]
    made = []
    for sources in permutations(three):
        merge(list(sources), MERGED, metrics=MERGED / "metrics.json")
        made.append(tree(MERGED))

    assert all(each == made[0] for each in made)


def test_another_dataset_changes_no_file_of_the_others(
    two: list[Path], dataset: Dataset, tree: Tree
) -> None:
    merge(two, MERGED)
    before = {name: content for name, content in tree(MERGED).items() if "__" in name}
    merge([*two, dataset("movie10", {"frame_000000.PNG": ["Train"]})], MERGED)
    after = {name: content for name, content in tree(MERGED).items() if "__" in name}

    assert "Annotations/movie1__frame_000000.xml" in before
    assert before.items() < after.items()
    assert after.keys() - before.keys() == {
        "Annotations/movie10__frame_000000.xml",
        "JPEGImages/movie10__frame_000000.PNG",
    }


def test_a_dataset_less_leaves_nothing_of_it(two: list[Path], tree: Tree) -> None:
    merge(two, MERGED)
    merge(two[:1], MERGED)

    assert not [name for name in tree(MERGED) if "movie-2" in name or "Bus" in name]


def test_progress_names_the_split_by_its_path(
    two: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0)
    merge(two, MERGED, "none")
    link(two, MERGED)

    assert capsys.readouterr().err.count(f"{MERGED}: 4 pictures\n") == 2
