"""All formats of one task give one dataset; those that are not read are refused by name."""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import corpora
import prepare_annotations
from annotations.export_file import ANY, Choice
from stage.errors import StageError

Edges = list[float]
Found = dict[str, list[tuple[str, Edges]]]
Boxes = Callable[[Path], Found]
Prepare = Callable[..., Path]

MOVIES = {
    "A_video_basic": (20, 640, 480),
    "C_video_3jobs_task": (20, 640, 480),
    "C_video_3jobs_job0": (20, 640, 480),
    "C_video_3jobs_job2": (20, 640, 480),
    "G_video_single_shapes": (20, 640, 480),
    "I_video_no_annotations": (5, 640, 480),
    "K_video_with_images": (20, 160, 120),
    "annotations.xml": (31904, 1920, 1080),
    "usa-hitting.xml": (910, 1080, 1920),
}
"""Frames, width and height of each movie."""

IN_THE_WILD = "cvat/real/jensennhu+volleyball-swing-mech"

EXPORTED = [case for case in MOVIES if corpora.names(f"cvat/exported/{case}__*")]
WILD = [file for file in MOVIES if corpora.has(f"{IN_THE_WILD}/{file}")]
PICTURES = ["D2_images_names", "L_images_with_images"]
VOC, VIDEO, IMAGES = "PASCAL_VOC_1.1", "CVAT_for_video_1.1", "CVAT_for_images_1.1"

LABELS = "Car, Bicycle, Pedestrian, jump, swing, approach, land"


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Prepare an export of a movie, or of the pictures of some names; the dataset's folder."""

    def run(source: Path, case: str, names: list[str] | None = None, choice: Choice = ANY) -> Path:
        root = tmp_path / source.stem
        root.mkdir()
        count, width, height = MOVIES.get(case, (0, 0, 0))
        lines = [f"{n},frame_{n:06}.PNG,,{width},{height},\n" for n in range(count)]
        lines += [f"{n},{name},,0,0,\n" for n, name in enumerate(names or [])]
        index = "number,name,time,width,height,hash\n" + "".join(lines)
        (root / "frames.csv").write_text(index, "utf-8")
        parameters = f"valid-labels: [{LABELS}], keep-empty: {not case.endswith('.xml')}"
        (tmp_path / "params.yaml").write_text(f"annotations: {{{parameters}}}")
        prepare_annotations.prepare(
            tmp_path / "params.yaml",
            root,
            source,
            root / "Annotations",
            root / "metrics.json",
            choice=choice,
        )
        return root

    return run


def exported(case: str, kind: str) -> Path:
    """Return where the export of a case in a format is."""
    return corpora.path(f"cvat/exported/{case}__{kind}.zip")


def in_export(source: Path) -> Found:
    """Label and upright box in the picture of every object of a VOC export, by the picture."""
    found = {}
    with zipfile.ZipFile(source) as zipped:
        for name in zipped.namelist():
            if name.startswith("Annotations/"):
                root = ElementTree.fromstring(zipped.read(name))
                size = [float(root.findtext(f"size/{side}", "")) for side in ("width", "height")]
                boxes = [
                    (each.findtext("name", ""), clipped(upright(each), *size))
                    for each in root.iter("object")
                ]
                found[name.removeprefix("Annotations/").removesuffix(".xml")] = sorted(boxes)
    return found


def upright(element: ElementTree.Element) -> Edges:
    """The smallest upright box around an object, which may be turned about its centre."""
    left, top, right, bottom = (float(edge.text or "") for edge in element.iterfind("bndbox/*"))
    values = {a.findtext("name"): a.findtext("value", "") for a in element.iter("attribute")}
    turn = math.radians(float(values.get("rotation", 0)))
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = [
        (
            x + (i - x) * math.cos(turn) - (j - y) * math.sin(turn),
            y + (i - x) * math.sin(turn) + (j - y) * math.cos(turn),
        )
        for i in (left, right)
        for j in (top, bottom)
    ]
    xs, ys = zip(*corners, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def clipped(edges: Edges, width: float, height: float) -> Edges:
    """The part of a box that lies in the picture."""
    return [min(max(v, 0), limit) for v, limit in zip(edges, (width, height) * 2, strict=True)]


def same(found: Found, wanted: Found) -> None:
    """Compare boxes; CVAT rounds those of its formats by themselves."""
    assert found.keys() == wanted.keys()
    for name, objects in wanted.items():
        assert [label for label, _ in found[name]] == [label for label, _ in objects], name
        for (_, edges), (_, drawn) in zip(found[name], objects, strict=True):
            assert edges == pytest.approx(drawn, abs=0.011), name


@pytest.mark.parametrize("kind", [VOC, VIDEO, IMAGES])
@pytest.mark.parametrize("case", EXPORTED)
def test_every_box_of_cvats_voc_export_is_in_the_dataset(
    prepare: Prepare, boxes: Boxes, case: str, kind: str
) -> None:
    found = boxes(prepare(exported(case, kind), case) / "Annotations")

    same(found, in_export(exported(case, VOC)))


@pytest.mark.parametrize("case", EXPORTED)
def test_all_formats_give_the_same_numbers(prepare: Prepare, case: str) -> None:
    first, second, third = (
        (prepare(exported(case, kind), case) / "metrics.json").read_text()
        for kind in (VOC, VIDEO, IMAGES)
    )

    assert first == second == third


@pytest.mark.parametrize("kind", [VOC, IMAGES])
@pytest.mark.parametrize("case", PICTURES)
def test_pictures_with_odd_names_keep_their_boxes(
    prepare: Prepare, boxes: Boxes, case: str, kind: str
) -> None:
    with zipfile.ZipFile(exported(case, IMAGES)) as zipped:
        images = ElementTree.fromstring(zipped.read("annotations.xml")).iter("image")
    names = [image.get("name", "") for image in images]
    found = boxes(prepare(exported(case, kind), case, names) / "Annotations")

    same(found, in_export(exported(case, VOC)))


@pytest.mark.parametrize("case", [*PICTURES, "D_images_all_shapes"])
def test_frame_numbers_of_pictures_are_refused_whose_nobody_knows(
    prepare: Prepare, case: str
) -> None:
    with pytest.raises(
        StageError, match=r"'CVAT for video 1\.1' of .* pictures.* export 'CVAT for i"
    ):
        prepare(exported(case, VIDEO), case, [f"{n}.png" for n in range(11)])


@pytest.mark.parametrize("name", ["COCO", "YOLO", "MOT", "Datumaro"])
def test_another_format_is_refused_by_name(prepare: Prepare, name: str) -> None:
    [source] = corpora.names(f"cvat/exported/A_video_basic__{name}*.zip")

    with pytest.raises(StageError, match=rf"is .*{name}.*; export .*PASCAL VOC 1\.1"):
        prepare(corpora.path(source), "A_video_basic")


def test_a_backup_of_a_task_is_no_export(prepare: Prepare) -> None:
    source = corpora.path("cvat/real/cvat-ai+cvat/task_30_backup.zip")

    with pytest.raises(StageError, match=r"backup.*; export .*PASCAL VOC 1\.1"):
        prepare(source, "A_video_basic")


def test_keyframes_alone_are_refused_by_name(prepare: Prepare) -> None:
    source = corpora.path("cvat/exported/A_video_basic__KEYFRAMES_ONLY_annotations.xml")

    with pytest.raises(StageError, match=r"xml:[0-9]+: has keyframes only .* export 'CVAT for vid"):
        prepare(source, "A_video_basic")


@pytest.mark.parametrize(
    ("case", "interpolate"),
    [("A_video_basic", True), ("G_video_single_shapes", True), ("G_video_single_shapes", False)],
)
def test_keyframes_alone_are_completed_as_cvat_does_if_wanted_and_needed(
    prepare: Prepare, boxes: Boxes, case: str, interpolate: bool
) -> None:
    source = corpora.path(f"cvat/exported/{case}__KEYFRAMES_ONLY_annotations.xml")
    found = boxes(prepare(source, case, choice=Choice(interpolate=interpolate)) / "Annotations")

    same(found, in_export(exported(case, VOC)))


@pytest.mark.parametrize("file", WILD)
def test_a_long_task_of_the_wild_is_read_box_by_box(
    prepare: Prepare, boxes: Boxes, file: str
) -> None:
    source = corpora.path(f"{IN_THE_WILD}/{file}")
    wanted: Found = {}
    for track in ElementTree.parse(source).iter("track"):
        for box in track.iterfind("box[@outside='0']"):
            edges = [float(box.get(edge, "")) for edge in ("xtl", "ytl", "xbr", "ybr")]
            found = wanted.setdefault(f"frame_{int(box.get('frame', '')):06}", [])
            found.append((track.get("label", ""), clipped(edges, *MOVIES[file][1:])))

    same(
        boxes(prepare(source, file) / "Annotations"),
        {name: sorted(found) for name, found in wanted.items()},
    )
