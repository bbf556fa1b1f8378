"""The section `annotations` of params.yaml: what each key does, and in which order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stage.errors import StageError

Write = Callable[..., Path]
Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]
Parameters = Callable[[str], None]

BOX = (10.0, 10.0, 30.0, 20.0)
PICTURE = "frame_000000.PNG"


@pytest.fixture
def kept(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes, parameters: Parameters
) -> Callable[..., tuple[list[tuple[str, list[float]]], dict[str, int]]]:
    """Prepare objects of one picture by some rules: those that are kept, and the dropped."""

    def run(rules: str, *objects: Any) -> tuple[list[tuple[str, list[float]]], dict[str, int]]:
        parameters(f"annotations: {{{rules}, keep-empty: True}}")
        metrics = prepare(voc({PICTURE: objects}))
        return boxes(root / "Annotations")[PICTURE.removesuffix(".PNG")], metrics["dropped"]

    return run


Kept = Callable[..., tuple[list[tuple[str, list[float]]], dict[str, int]]]


def test_attributes_are_added_then_labels_renamed_then_filtered(kept: Kept) -> None:
    rules = (
        "valid-labels: [Truck, Car], concat-type-attribute: True, "
        "rename-labels: {Carlorry: Truck, Carvan: Van, Auto: Car}"
    )
    objects = [("Car", BOX, {"type": kind}) for kind in ("lorry", "van", "")]
    objects += [("Auto", BOX, {}), ("Auto", BOX, {"type": "lorry"}), ("Truck", BOX, {})]
    found, dropped = kept(rules, *objects)

    assert [label for label, _ in found] == ["Car", "Car", "Truck", "Truck"]
    assert dropped == {"label Van": 1, "label Autolorry": 1}


def test_another_attribute_can_be_added_after_the_type(kept: Kept) -> None:
    rules = "valid-labels: [Carsuvred], concat-type-attribute: True, concat-attribute: colour"
    found, dropped = kept(rules, ("Car", BOX, {"colour": "red", "type": "suv"}), ("Car", BOX, {}))

    assert [label for label, _ in found] == ["Carsuvred"]
    assert dropped == {"label Car": 1}


@pytest.mark.parametrize(
    ("size", "count"), [("[20, 10]", 1), ("[20.01, 1]", 0), ("[1, 10.5]", 0), ("[0, 0]", 1)]
)
def test_small_boxes_are_dropped_and_counted(kept: Kept, size: str, count: int) -> None:
    found, dropped = kept(f"valid-labels: [Car], min-size: {size}", ("Car", BOX, {}))

    assert len(found) == count
    assert dropped == ({} if count else {"box smaller than min-size": 1})


def test_the_size_of_a_box_is_that_in_the_picture(kept: Kept) -> None:
    cut: Any = ("Car", (-90.0, 0.0, 4.0, 40.0), {})
    _, dropped = kept("valid-labels: [Car], min-size: [8, 8]", cut)

    assert dropped == {"box smaller than min-size": 1}


def test_boxes_are_not_cut_if_unwanted(kept: Kept) -> None:
    rules = "valid-labels: [Car], clip: False"
    found, dropped = kept(rules, ("Car", (-9, -9, 9, 9), {}), ("Car", (-9, -9, -1, -1), {}))

    assert found == [("Car", [-9, -9, 9, 9])]
    assert dropped == {"box outside the picture": 1}


@pytest.mark.parametrize(
    ("rotation", "upright"),
    [
        ("90.0", [15, 5, 25, 25]),
        ("180.0", [10, 10, 30, 20]),
        ("30.0", [8.84, 5.67, 31.16, 24.33]),
        ("0.0", [10, 10, 30, 20]),
    ],
)
def test_a_turned_box_becomes_the_upright_one_around_it(
    kept: Kept, rotation: str, upright: list[float]
) -> None:
    [(_, found)], _ = kept("valid-labels: [Car]", ("Car", BOX, {"rotation": rotation}))

    assert found == pytest.approx(upright, abs=0.011)


def test_turned_boxes_are_dropped_if_unwanted(kept: Kept) -> None:
    turned = [("Car", BOX, {"rotation": rotation}) for rotation in ("0.0", "1.5")]
    found, dropped = kept("valid-labels: [Car], rotated: drop", *turned)

    assert (len(found), dropped) == (1, {"rotated": 1})


def test_flags_that_are_attributes_count_as_flags(kept: Kept) -> None:
    rules = "valid-labels: [Car], drop-truncated: True"
    found, dropped = kept(
        rules, ("Car", BOX, {"truncated": "True"}), ("Car", BOX, {"truncated": "False"})
    )

    assert (len(found), dropped) == (1, {"truncated": 1})


def test_pictures_that_the_export_leaves_out_are_counted_and_named(
    voc: Write, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = prepare(voc({f"frame_{n:06}.PNG": [("Car", BOX, {})] for n in (0, 1, 2, 5)}))

    assert metrics["dropped"] == {"picture not in the export": 2}
    assert (
        "probably deleted in CVAT: frame_000003.PNG, frame_000004.PNG\n" in capsys.readouterr().err
    )


def test_a_step_leaves_no_picture_out(voc: Write, prepare: Prepare) -> None:
    metrics = prepare(voc({f"frame_{n:06}.PNG": [("Car", BOX, {})] for n in (1, 3, 5)}))

    assert metrics["dropped"] == {}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("min-size: 8", "annotations.min-size: must be a list"),
        ("min-size: [8]", "annotations.min-size: must be two numbers from 0"),
        ("min-size: [8, -1]", "annotations.min-size: must be two numbers from 0"),
        ("rotated: keep", "annotations.rotated: must be one of circumscribe, drop"),
        ("shapes: [circle]", "annotations.shapes: 'circle' is none of polygon, "),
        ("rename-labels: [Car]", "annotations.rename-labels: must be a mapping"),
        ("rename-labels: {Auto: 1}", "annotations.rename-labels.Auto: must be text, not 1"),
        ("clip: 1", "annotations.clip: must be True or False"),
        ("drop-ocluded: True", "annotations.drop-ocluded: is no parameter"),
    ],
)
def test_a_rule_that_is_none_is_named(
    voc: Write, prepare: Prepare, parameters: Parameters, rule: str, said: str
) -> None:
    parameters(f"annotations:\n  valid-labels: [Car]\n  {rule}\n")

    with pytest.raises(StageError) as raised:
        prepare(voc({}))
    assert str(raised.value).startswith(f"params.yaml:3: {said}")


def test_an_unknown_key_of_a_dataset_is_named(
    voc: Write, prepare: Prepare, parameters: Parameters
) -> None:
    parameters("annotations: {valid-labels: [Car]}\ndatasets:\n  movie1: {sorce: a.mkv}\n")

    with pytest.raises(StageError, match=r"^params\.yaml:3: datasets\.movie1\.sorce: is no param"):
        prepare(voc({PICTURE: []}))
