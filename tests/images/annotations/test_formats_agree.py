"""The formats in which CVAT exported one task say the same of it.

What a format cannot say is named here, one by one; everything else has to be equal.
"""

import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from annotations import exports
from annotations.model import Annotation, Object
from stage import frames

VOC, VIDEO, IMAGES = "PASCAL_VOC_1.1", "CVAT_for_video_1.1", "CVAT_for_images_1.1"
FORMATS = (VOC, VIDEO, IMAGES)
PAIRS = [(VOC, VIDEO), (VOC, IMAGES), (VIDEO, IMAGES)]

TOLERANCE = 0.011
"""CVAT rounds an edge for each format from a float of its own: 23.075 is 23.08 or 23.07."""

CASES = {
    "A_video_basic",
    "C_video_3jobs_job0",
    "C_video_3jobs_job2",
    "C_video_3jobs_task",
    "D2_images_names",
    "D_images_all_shapes",
    "G_video_single_shapes",
    "I_video_no_annotations",
    "K_video_with_images",
    "L_images_with_images",
}

TRACKED = {"A_video_basic", "C_video_3jobs_job0", "C_video_3jobs_job2", "C_video_3jobs_task",
           "K_video_with_images"}  # fmt: skip
"""Cases that have tracks, not only shapes that CVAT turns into tracks to write them as video."""

OF_TRACKS = {"track_id", "keyframe"}
"""Attributes that images 1.1 has no place for, and VOC only for what was a track in the task.

Their values are compared between video 1.1 and VOC, except the number of a track: video 1.1
counts the tracks that it writes, VOC has another number for the same track.
"""

ONE_FILE = {"D_images_all_shapes": {"same.jpg"}}
"""Pictures that differ by extension only: VOC has one file for both, the later's (same.png).

The video format has no names, and a dataset cannot hold both pictures.
"""

NO_ELEMENT = {
    VOC: {
        "polygon": "dropped, though the manual has it otherwise (cvat-ai/cvat#5515)",
        "polyline": "dropped",
        "points": "dropped",
        "cuboid": "dropped",
        "skeleton": "dropped",
        "ellipse": "a picture in SegmentationClass",
        "mask": "a picture in SegmentationClass",
        "tag": "a line in ImageSets/Main/<label>_<subset>.txt",
    },
    VIDEO: {"tag": "not written: a track has shapes only"},
    IMAGES: {},
}
"""Format -> what it has no element for, and what becomes of it."""


def cases(corpus: Path) -> dict[str, dict[str, Path]]:
    """Case -> format -> its export, of the cases that are there in two formats at least."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in (corpus / "cvat/exported").glob("*__*.zip"):
        case, kind = path.stem.split("__")
        if kind in FORMATS:
            found[case][kind] = path
    return {case: paths for case, paths in found.items() if len(paths) > 1}


def pictures(case: str, paths: dict[str, Path]) -> frames.Pictures:
    """The pictures of a case, under the numbers, names and sizes that images 1.1 has of them."""
    with zipfile.ZipFile(paths[IMAGES]) as zipped:
        root = ElementTree.fromstring(zipped.read("annotations.xml"))
    found = []
    for place, image in enumerate(root.iter("image")):
        name, size = image.attrib["name"], (image.attrib["width"], image.attrib["height"])
        of_movie = name.startswith(frames.PREFIX)
        number = int(name.removeprefix(frames.PREFIX)) if of_movie else place
        if name not in ONE_FILE.get(case, ()):
            full = f"{name}.PNG" if of_movie else name
            found.append(frames.Frame(number, full, "", *map(int, size)))
    return frames.Pictures(found, Path("frames.csv"), complete=False)


def read(case: str, paths: dict[str, Path], kind: str) -> dict[str, Annotation]:
    """Read the export of a case: name of a picture -> its annotation."""
    known = pictures(case, paths)
    found = {}
    for annotation in exports.read(paths[kind], known):
        if annotation.picture in ONE_FILE.get(case, ()):
            continue
        frame = known.named(annotation.picture)
        assert frame, annotation.picture
        assert frame.name not in found
        assert (annotation.width, annotation.height) == (frame.width, frame.height)
        found[frame.name] = annotation
    return found


def common(case: str, each: Object, kinds: tuple[str, str]) -> Object:
    """The object as far as both formats can say it."""
    untold = OF_TRACKS if IMAGES in kinds or case not in TRACKED else set()
    kept = tuple((name, value) for name, value in each.attributes if name not in untold)
    return replace(each, attributes=kept)


def said(
    case: str, annotation: Annotation, kind: str, kinds: tuple[str, str]
) -> tuple[list[Object], list[Object]]:
    """Objects of a picture that both formats have an element for, and those that one has not."""
    told, untold = [], []
    for each in annotation.objects:
        fitting = not any(each.shape in NO_ELEMENT[other] for other in kinds)
        (told if fitting else untold).append(common(case, each, kinds))
    return told, untold


def alike(one: Object, other: Object) -> bool:
    """Whether two objects are the same but for the rounding of their edges."""
    edges = zip(astuple(one.box), astuple(other.box), strict=True)
    return replace(one, box=other.box) == other and all(abs(a - b) <= TOLERANCE for a, b in edges)


def unmatched(ones: list[Object], others: list[Object]) -> tuple[list[Object], list[Object]]:
    """What is in one list only."""
    left, rest = [], list(others)
    for one in ones:
        match = next((other for other in rest if alike(one, other)), None)
        if match is None:
            left.append(one)
        else:
            rest.remove(match)
    return left, rest


def test_every_case_with_several_formats_is_compared(corpus: Path) -> None:
    found = cases(corpus)

    assert set(found) == CASES
    assert all(set(paths) == set(FORMATS) for paths in found.values())


@pytest.mark.parametrize("kinds", PAIRS, ids=" = ".join)
@pytest.mark.parametrize("case", sorted(CASES))
def test_two_formats_say_the_same(corpus: Path, case: str, kinds: tuple[str, str]) -> None:
    paths = cases(corpus)[case]
    one, other = (read(case, paths, kind) for kind in kinds)

    assert set(one) == set(other)
    for name in one:
        left = [said(case, found[name], kind, kinds) for found, kind in ((one, kinds[0]), (other, kinds[1]))]
        assert unmatched(left[0][0], left[1][0]) == ([], []), name
