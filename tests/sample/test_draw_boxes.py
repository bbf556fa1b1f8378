"""The picture of the README: boxes sit where the annotation says."""

import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image

import draw_boxes
import scene
from registries import PROJECT


def annotation(label: str, *edges: float) -> ET.Element:
    """A Pascal VOC annotation with one object."""
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{n}>{edge}</{n}>" for n, edge in zip(names, edges, strict=True))
    return ET.fromstring(
        f"<annotation><object><name>{label}</name><bndbox>{box}</bndbox></object></annotation>"
    )


def test_a_box_has_its_place_scale_and_colour() -> None:
    height = draw_boxes.HEIGHT // 2
    picture = Image.new("RGB", (200, height), "white")

    drawn = np.asarray(draw_boxes.draw_boxes(picture, annotation("Car", 20, 60, 80, 100)))

    assert drawn.shape == (2 * height, 400, 3)
    coloured = (drawn == np.array(scene.COLOURS["Car"])).all(axis=-1)
    for row, column in ((150, 40), (150, 160), (120, 150), (200, 150)):  # an edge each
        assert coloured[row, column]
    assert not coloured[160, 100]  # within the box
    assert not coloured[210:, :].any()
    assert not coloured[:, 165:].any()


def test_the_committed_picture_shows_what_the_script_draws() -> None:
    with Image.open(PROJECT / "docs/boxes.png") as picture:
        shown = picture.convert("RGB")

    assert shown.height == draw_boxes.HEIGHT
    found = {colour for _, colour in shown.getcolors(shown.width * shown.height) or []}
    near = np.array(sorted(found))  # few colours: a box has nearly its own
    for label in ("Car", "Bicycle", "Pedestrian"):
        assert (np.abs(near - np.array(scene.COLOURS[label])).max(axis=-1) <= 4).any(), label
