"""Frames that an export leaves out: between keyframes (--interpolate), or deleted in CVAT."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import corpora
import prepare_annotations
from annotations.export_file import Choice
from stage.errors import StageError

Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]

CASE = "A_video_basic"
KEYFRAMES, EVERY_FRAME = (
    f"{CASE}__KEYFRAMES_ONLY_annotations.xml",
    f"{CASE}__CVAT_for_video_1.1.zip",
)
META = (
    "<meta><task><id>1</id><start_frame>0</start_frame><stop_frame>5</stop_frame>{}"
    "<original_size><width>64</width><height>48</height></original_size></task></meta>"
)

OUTSIDE = "source='gone'"
"""Marks a keyframe from which on nothing is seen."""


def exported(name: str) -> Path:
    """Return where an export is."""
    return corpora.path(f"cvat/exported/{name}")


@pytest.fixture
def movie(root: Path) -> Path:
    """The dataset of the exports' movie: 20 frames, every label valid."""
    lines = (f"{n},frame_{n:06}.PNG,,640,480,\n" for n in range(20))
    (root / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    (root.parents[1] / "params.yaml").write_text(
        "annotations: {valid-labels: [Car, Bicycle, Pedestrian], clip: False, keep-empty: True}"
    )
    return root


@pytest.mark.parametrize("words", ["--interpolate", "--interpolate --task 1"])
def test_keyframes_alone_give_what_the_whole_export_gives(
    movie: Path, boxes: Boxes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(movie.parents[1])
    found = []
    for export, more in ((EVERY_FRAME, ""), (KEYFRAMES, words)):
        line = f"--parameters params.yaml --root data/movie1 {more} --destination"
        ends = [f"data/movie1/{export}.d", "--source", str(exported(export))]
        assert prepare_annotations.main([*line.split(), *ends]) == 0
        found.append(boxes(movie / f"{export}.d"))
    whole, completed = found

    assert sum(map(len, whole.values())) > 15
    assert completed.keys() == whole.keys()
    for name, objects in whole.items():
        assert [label for label, _ in completed[name]] == [label for label, _ in objects], name
        for (_, edges), (_, wanted) in zip(completed[name], objects, strict=True):
            assert edges == pytest.approx(wanted, abs=0.011), name


def test_the_numbers_of_keyframes_alone_are_those_of_the_whole_export(
    movie: Path, prepare: Prepare
) -> None:
    completed = prepare(exported(KEYFRAMES), choice=Choice(interpolate=True))

    assert completed == prepare(exported(EVERY_FRAME))


def test_a_whole_export_is_not_changed_by_it(
    movie: Path, prepare: Prepare, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    source = exported(EVERY_FRAME)
    prepare(source)
    before = tree(movie)
    prepare(source, choice=Choice(interpolate=True))

    assert tree(movie) == before


@pytest.fixture
def completed(root: Path, prepare: Prepare, boxes: Boxes) -> Callable[..., dict[int, list[float]]]:
    """Complete a track of boxes from frame -> attributes and left edge: edges by frame."""

    def run(track: dict[int, tuple[str, float]], meta: str = "") -> dict[int, list[float]]:
        drawn = "".join(
            f'<box frame="{n}" keyframe="1" outside="{int(more == OUTSIDE)}" {more} '
            f'occluded="0" xtl="{left}" ytl="10" xbr="{left + 10}" ybr="20"/>'
            for n, (more, left) in track.items()
        )
        source = root / "annotations.xml"
        made = f'{META.format(meta)}<track id="0" label="Car">{drawn}</track>'
        source.write_text(f"<annotations>{made}</annotations>")
        prepare(source, choice=Choice(interpolate=True))
        found = boxes(root / "Annotations")
        return {int(name[6:]): edges for name, [(_, edges)] in found.items()}

    return run


Completed = Callable[..., dict[int, list[float]]]


def lefts(found: dict[int, list[float]]) -> dict[int, float]:
    return {number: edges[0] for number, edges in sorted(found.items())}


def test_boxes_move_evenly_and_stay_after_the_last_keyframe(completed: Completed) -> None:
    found = completed({0: ("", 10.0), 3: ("", 13.0)})

    assert lefts(found) == {0: 10, 1: 11, 2: 12, 3: 13, 4: 13, 5: 13}


def test_a_track_moves_towards_its_end_outside_and_is_gone_there(completed: Completed) -> None:
    found = completed({0: ("", 10.0), 2: (OUTSIDE, 14.0), 4: ("", 30.0)})

    assert lefts(found) == {0: 10, 1: 12, 4: 30, 5: 30}


def test_frames_between_are_those_of_the_tasks_step(completed: Completed) -> None:
    found = completed({0: ("", 10.0), 4: ("", 20.0)}, "<frame_filter>step=2</frame_filter>")

    assert lefts(found) == {0: 10, 2: 15, 4: 20}


@pytest.mark.parametrize(("start", "end"), [(350, 10), (10, 350)])
def test_a_turn_goes_the_shorter_way(completed: Completed, start: int, end: int) -> None:
    found = completed({0: (f'rotation="{start}"', 20.0), 2: (f'rotation="{end}"', 20.0)})

    assert found[1] == [20, 10, 30, 20]
    assert found[0] == found[2] != found[1]


def test_shapes_that_are_no_boxes_are_refused_by_name(root: Path, prepare: Prepare) -> None:
    drawn = "".join(
        f'<polygon frame="{n}" keyframe="1" outside="0" points="1,1;9,9;1,9"/>' for n in (0, 4)
    )
    source = root / "annotations.xml"
    track = f'<track id="0" label="Car">{drawn}</track>'
    source.write_text(f"<annotations>{META.format('')}{track}</annotations>")

    with pytest.raises(StageError, match=r"annotations\.xml: has keyframes of a polygon, only box"):
        prepare(source, choice=Choice(interpolate=True))


@pytest.mark.parametrize(
    ("numbers", "deleted"),
    [
        ([0, 1, 2, 3], []),
        ([2, 3, 6, 7], [4, 5]),
        ([0, 1, 3, 4, 6], [2, 5]),
        ([1, 4, 7, 13], [10]),
        ([4], []),
    ],
)
def test_pictures_between_that_are_not_in_the_export_are_counted_and_named(
    movie: Path, prepare: Prepare, boxes: Boxes, capsys: pytest.CaptureFixture[str],
    numbers: list[int], deleted: list[int],
) -> None:  # fmt: skip
    source = movie / "annotations.xml"
    pictures = "".join(
        f'<image id="{n}" name="frame_{n:06}" width="640" height="480"/>' for n in numbers
    )
    source.write_text(f"<annotations>{pictures}</annotations>")
    metrics = prepare(source)
    names = ", ".join(f"frame_{n:06}.PNG" for n in deleted)

    assert metrics["dropped"] == ({"picture not in the export": len(deleted)} if deleted else {})
    assert f"probably deleted in CVAT: {names}" * bool(deleted) in capsys.readouterr().err
    assert sorted(boxes(movie / "Annotations")) == [f"frame_{n:06}" for n in numbers]
