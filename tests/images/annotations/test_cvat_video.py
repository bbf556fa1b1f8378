"""Reading 'CVAT for video 1.1'."""

from io import BytesIO
from pathlib import Path

import pytest

from annotations.cvat_xml import find_task
from annotations.export_file import ANY
from annotations.formats import cvat_video
from annotations.model import Annotation, Box, Object
from stage import frames
from stage.errors import StageError

SIZE = "<original_size><width>64</width><height>48</height></original_size>"
TASK = f"<meta><task><start_frame>0</start_frame><stop_frame>5</stop_frame>{SIZE}</task></meta>"
STEP = "<frame_filter>step = 3</frame_filter>"


def box(frame: int, *, outside: int = 0, keyframe: int = 1, more: str = "") -> str:
    """A box whose left edge is the number of its frame."""
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" '
        f'xtl="{frame}.00" ytl="1.00" xbr="40.50" ybr="20.25" z_order="0">{more}</box>'
    )


def track(*boxes: str, name: int = 0, label: str = "Car") -> str:
    """A track, one line a box."""
    return f'<track id="{name}" label="{label}" source="manual">\n' + "\n".join(boxes) + "</track>"


def read(*parts: str, last: int = 5, complete: bool = True) -> list[Annotation]:
    """Read an export of a movie that has frames 0 to last."""
    movie = [frames.Frame(n, f"frame_{n:06}.PNG", "", 64, 48) for n in range(last + 1)]
    pictures = frames.Pictures(movie, Path("frames.csv"), complete=complete)
    xml = f"<annotations><version>1.1</version>{''.join(parts)}</annotations>".encode()
    task = find_task(BytesIO(xml), "a.xml", ANY)
    return list(cvat_video.read_tracks(BytesIO(xml), "a.xml", pictures, task).annotations)


def seen(annotations: list[Annotation]) -> dict[int, list[float]]:
    """Number of a frame -> left edges of its boxes."""
    return {
        int(annotation.picture[6:12]): [each.box.xmin for each in annotation.objects]
        for annotation in annotations
    }


def test_a_frame_has_the_boxes_that_are_written_for_it_and_no_others() -> None:
    gone = track(box(0), box(1, keyframe=0), box(2, outside=1), box(4), box(5, outside=1))
    stays = track(box(4), name=1)

    assert seen(read(TASK, gone, stays)) == {0: [0], 1: [1], 2: [], 3: [], 4: [4, 4], 5: []}


def test_an_object_has_what_the_box_says() -> None:
    more = '<attribute name="type">suv</attribute><attribute name="note">&lt;é&gt;</attribute>'
    shape = box(0, more=more).replace('occluded="0"', 'occluded="1" rotation="30.00"')
    [first, *_] = read(TASK, track(shape))

    assert first == Annotation(
        "frame_000000.PNG",
        64,
        48,
        (
            Object(
                "Car",
                Box(0, 1, 40.5, 20.25),
                occluded=True,
                rotation=30.0,
                attributes=(
                    ("keyframe", "true"),
                    ("note", "<é>"),
                    ("rotation", "30"),
                    ("track_id", "0"),
                    ("type", "suv"),
                ),
            ),
        ),
    )


SHAPES = {
    "polygon": ('points="1,5;3,2;2,2"', Box(1, 2, 3, 5)),
    "polyline": ('points="1,5;3,2.5"', Box(1, 2.5, 3, 5)),
    "points": ('points="7,8"', Box(7, 8, 7, 8)),
    "ellipse": ('cx="10" cy="10" rx="4" ry="2"', Box(6, 8, 14, 12)),
    "mask": ('rle="3, 4" left="3" top="4" width="5" height="6"', Box(3, 4, 8, 10)),
    "cuboid": (
        'xtl1="5" ytl1="6" xbl1="5" ybl1="9" xtr1="8" ytr1="6" xbr1="8" ybr1="9" '
        'xtl2="7" ytl2="4" xbl2="7" ybl2="7" xtr2="9" ytr2="4" xbr2="9" ybr2="7"',
        Box(5, 4, 9, 9),
    ),
}
"""How a shape is drawn, and the box around it."""


@pytest.mark.parametrize("tag", SHAPES)
def test_another_shape_has_the_box_around_it(tag: str) -> None:
    attributes, box = SHAPES[tag]
    [first, *_] = read(TASK, track(f'<{tag} frame="0" outside="0" occluded="1" {attributes}/>'))

    assert [(each.shape, each.box, each.occluded) for each in first.objects] == [(tag, box, True)]


def test_a_skeleton_has_the_box_around_its_visible_points() -> None:
    points = "".join(
        f'<points label="{n}" outside="{n // 3}" points="{n},{2 * n}"/>' for n in (1, 2, 3)
    )
    [first, *_] = read(TASK, track(f'<skeleton frame="0" keyframe="1">{points}</skeleton>'))

    assert [(each.shape, each.box) for each in first.objects] == [("skeleton", Box(1, 2, 2, 4))]


def test_the_numbers_of_a_task_with_a_step_are_those_of_the_movie() -> None:
    task = TASK.replace(">0<", ">1<").replace(">5<", ">4<").replace("</task>", f"{STEP}</task>")

    assert seen(read(task, track(box(4)))) == {1: [], 4: [4]}


def test_a_job_has_its_own_frames() -> None:
    job = TASK.replace("task", "job").replace(">0<", ">2<")

    assert list(seen(read(job, track(box(3))))) == [2, 3, 4, 5]


def test_without_meta_every_frame_of_the_movie_is_the_tasks() -> None:
    assert list(seen(read(track(box(3))))) == [0, 1, 2, 3, 4, 5]


def test_a_frame_without_picture_has_cvats_name() -> None:
    found = read(TASK, track(box(1), box(2), box(3), box(4)), last=2, complete=False)

    assert [a.picture for a in found if a.objects] == [
        f"frame_{number:06}.PNG" for number in (1, 2, 3, 4)
    ]


def test_an_export_that_goes_on_after_the_movie_is_refused() -> None:
    with pytest.raises(StageError, match=r"goes to frame 5, but the last in frames\.csv is 4; is"):
        read(TASK, last=4)


@pytest.mark.parametrize("number", [6, 10, 11])
def test_a_frame_after_the_tasks_last_is_refused(number: int) -> None:
    with pytest.raises(StageError, match=f"frame {number} "):
        read(TASK, track(box(number)), last=10)


def test_a_frame_between_the_tasks_steps_is_refused() -> None:
    with pytest.raises(StageError, match="frame 2 "):
        read(TASK.replace("</task>", f"{STEP}</task>"), track(box(2)))


def test_keyframes_alone_are_refused_by_line() -> None:
    with pytest.raises(StageError, match=r"a\.xml:3: has keyframes only .*3 frames after 0"):
        read(TASK, track(box(0), box(4)))


def test_a_box_on_each_of_the_tasks_frames_is_no_keyframe_alone() -> None:
    task = TASK.replace("</task>", f"{STEP}</task>")

    assert seen(read(task, track(box(0), box(3)))) == {0: [0], 3: [3]}


def test_single_shapes_are_no_keyframes_alone() -> None:
    shapes = (track(box(0), box(1, outside=1)), track(box(4), name=1))

    assert seen(read(TASK, *shapes))[4] == [4]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("<meta><project/></meta>", "is the export of a project; choose one task by --task"),
        (track(box(1), box(1)), ":3: frame 1 follows 1 in its track"),
        (track(box(1)) + track(box(2)), ": track 0 is in it twice"),
        (track(box(1)).replace(' label="Car"', ""), ": <track> lacks label="),
        (track(box(1)).replace(' xtl="1.00"', ""), ":2: <box> lacks xtl="),
        (track(box(1)).replace('xbr="40.50"', 'xbr="0.5"'), ":2: the box is inside out"),
        (TASK.replace(">64<", ">64.5<"), ": width is '64.5', no whole number"),
        (TASK.replace("<width>64</width>", ""), ": <original_size> lacks <width>"),
    ],
)
def test_what_is_not_right_is_named(part: str, said: str) -> None:
    with pytest.raises(StageError) as raised:
        read(part)

    assert said in str(raised.value)
