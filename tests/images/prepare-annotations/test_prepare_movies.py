"""Annotations are checked against the movie's frames."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stage.errors import StageError

Write = Callable[..., Path]
Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]

BOX = (1.0, 2.0, 30.0, 40.0)
CAR: Any = ("Car", BOX, {})
FRAMES = "<start_frame>0</start_frame><stop_frame>5</stop_frame>"
SIZE = "<original_size><width>64</width><height>48</height></original_size>"


@pytest.fixture
def pictures(root: Path) -> Callable[..., None]:
    """Put pictures in the place of the frame index."""

    def put(*names: str) -> None:
        (root / "frames.csv").unlink()
        (root / "JPEGImages").mkdir()
        for name in names:
            (root / "JPEGImages" / name).touch()

    return put


def names(count: int) -> dict[str, list[Any]]:
    """Pictures of a movie's first frames, each with a car."""
    return {f"frame_{n:06}.PNG": [CAR] for n in range(count)}


def refusal(prepare: Prepare, source: Path, **options: bool) -> str:
    """What is said of an export; nothing is made of it."""
    with pytest.raises(StageError) as raised:
        prepare(source, **options)
    assert not (source.parent / "Annotations").exists()
    return str(raised.value)


def test_a_movie_of_another_size_is_refused(voc: Write, prepare: Prepare) -> None:
    said = refusal(prepare, voc(names(6), size=(48, 64)))

    assert "zip: frame_000000.PNG is 48x64, but the movie's frames are 64x48; is it the" in said


def test_a_movie_of_another_size_than_the_tasks_is_refused(video: Write, prepare: Prepare) -> None:
    said = refusal(prepare, video(FRAMES + SIZE.replace("64", "65"), {0: BOX}))

    assert "is 65x48, but the movie's frames are 64x48" in said


def test_an_export_without_size_has_the_movies(root: Path, video: Write, prepare: Prepare) -> None:
    prepare(video(FRAMES, {0: (-9, 0, 99, 9)}))
    written = (root / "Annotations" / "frame_000000.xml").read_text()

    assert "<width>64</width><height>48</height>" in written
    assert "<xmin>0.0</xmin><ymin>0.0</ymin><xmax>64.0</xmax>" in written


def test_a_task_that_ends_after_the_movie_is_refused(video: Write, prepare: Prepare) -> None:
    said = refusal(prepare, video(FRAMES.replace("5", "6") + SIZE, {0: BOX}))

    assert "goes to frame 6, but the last in " in said
    assert "frames.csv is 5; is it the export of another movie?" in said


def test_pictures_after_the_movies_end_are_refused(voc: Write, prepare: Prepare) -> None:
    assert "another movie" in refusal(prepare, voc(names(9)))


def test_an_export_of_a_part_of_the_movie_is_none_of_another(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes
) -> None:
    metrics = prepare(voc(names(4)))

    assert boxes(root / "Annotations").keys() == {f"frame_{n:06}" for n in range(4)}
    assert metrics["dropped"] == {}


def test_annotations_of_frames_without_picture_are_left_out_counted_and_named(
    root: Path,
    voc: Write,
    prepare: Prepare,
    boxes: Boxes,
    pictures: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures("frame_000001.PNG")
    metrics = prepare(voc(names(6)))

    assert boxes(root / "Annotations").keys() == {"frame_000001"}
    assert metrics["dropped"] == {"without picture": 5}
    assert (
        "JPEGImages, left out: frame_000000.PNG, frame_000002.PNG, frame_000003.PNG and 2 more\n"
        in capsys.readouterr().err
    )


def test_no_rewrite_keeps_names_and_annotations_without_picture(
    root: Path, voc: Write, prepare: Prepare, boxes: Boxes, pictures: Callable[..., None]
) -> None:
    pictures("frame_000001.PNG")
    metrics = prepare(voc({"FRAME_000001.jpg": [CAR], "other/b.png": [CAR]}), rewrite=False)

    assert sorted(boxes(root / "Annotations")) == ["FRAME_000001", "other/b"]
    assert "<filename>FRAME_000001.jpg<" in (root / "Annotations/FRAME_000001.xml").read_text()
    assert (metrics["pictures"], metrics["dropped"]) == (2, {})


def test_no_rewrite_keeps_the_frames_of_a_task_without_picture(
    root: Path, video: Write, prepare: Prepare, boxes: Boxes, pictures: Callable[..., None]
) -> None:
    pictures("frame_000001.PNG")
    prepare(video(FRAMES + SIZE, {1: BOX, 2: BOX}), rewrite=False)
    listed = (root / "ImageSets/Main/default.txt").read_text()

    assert boxes(root / "Annotations").keys() == {"frame_000001", "frame_000002"}
    assert listed == "frame_000001\nframe_000002\n"


def test_no_rewrite_still_refuses_a_movie_of_another_size(voc: Write, prepare: Prepare) -> None:
    assert "is it the export of" in refusal(prepare, voc(names(6), size=(1, 1)), rewrite=False)


def test_boxes_of_a_step_go_to_their_own_pictures(
    root: Path, video: Write, prepare: Prepare, boxes: Boxes, pictures: Callable[..., None]
) -> None:
    pictures("frame_000002.PNG", "frame_000004.PNG", "Thumbs.db")
    metrics = prepare(video(FRAMES + SIZE, {2: (2, 2, 9, 9), 4: (4, 4, 9, 9)}))

    assert metrics["dropped"] == {}
    assert boxes(root / "Annotations") == {
        "frame_000002": [("Car", [2, 2, 9, 9])],
        "frame_000004": [("Car", [4, 4, 9, 9])],
    }


def test_boxes_in_pictures_whose_size_nobody_says_are_not_lost_silently(
    video: Write, prepare: Prepare, pictures: Callable[..., None]
) -> None:
    pictures("frame_000000.PNG", "frame_000001.PNG")
    dropped: dict[str, int] = {}
    with contextlib.suppress(StageError):
        dropped = prepare(video(FRAMES, {0: BOX}))["dropped"]

    assert "box outside the picture" not in dropped


def test_without_frames_it_says_what_to_run_first(root: Path, voc: Write, prepare: Prepare) -> None:
    (root / "frames.csv").unlink()

    assert "run video-to-frame first" in refusal(prepare, voc(names(1)))


def test_an_index_cannot_lead_out_of_the_destination(
    root: Path, video: Write, prepare: Prepare
) -> None:
    index = (root / "frames.csv").read_text().replace("frame_000000.PNG", "../../pwned.PNG")
    (root / "frames.csv").write_text(index)
    refusal(prepare, video(FRAMES + SIZE, {0: BOX}))

    assert not list(root.parents[1].rglob("pwned*"))
