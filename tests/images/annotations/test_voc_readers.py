"""What is written as Pascal VOC is found by readers that others made, globox and supervision."""

from collections.abc import Iterable
from pathlib import Path

import globox  # type: ignore[import-untyped]
import numpy as np
import pytest
from PIL import Image

import corpora
import readings
from annotations.model import Annotation, Box, Object

VOC = "PASCAL_VOC_1.1"

ODD = [
    Annotation(
        "sub/été 車.PNG",
        640,
        480,
        (
            Object('<Car & "van">', Box(0, 0.5, 102.02, 480), pose="Left", occluded=True),
            Object("Car", Box(-7.25, 1, 700, 500), rotation=30, attributes=(("rotation", "30"),)),
            Object("été 車", Box(3, 4, 3, 4), attributes=(("name", "Bus"), ("note", "]]> <&"))),
        ),
    ),
    Annotation("dots.in.name.v2.jpeg", 9, 8),
]

Found = dict[str, tuple[tuple[int, int], list[tuple[str, float, float, float, float]]]]
"""Picture -> its size, and label and edges of each box, in order."""


def meant(annotations: Iterable[Annotation]) -> Found:
    """What a reader should find."""
    return {
        annotation.picture: (
            (annotation.width, annotation.height),
            [
                (each.label, each.box.xmin, each.box.ymin, each.box.xmax, each.box.ymax)
                for each in annotation.objects
            ],
        )
        for annotation in annotations
    }


def found(annotations: Iterable[globox.Annotation]) -> Found:
    """What globox finds."""
    return {
        str(annotation.image_id): (
            annotation.image_size or (0, 0),
            [(str(box.label), box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes],
        )
        for annotation in annotations
    }


def test_odd_names_texts_and_boxes_are_found_as_they_are(tmp_path: Path) -> None:
    readings.write(ODD, tmp_path / "Annotations")
    read = map(globox.Annotation.from_pascal_voc, (tmp_path / "Annotations").rglob("*.xml"))

    assert found(read) == meant(ODD)


@pytest.mark.parametrize(
    "case", ["A_video_basic", "D2_images_names", "G_video_single_shapes", "I_video_no_annotations"]
)
def test_a_real_export_is_found_whole_after_it_was_written(tmp_path: Path, case: str) -> None:
    written = readings.read(corpora.path(f"cvat/exported/{case}__{VOC}.zip"))
    readings.write(written, tmp_path / "Annotations")
    read = globox.AnnotationSet.from_pascal_voc(tmp_path / "Annotations", recursive=True)

    assert len(written) > 1
    assert found(read) == meant(written)


@pytest.mark.filterwarnings("ignore:OpenCV")
def test_supervision_finds_the_same_but_for_its_shift(tmp_path: Path) -> None:
    import supervision  # noqa: PLC0415  # it takes a second

    source = corpora.path(f"cvat/exported/A_video_basic__{VOC}.zip")
    written = [each for each in readings.read(source) if each.objects]
    readings.write(written, tmp_path / "Annotations")
    (tmp_path / "JPEGImages").mkdir()
    for each in written:
        Image.new("L", (1, 1)).save(tmp_path / "JPEGImages" / each.picture)
    read = supervision.DetectionDataset.from_pascal_voc(
        str(tmp_path / "JPEGImages"), str(tmp_path / "Annotations")
    )

    seen = {}
    for path, boxes in read.annotations.items():
        assert boxes.class_id is not None
        seen[Path(path).name] = [
            (read.classes[label], *map(float, np.add(edges, (1, 1, 0, 0))))
            for edges, label in zip(boxes.xyxy, boxes.class_id, strict=True)
        ]
    assert len(seen) > 10
    assert seen == {name: approximately(boxes) for name, (_, boxes) in meant(written).items()}


def approximately(boxes: list[tuple[str, float, float, float, float]]) -> list[tuple[object, ...]]:
    """The boxes as supervision keeps them: 32 bits a number."""
    return [(label, *(pytest.approx(edge, abs=1e-4) for edge in edges)) for label, *edges in boxes]
