"""Writing and reading Pascal VOC datasets."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import readings
from annotations import dataset, voc_file
from annotations.metrics import Metrics
from annotations.model import Annotation, Box, Object
from stage.errors import StageError

SOME = [
    Annotation("a.PNG", 9, 9, (Object("Car", Box(0, 0, 1, 1)), Object("Car", Box(0, 0, 2, 2)))),
    Annotation("sub/b.v2.jpg", 9, 9, (Object("Bicycle", Box(0, 0, 1, 1)),)),
    Annotation("sub/c.jpg", 9, 9),
]


def test_a_picture_has_a_file_of_its_name_in_the_same_folder(tmp_path: Path) -> None:
    written = readings.write(SOME, tmp_path / "Annotations")
    files = sorted(path for path in (tmp_path / "Annotations").rglob("*") if path.is_file())

    assert [each.name for each in written] == ["a", "sub/b.v2", "sub/c"]
    assert [each.labels for each in written] == [("Car",), ("Bicycle",), ()]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "Annotations/a.xml",
        "Annotations/sub/b.v2.xml",
        "Annotations/sub/c.xml",
    ]


def test_a_dataset_is_read_as_it_was_written(tmp_path: Path) -> None:
    readings.write(SOME, tmp_path / "Annotations")
    with dataset.open_annotations(tmp_path / "Annotations") as opened:
        found = list(opened)

    assert [annotation for _, annotation in found] == SOME
    assert found[0][0] == (tmp_path / "Annotations" / "a.xml").read_bytes()


def test_a_zip_is_read_as_it_was_written_by_zips_own_rules(tmp_path: Path) -> None:
    many = [Annotation(f"é{n}.PNG", 9, 9) for n in range(70_000)]  # more than zip counted once
    readings.write([*SOME, *many], tmp_path / "Annotations.zip")
    with zipfile.ZipFile(tmp_path / "Annotations.zip") as zipped:
        names = zipped.namelist()
        content = zipped.read("sub/b.v2.xml")
        assert zipped.testzip() is None

    assert names == ["a.xml", "sub/b.v2.xml", "sub/c.xml", *(f"é{n}.xml" for n in range(70_000))]
    assert content == voc_file.write(SOME[1])


@pytest.mark.parametrize("name", ["frame_000001", "v1.2/frame_000001", "sub.d/a.b/c"])
def test_a_name_without_extension_is_kept_whole(name: str) -> None:
    assert dataset.identifier(Annotation(name, 9, 9)) == name
    assert dataset.identifier(Annotation(f"{name}.PNG", 9, 9)) == name


def test_image_sets_list_pictures_and_who_has_a_label(tmp_path: Path) -> None:
    written = readings.write(SOME, tmp_path / "Annotations")
    dataset.write_imagesets(written, ["Car", "Bus"], tmp_path / "ImageSets")
    files = {path.name: path.read_bytes() for path in (tmp_path / "ImageSets/Main").iterdir()}

    assert files == {
        "default.txt": b"a\nsub/b.v2\nsub/c\n",
        "Car_default.txt": b"a  1\nsub/b.v2 -1\nsub/c -1\n",
        "Bus_default.txt": b"a -1\nsub/b.v2 -1\nsub/c -1\n",
    }


def test_a_labelmap_has_cvats_form(tmp_path: Path) -> None:
    dataset.write_labelmap(["Car", "Bicycle"], tmp_path / "labelmap.txt")
    lines = (tmp_path / "labelmap.txt").read_text().splitlines()

    assert lines[:2] == ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    assert lines[2:] == [f"{label}:{dataset.colour(label)}::" for label in ("Car", "Bicycle")]
    assert dataset.read_labelmap(tmp_path / "labelmap.txt") == ["Car", "Bicycle"]


def test_a_label_called_background_is_in_a_labelmap_once(tmp_path: Path) -> None:
    dataset.write_labelmap(["Car", "background"], tmp_path / "labelmap.txt")
    lines = (tmp_path / "labelmap.txt").read_text().splitlines()

    assert [line.split(":")[0] for line in lines[1:]] == ["background", "Car"]


def test_a_colour_has_three_numbers_that_are_bright_enough() -> None:
    colours = [dataset.colour(f"label {n}").split(",") for n in range(200)]

    assert {len(colour) for colour in colours} == {3}
    assert all(64 <= int(part) <= 255 for colour in colours for part in colour)
    assert len({tuple(colour) for colour in colours}) == 200


def test_blank_lines_in_a_labelmap_are_no_labels(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_bytes(
        b"# x\r\n\r\nbackground:0,0,0::\r\nCar:1,2,3::\r\n \r\n"
    )

    assert dataset.read_labelmap(tmp_path / "labelmap.txt") == ["Car"]


def test_a_labelmap_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(StageError, match=r"labelmap\.txt"):
        dataset.read_labelmap(tmp_path / "labelmap.txt")


def test_metrics_are_sorted_and_end_with_a_line_feed(tmp_path: Path) -> None:
    metrics = Metrics(labels=Counter({"Car": 0, "Bicycle": 0}))
    for annotation in SOME:
        metrics.count(annotation)
    metrics.dropped["label été"] += 2
    metrics.write(tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text("utf-8")

    assert json.loads(text) == {
        "pictures": 3,
        "objects": 3,
        "labels": {"Car": 2, "Bicycle": 1},
        "dropped": {"label été": 2},
    }
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_a_table_of_metrics_has_a_line_for_each_number() -> None:
    metrics = Metrics(2, 3, Counter({"Car": 3}), Counter({"label Bird": 5}))

    assert [line.split() for line in str(metrics).splitlines()] == [
        ["pictures", "2"],
        ["objects", "3"],
        ["Car", "3"],
        ["dropped,", "label", "Bird", "5"],
    ]
