"""What goes into a prepared dataset, under which name and label."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stage import progress
from stage.errors import StageError

Write = Callable[..., Path]
Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]
Object = tuple[str, tuple[float, ...], dict[str, str]]

BOX = (1.0, 2.0, 30.0, 40.0)
CAR: Object = ("Car", BOX, {"type": "suv"})
BICYCLE: Object = ("Bicycle", BOX, {})
BIRD: Object = ("Bird", BOX, {})

FRAMES = "<start_frame>0</start_frame><stop_frame>5</stop_frame>"
SIZE = "<original_size><width>64</width><height>48</height></original_size>"


def test_only_valid_labels_are_kept_and_the_others_counted(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes
) -> None:
    export = {"frame_000000.PNG": [CAR, BIRD, BICYCLE], "frame_000001.PNG": [BIRD, BIRD]}
    metrics = prepare(voc(export))

    assert boxes(root / "Annotations") == {
        "frame_000000": [("Bicycle", list(BOX)), ("Car", list(BOX))]
    }
    assert metrics == {
        "pictures": 1,
        "objects": 2,
        "labels": {"Bicycle": 1, "Car": 1},
        "dropped": {"label Bird": 3, "picture without objects": 1},
    }


@pytest.mark.parametrize("objects", [[], [CAR], [BICYCLE, CAR, BIRD]])
@pytest.mark.parametrize(
    "text",
    [
        "annotations: {valid-labels: [Tram, Car, Bicycle], keep-empty: True}\n"
        "splits: {training: {datasets: [movie1]}}",
        "annotations: {valid-labels: [Bicycle, Car], keep-empty: True}\n"
        "datasets: {movie1: {annotations: {valid-labels: [Tram, Car, Bicycle]}}}",
    ],
    ids=["of all datasets", "overridden"],
)
def test_the_labelmap_has_all_valid_labels_in_their_order(
    root: Path, voc: Write, prepare: Prepare, parameters: Callable[[str], None],
    objects: list[Object], text: str,
) -> None:  # fmt: skip
    parameters(text)
    prepare(voc({"frame_000000.PNG": objects}))
    lines = (root / "labelmap.txt").read_text().splitlines()

    assert [line.split(":")[0] for line in lines[1:]] == ["background", "Tram", "Car", "Bicycle"]


@pytest.mark.parametrize("label", ["car", "Car ", "Cars", "\u0421ar", "Ca"])
def test_a_label_that_only_looks_valid_is_not(voc: Write, prepare: Prepare, label: str) -> None:
    metrics = prepare(voc({"frame_000000.PNG": [(label, BOX, {})]}))

    assert metrics["objects"] == 0
    assert metrics["dropped"] == {f"label {label}": 1, "picture without objects": 1}


@pytest.mark.parametrize("name", ["type", "Type"])
def test_the_type_is_added_to_the_label_before_the_filter(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes, parameters: Callable[[str], None],
    name: str,
) -> None:  # fmt: skip
    parameters("annotations: {concat-type-attribute: True, valid-labels: [Carsuv, Bicycle]}")
    objects = [("Car", BOX, {name: "suv"}), ("Car", BOX, {"colour": "suv"}), BICYCLE]
    metrics = prepare(voc({"frame_000000.PNG": objects}))

    assert [label for label, _ in boxes(root / "Annotations")["frame_000000"]] == [
        "Bicycle",
        "Carsuv",
    ]
    assert metrics["dropped"] == {"label Car": 1}


def test_without_concatenation_the_type_stays_an_attribute(
    root: Path, voc: Write, prepare: Prepare
) -> None:
    prepare(voc({"frame_000000.PNG": [CAR]}))
    written = (root / "Annotations" / "frame_000000.xml").read_text()

    assert "<attribute><name>type</name><value>suv</value></attribute>" in written


def test_a_label_that_occurs_nowhere_is_a_warning_and_a_0(
    root: Path, voc: Write, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = prepare(voc({"frame_000000.PNG": [CAR]}))

    assert metrics["labels"] == {"Car": 1, "Bicycle": 0}
    assert capsys.readouterr().err == (
        f"warning: {root}/cvat-pascalvoc.zip: "
        "no object has the label Bicycle, which valid-labels names\n"
    )


def test_boxes_are_clipped_and_those_with_nothing_left_counted(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes
) -> None:
    objects: list[Object] = [
        ("Car", (-5.5, 40, 100, 60), {}),
        ("Car", (64, 0, 80, 10), {}),
        ("Car", (-9, -9, 0, 0), {}),
        ("Car", (5, 5, 5, 9), {}),
    ]
    metrics = prepare(voc({"frame_000000.PNG": objects}))

    assert boxes(root / "Annotations") == {"frame_000000": [("Car", [0, 40, 64, 48])]}
    assert metrics["dropped"] == {"box outside the picture": 2, "box without area": 1}


def test_a_box_that_rounding_would_leave_without_area_is_dropped(
    voc: Write, prepare: Prepare
) -> None:
    metrics = prepare(voc({"frame_000000.PNG": [CAR, ("Car", (5.001, 5, 5.004, 9), {})]}))

    assert (metrics["objects"], metrics["dropped"]) == (1, {"box without area": 1})


def test_other_shapes_are_counted_by_their_names(video: Write, prepare: Prepare) -> None:
    path = video(FRAMES + SIZE, {0: BOX}, {0: BOX})
    polygon = '<polygon frame="0" outside="0" points="1,1;9,9;1,9"/>'
    path.write_text(re.sub("<box.*?/>", polygon, path.read_text(), count=1))
    metrics = prepare(path)

    assert metrics["objects"] == 1
    assert metrics["dropped"] == {"shape polygon": 1, "picture without objects": 5}


def test_pictures_without_objects_are_kept_if_wanted(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes, parameters: Callable[[str], None]
) -> None:
    parameters("annotations: {valid-labels: [Car], keep-empty: True}")
    metrics = prepare(voc({"frame_000000.PNG": [CAR], "frame_000001.PNG": [BIRD]}))

    assert boxes(root / "Annotations").keys() == {"frame_000000", "frame_000001"}
    assert (metrics["pictures"], metrics["dropped"]) == (2, {"label Bird": 1})


def test_a_dataset_has_its_own_parameters(
    voc: Write, prepare: Prepare, parameters: Callable[[str], None]
) -> None:
    parameters(
        "annotations: {valid-labels: [Car]}\n"
        "datasets:\n"
        "  movie1: {annotations: {valid-labels: [Bird]}}\n"
        "  movie2: {annotations: {keep-empty: True}}\n"
    )
    metrics = prepare(voc({"frame_000000.PNG": [CAR, BIRD], "frame_000001.PNG": [CAR]}))

    assert metrics["labels"] == {"Bird": 1}
    assert metrics["pictures"] == 1


def test_names_are_those_of_the_pictures_whatever_the_export_calls_them(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes
) -> None:
    prepare(voc({"FRAME_000000.png": [CAR], "Frame_000005.jpeg": [CAR]}))

    assert boxes(root / "Annotations").keys() == {"frame_000000", "frame_000005"}
    written = (root / "Annotations" / "frame_000005.xml").read_text()
    assert "<filename>frame_000005.PNG</filename>" in written


def test_pictures_in_folders_keep_them(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes
) -> None:
    (root / "frames.csv").unlink()
    for name in ("a.jpg", "sub/a.jpg", "sub/deep/車 一.png"):
        path = root / "JPEGImages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prepare(voc({"a.jpg": [BICYCLE], "sub/a.jpg": [CAR], "sub/deep/車 一.png": [CAR]}))

    assert sorted(boxes(root / "Annotations")) == ["a", "sub/a", "sub/deep/車 一"]
    sets = root / "ImageSets" / "Main"
    assert (sets / "default.txt").read_text("utf-8") == "a\nsub/a\nsub/deep/車 一\n"
    assert (sets / "Car_default.txt").read_text("utf-8") == "a -1\nsub/a  1\nsub/deep/車 一  1\n"


def test_nothing_is_written_beside_the_annotations_unless_asked_for(
    root: Path, voc: Write, prepare: Prepare
) -> None:
    prepare(voc({"frame_000000.PNG": [CAR]}))

    assert sorted(path.name for path in root.iterdir()) == [
        "Annotations", "ImageSets", "cvat-pascalvoc.zip", "frames.csv", "labelmap.txt",
        "metrics.json",
    ]  # fmt: skip


def test_an_export_that_has_one_picture_twice_is_refused(voc: Write, prepare: Prepare) -> None:
    with pytest.raises(StageError, match="twice"):
        prepare(voc({"frame_000000.PNG": [CAR], "FRAME_000000.jpg": [CAR]}))


def test_progress_names_the_export_by_its_path(
    voc: Write, prepare: Prepare, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "SECONDS", 0)
    source = voc({"frame_000000.PNG": [CAR], "frame_000001.PNG": [BICYCLE]})
    prepare(source)

    assert f"{source}: 2 pictures\n" in capsys.readouterr().err
