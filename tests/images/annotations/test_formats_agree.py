"""The formats in which CVAT exported one task say the same of it.

What a format cannot say is named here, one by one; everything else has to be equal.
"""

import zipfile
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

import corpora
import readings
from annotations import cvat_xml, voc_file
from annotations.export_file import ANY
from annotations.formats import cvat_images, cvat_video
from annotations.model import Annotation, Box, Object
from annotations.tasks import Task
from stage import frames

VOC, VIDEO, IMAGES = "PASCAL_VOC_1.1", "CVAT_for_video_1.1", "CVAT_for_images_1.1"
FORMATS = (VOC, VIDEO, IMAGES)
PAIRS = [(VOC, VIDEO), (VOC, IMAGES), (VIDEO, IMAGES)]

TOLERANCE = 0.011
"""CVAT rounds an edge for each format from a float of its own: 23.075 is 23.08 or 23.07."""

TRACKED = {"A_video_basic", "C_video_3jobs_job0", "C_video_3jobs_job2", "C_video_3jobs_task",
           "K_video_with_images"}  # fmt: skip
"""Cases that have tracks, not only shapes that CVAT turns into tracks to write them as video."""

CASES = sorted(
    {Path(name).name.partition("__")[0] for name in corpora.names("cvat/exported/*.zip")}
)
"""All there are, which is more where the larger corpus is."""

OF_TRACKS = {"track_id", "keyframe"}
"""Attributes that images 1.1 has no place for, and VOC only for what was a track in the task.

Between video 1.1 and the VOC of a case with tracks they are compared, too.
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


def exports(case: str) -> dict[str, Path]:
    """Format -> the export of a case."""
    return {kind: corpora.path(f"cvat/exported/{case}__{kind}.zip") for kind in FORMATS}


def pictures(case: str, paths: dict[str, Path]) -> frames.Pictures:
    """The pictures of a case, under the numbers, names and sizes that images 1.1 has of them."""
    with zipfile.ZipFile(paths[IMAGES]) as zipped:
        root = ElementTree.fromstring(zipped.read("annotations.xml"))
    found = []
    for place, image in enumerate(root.iter("image")):
        name = image.attrib["name"]
        width, height = int(image.attrib["width"]), int(image.attrib["height"])
        of_movie = name.startswith(frames.PREFIX)
        number = int(name.removeprefix(frames.PREFIX)) if of_movie else place
        if name not in ONE_FILE.get(case, ()):
            full = f"{name}.PNG" if of_movie else name
            found.append(frames.Frame(number, full, "", width, height))
    return frames.Pictures(found, Path("frames.csv"), complete=False)


def tracks(source: Path, known: frames.Pictures) -> list[Annotation]:
    """Read 'CVAT for video 1.1' of a movie or of pictures, whose numbers are known here."""
    with zipfile.ZipFile(source) as zipped:
        content = zipped.read("annotations.xml").replace(b">annotation</mode>", b"></mode>")
    stream = BytesIO(content)
    task = cvat_xml.find_task(stream, source.name, ANY)
    return list(cvat_video.read_tracks(stream, source.name, known, task).annotations)


def read(case: str, paths: dict[str, Path], kind: str) -> dict[str, Annotation]:
    """Read the export of a case: name of a picture -> its annotation."""
    known = pictures(case, paths)
    found = {}
    for annotation in (tracks if kind == VIDEO else readings.read)(paths[kind], known):
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
    return each._replace(attributes=kept)


def told(case: str, annotation: Annotation, kinds: tuple[str, str]) -> list[Object]:
    """The objects of a picture that both formats have an element for."""
    return [
        common(case, each, kinds)
        for each in annotation.objects
        if not any(each.shape in NO_ELEMENT[kind] for kind in kinds)
    ]


def alike(one: Object, other: Object) -> bool:
    """Whether two objects are the same but for the rounding of their edges."""
    edges = zip(one.box, other.box, strict=True)
    return one._replace(box=other.box) == other and all(abs(a - b) <= TOLERANCE for a, b in edges)


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


def test_every_case_is_there_in_every_format() -> None:
    assert len(CASES) > 8
    assert [path for case in CASES for path in exports(case).values() if not path.exists()] == []


@pytest.mark.parametrize("kinds", PAIRS, ids=" = ".join)
@pytest.mark.parametrize("case", CASES)
def test_two_formats_say_the_same(case: str, kinds: tuple[str, str]) -> None:
    paths = exports(case)
    one, other = (read(case, paths, kind) for kind in kinds)

    assert set(one) == set(other)
    for name in one:
        ones, others = (told(case, found[name], kinds) for found in (one, other))
        assert unmatched(ones, others) == ([], []), name


@pytest.mark.parametrize("kind", [VOC, VIDEO])
def test_a_format_lacks_what_it_has_no_element_for_and_nothing_else(kind: str) -> None:
    case = "D_images_all_shapes"
    paths = exports(case)
    written, all_of_them = (
        {each.shape for found in read(case, paths, each).values() for each in found.objects}
        for each in (kind, IMAGES)
    )

    assert all_of_them == {"box", *NO_ELEMENT[VOC]}
    assert written == all_of_them - set(NO_ELEMENT[kind])


@pytest.mark.parametrize("case", CASES)
def test_only_tracks_have_their_attributes_and_not_in_every_format(case: str) -> None:
    paths = exports(case)
    named = {
        kind: {
            frozenset(OF_TRACKS & dict(each.attributes).keys())
            for annotation in read(case, paths, kind).values()
            for each in annotation.objects
        }
        for kind in FORMATS
    }
    nothing: set[frozenset[str]] = {frozenset()} if case != "I_video_no_annotations" else set()

    assert named[IMAGES] == nothing
    assert named[VIDEO] == {frozenset(OF_TRACKS) for _ in nothing}
    assert named[VOC] == (named[VIDEO] if case in TRACKED else nothing)


def test_of_two_pictures_with_one_stem_voc_has_the_later_alone() -> None:
    paths = exports("D_images_all_shapes")
    named = {kind: {each.picture for each in readings.read(paths[kind])} for kind in (VOC, IMAGES)}

    assert named[IMAGES] - named[VOC] == ONE_FILE["D_images_all_shapes"]
    assert named[VOC] < named[IMAGES]


@pytest.mark.parametrize(
    ("value", "written"),
    [("true", 1), ("false", 0), ("True", 1), ("FALSE", 0), ("0", 0), ("1", 1), ("3", 3),
     ("no", 0), ("No", 0), ("none", 0), ("", 0), ("yes", 0), ("partly", 0)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["truncated", "difficult"])
def test_a_flag_is_set_where_cvats_own_voc_has_it(name: str, value: str, written: int) -> None:
    """What CVAT has written is int() of True or False of a checkbox, of the text else; 0 if
    that is none (cvat-ai/datumaro, voc_format/converter.py, _convert_attr)."""
    edges = 'xtl="1" ytl="2" xbr="3" ybr="4"'
    attribute = f'<attribute name="{name}">{value}</attribute>'
    video = (
        f'<annotations><track id="0" label="Car"><box frame="0" {edges}>{attribute}</box></track>'
        "</annotations>"
    )
    images = (
        '<annotations><image name="frame_000000" width="64" height="48">'
        f'<box label="Car" {edges}>{attribute}</box></image></annotations>'
    )
    voc = voc_file.write(Annotation("a.PNG", 64, 48, (Object("Car", Box(1, 2, 3, 4)),)))
    voc = voc.replace(f"<{name}>0".encode(), f"<{name}>{written}".encode())
    old = voc.replace(f"<{name}>{written}".encode(), f"<{name}>{value}".encode())
    known = frames.Pictures([frames.Frame(0, "a.PNG", "", 64, 48)], Path("J"), complete=True)
    found = [
        *cvat_video.read_tracks(BytesIO(video.encode()), "a.xml", known, Task()).annotations,
        *cvat_images.read_pictures(BytesIO(images.encode()), "a.xml", Task()).annotations,
        *(voc_file.read(each, "a.xml") for each in (voc, old)),
    ]

    assert [getattr(each.objects[0], name) for each in found] == [bool(written)] * 4
