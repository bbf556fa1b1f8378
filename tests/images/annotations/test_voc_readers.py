"""What is written as Pascal VOC is found by a reader that others made, globox."""

from collections.abc import Iterable
from pathlib import Path

import globox  # type: ignore[import-untyped]
import pytest

from annotations import dataset, exports
from annotations.model import Annotation, Box, Object
from stage import frames

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
    list(dataset.write(ODD, tmp_path / "Annotations"))
    read = map(globox.Annotation.from_pascal_voc, (tmp_path / "Annotations").rglob("*.xml"))

    assert found(read) == meant(ODD)


@pytest.mark.parametrize(
    "case", ["A_video_basic", "D2_images_names", "G_video_single_shapes", "I_video_no_annotations"]
)
def test_a_real_export_is_found_whole_after_it_was_written(
    corpus: Path, tmp_path: Path, case: str
) -> None:
    nothing = frames.Pictures([], Path("frames.csv"), complete=False)
    source = corpus / f"cvat/exported/{case}__{VOC}.zip"
    written = list(dataset.write(exports.read(source, nothing), tmp_path / "Annotations"))
    read = globox.AnnotationSet.from_pascal_voc(tmp_path / "Annotations", recursive=True)

    assert len(written) > 1
    assert found(read) == meant(written)
