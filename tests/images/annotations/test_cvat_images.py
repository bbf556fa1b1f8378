"""Reading 'CVAT for images 1.1', and choosing a task of a project."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from annotations.cvat_xml import find_task
from annotations.export_file import ANY, Choice
from annotations.formats import cvat_images, cvat_video
from annotations.model import Annotation, Box, Object
from stage import frames
from stage.errors import StageError

NOTHING = frames.Pictures([], Path("frames.csv"), complete=False)

BOX = (
    '<box label="Car" source="manual" occluded="1" xtl="1.00" ytl="2.50" xbr="30.00" ybr="40.25" '
    'z_order="0"><attribute name="type">suv</attribute></box>'
)

TASKS = (
    ("7", "north", "Train", 5, 2),
    ("9", "south", "Train", 3, 0),
    ("8", "east", "Test", 4, 1),
)
"""Id, name, subset, number of frames and first frame; every task takes every third frame."""


def image(name: str, *shapes: str, more: str = "") -> str:
    """A picture of 64x48."""
    return f'<image id="0" name="{name}" {more} width="64" height="48">{"".join(shapes)}</image>\n'


def document(*parts: str) -> BytesIO:
    """A whole export."""
    return BytesIO(f"<annotations>{''.join(parts)}</annotations>".encode())


def read(*parts: str, choice: Choice = ANY) -> list[Annotation]:
    """Read the pictures of an export."""
    stream = document(*parts)
    task = find_task(stream, "a.xml", choice)
    return list(cvat_images.read_pictures(stream, "a.xml", task).annotations)


def project(tasks: Sequence[tuple[str, str, str, int, int]] = TASKS) -> str:
    """What the export of a project says of its tasks."""
    made = "".join(
        f"<task><id>{number}</id><name>{name}</name><size>{size}</size><subset>{subset}</subset>"
        f"<start_frame>{start}</start_frame><stop_frame>{start + 3 * size - 3}</stop_frame>"
        "<frame_filter>step=3</frame_filter></task>"
        for number, name, subset, size, start in tasks
    )
    return f"<meta><project><id>1</id><name>all</name><tasks>{made}</tasks></project></meta>"


def test_a_picture_has_the_objects_that_are_in_it() -> None:
    found = read(image("sub/été 車.png", BOX, BOX.replace('"1"', '"0"')), image("empty.jpg"))
    car = Object("Car", Box(1, 2.5, 30, 40.25), occluded=True, attributes=(("type", "suv"),))

    assert [annotation.picture for annotation in found] == ["sub/été 車.png", "empty.jpg"]
    assert found[0].objects[0] == car
    assert [each.occluded for each in found[0].objects] == [True, False]
    assert found[1] == Annotation("empty.jpg", 64, 48)


def test_a_tag_is_an_object_without_box() -> None:
    [found] = read(image("a.png", '<tag label="Rain" source="manual"/>'))

    assert [(each.shape, each.label, each.box.empty) for each in found.objects] == [
        ("tag", "Rain", True)
    ]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (image("a.png") + image("a.png"), ":2: a.png is in it twice"),
        (image("a.png").replace('name="a.png"', ""), ":1: <image> lacks name="),
        (image("a.png").replace('width="64"', ""), ":1: <image> lacks width="),
        (image("a.png").replace('width="64"', 'width="-1"'), ":1: width is '-1', no whole"),
        (image("a.png", BOX.replace('label="Car"', "")), ":1: <box> lacks label="),
        (image("a.png", BOX.replace("Car", "../x")), ":1: the label '../x' is a path"),
        (image("a.png", BOX.replace("Car", "/x")), ":1: the label '/x' is a path"),
        (image("a.png", BOX.replace("Car", "-rf")), ":1: the label '-rf' is a path"),
        (image("a.png", BOX.replace("Car", ".x")), ":1: the label '.x' is a path"),
        (image("a.png", BOX.replace("30.00", "nan")), ":1: xbr is 'nan', which is no number"),
        (image("a.png", '<polygon label="Car" points="1,2;3"/>'), ":1: points= is no `x,y;x,y`"),
    ],
)
def test_what_is_not_right_is_named_by_line(part: str, said: str) -> None:
    with pytest.raises(StageError) as raised:
        read(part)

    assert f"a.xml{said}" in str(raised.value)


@pytest.mark.parametrize("choice", [ANY, Choice(subset="Train"), Choice(task="10")])
def test_a_project_is_refused_until_one_task_is_chosen(choice: Choice) -> None:
    with pytest.raises(StageError) as raised:
        read(project(), choice=choice)

    assert "is the export of a project; choose one task by --task ID or NAME" in str(raised.value)
    assert "7 'north' (subset Train)" in str(raised.value)


@pytest.mark.parametrize(
    "choice",
    [Choice(task="9"), Choice(task="south"), Choice(subset="Train", task="9"),
     Choice(expected="9")],
)  # fmt: skip
def test_a_chosen_task_has_its_own_pictures_under_the_numbers_of_its_movie(choice: Choice) -> None:
    pictures = [
        image("frame_000002", more='subset="Train" task_id="7"'),
        image("frame_000017", BOX, more='subset="Train" task_id="9"'),
        image("frame_000023", more='subset="Train" task_id="9"'),
        image("frame_000001", more='subset="Test" task_id="8"'),
    ]
    found = read(project(), *pictures, choice=choice)

    assert [(a.picture, len(a.objects)) for a in found] == [
        ("frame_000000", 1),
        ("frame_000006", 0),
    ]


def test_the_first_task_of_a_subset_keeps_its_numbers() -> None:
    found = read(project(), image("frame_000001", more='task_id="8"'), choice=Choice(subset="Test"))

    assert [annotation.picture for annotation in found] == ["frame_000001"]


def test_the_tracks_of_a_chosen_task_are_under_the_numbers_of_its_movie() -> None:
    shape = BOX.replace('label="Car" source="manual"', 'frame="20" keyframe="1" outside="0"')
    tracks = [
        f'<track id="{n}" label="Car" task_id="{task}" subset="Train">{shape}</track>'
        for n, task in enumerate(("7", "9"))
    ]
    movie = [frames.Frame(n, frames.name(n, ".PNG"), "", 64, 48) for n in range(7)]
    pictures = frames.Pictures(movie, Path("frames.csv"), complete=True)
    stream = document(project(), tracks[1])
    task = find_task(stream, "a.xml", Choice(task="9"))
    found = list(cvat_video.read_tracks(stream, "a.xml", pictures, task).annotations)

    assert [a.picture for a in found] == [f"frame_{n:06}.PNG" for n in (0, 3, 6)]
    assert [len(a.objects) for a in found] == [0, 1, 0]


def test_of_a_project_the_tracks_of_a_movie_are_read_and_those_of_pictures_refused() -> None:
    """What a track's frame is called, the export says of a movie only."""
    meta = project().replace("<id>9</id>", "<id>9</id><mode>annotation</mode>")
    meta = meta.replace("<id>8</id>", "<id>8</id><mode>interpolation</mode>")
    shape = BOX.replace('label="Car" source="manual"', 'frame="1" keyframe="1" outside="0"')
    track = f'<track id="0" label="Car" task_id="8" subset="Test">{shape}</track>'

    def tracks(choice: Choice) -> list[Annotation]:
        stream = document(meta, track)
        task = find_task(stream, "a.xml", choice)
        return list(cvat_video.read_tracks(stream, "a.xml", NOTHING, task).annotations)

    assert [each.picture for each in tracks(Choice(task="8"))] == ["frame_000001.PNG"]
    with pytest.raises(StageError, match=r"^a\.xml: is .* pictures, .* 'CVAT for images 1\.1'$"):
        tracks(Choice(task="9"))


def test_the_export_of_another_task_than_the_expected_is_refused() -> None:
    meta = "<meta><task><id>7</id><name>north</name></task></meta>"

    assert len(read(meta, image("a.png"), choice=Choice(expected="7"))) == 1
    with pytest.raises(StageError, match=r"is the export of task 7 \(north\), not of 9"):
        read(meta, image("a.png"), choice=Choice(expected="9"))


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice(subset="Test"), ["frame_000001"]),
        (Choice(task="8"), ["frame_000001"]),
        (Choice(task="7"), ":2: task_id is '', which is none of the project's tasks"),
    ],
)
def test_a_picture_without_task_is_of_the_only_task_of_its_subset(
    choice: Choice, found: list[str] | str
) -> None:
    pictures = [
        image("frame_000001", more='subset="Test"'),
        image("frame_000002", more='subset="Train"'),
    ]

    if isinstance(found, list):
        assert [each.picture for each in read(project(), *pictures, choice=choice)] == found
    else:
        with pytest.raises(StageError, match=found):
            read(project() + "\n", *pictures, choice=choice)


def test_of_a_project_the_task_that_no_picture_is_of_is_refused() -> None:
    picture = image("frame_000001", more='task_id="7" subset="Train"')

    with pytest.raises(StageError, match=r"a\.xml: has no picture of task 8 \(east\); export"):
        read(project(), picture, choice=Choice(task="8"))
