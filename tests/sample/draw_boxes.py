"""Draw the picture of the README: frames of the sample registry with their boxes and labels.

Usage, in a registry after `make repro`: python tests/sample/draw_boxes.py [FILE]

Reads pictures and annotations of the merged splits, and writes FILE (default: docs/boxes.png).
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import scene

SHOWN = (
    ("data/merged/training", "movie1__frame_000029"),
    ("data/merged/training", "movie2__frame_000014"),
    ("data/merged/validation", "movie3__frame_000013"),
)
"""Split and name of each picture that is shown, from left to right."""

HEIGHT, GAP, LINE, LETTERS, COLOURS = 270, 6, 2, 13, 256
"""Of the pictures, between them, of a box's edge and of its label: pixels. Colours of the PNG."""


def draw_boxes(picture: Image.Image, annotation: ET.Element) -> Image.Image:
    """Scale a picture to HEIGHT and draw the boxes of its Pascal VOC annotation."""
    scale = HEIGHT / picture.height
    drawn = picture.convert("RGB").resize((round(picture.width * scale), HEIGHT))
    on = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(LETTERS)
    for thing in annotation.iterfind("object"):
        label = thing.findtext("name", "")
        edges = [
            float(thing.findtext(f"bndbox/{edge}", "nan")) * scale
            for edge in ("xmin", "ymin", "xmax", "ymax")
        ]
        colour = scene.colour_of(label)
        on.rectangle(edges, outline=colour, width=LINE)
        width = on.textlength(label, font)
        left = min(max(edges[0], 0), drawn.width - width - 2 * LINE)
        top = max(edges[1] - LETTERS - 2 * LINE, 0)
        on.rectangle((left, top, left + width + 2 * LINE, top + LETTERS + 2 * LINE), fill=colour)
        on.text((left + LINE, top), label, "white", font)
    return drawn


def join(pictures: Sequence[Image.Image]) -> Image.Image:
    """Put pictures of HEIGHT side by side on white, with GAP between them."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    joined = Image.new("RGB", (width, HEIGHT), "white")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width + GAP
    return joined


def main(argv: Sequence[str] | None = None) -> None:
    """Draw SHOWN into a PNG with few colours, which keeps it small."""
    (file,) = (sys.argv[1:] if argv is None else argv) or ["docs/boxes.png"]
    drawn = []
    for split, name in SHOWN:
        with Image.open(Path(split, "JPEGImages", f"{name}.PNG")) as picture:
            annotation = ET.parse(Path(split, "Annotations", f"{name}.xml")).getroot()
            drawn.append(draw_boxes(picture, annotation))
    joined = join(drawn).quantize(COLOURS, dither=Image.Dither.NONE)
    joined.save(file, optimize=True)


if __name__ == "__main__":
    main()
