"""Frames that an export says were deleted in CVAT, as `fetch` writes it: nothing is guessed."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import prepare_annotations
from annotations.export_file import Choice
from stage.errors import StageError

Prepare = Callable[..., dict[str, Any]]
Write = Callable[..., Path]

KEEP_EMPTY = "annotations: {valid-labels: [Car], keep-empty: True}\n"
DELETED, DRAWN, MISSING = (
    "frame deleted in CVAT",
    "object on a deleted frame",
    "picture not in the export",
)


def say(*numbers: int) -> str:
    """The element as it is written for these frames."""
    return f"<deleted_frames>{' '.join(map(str, numbers))}</deleted_frames>"


def task(deleted: str, more: str = "", *, stop: int = 5, step: int = 1, mode: str = "") -> str:
    """What an export says of task 7, whose frames are counted from 0."""
    return (
        f"<task>\n{deleted}<id>7</id><name>t</name><size>{stop // step + 1}</size>"
        f"<mode>{mode or 'interpolation'}</mode><start_frame>0</start_frame>"
        f"<stop_frame>{stop}</stop_frame><frame_filter>step={step}</frame_filter>{more}</task>"
    )


def box(number: int, keyframe: bool = False, outside: bool = False) -> str:
    """A shape of a track."""
    return (
        f'<box frame="{number}" keyframe="{keyframe:d}" outside="{outside:d}" occluded="0" '
        f'xtl="{number}.00" ytl="2.00" xbr="300.00" ybr="40.00" z_order="0"></box>'
    )


def track(name: int, *shapes: str, more: str = "") -> str:
    """A track."""
    return f'<track id="{name}" label="Car" {more}>{"".join(shapes)}</track>'


def visible(numbers: Iterable[int]) -> list[str]:
    """Boxes of a track on some frames, the first of which is its only keyframe."""
    return [box(n, keyframe=place == 0) for place, n in enumerate(numbers)]


def image(number: int, name: str = "", objects: int = 0, more: str = "") -> str:
    """A picture with objects."""
    drawn = '<box label="Car" occluded="0" xtl="1" ytl="2" xbr="30" ybr="40"/>' * objects
    name = name or f"frame_{number:06}"
    return f'<image id="{number}" name="{name}" width="64" height="48" {more}>{drawn}</image>'


@pytest.fixture
def export(root: Path) -> Write:
    """Write an export from what its <meta> and its root have inside."""

    def write(meta: str, *parts: str) -> Path:
        path = root / "annotations.xml"
        path.write_text(f"<annotations><meta>{meta}</meta>{''.join(parts)}</annotations>")
        return path

    return write


@pytest.fixture
def kept(root: Path, parameters: Callable[[str], None]) -> Callable[[], list[int]]:
    """Keep empty pictures; return the numbers of the frames that are in the dataset."""
    parameters(KEEP_EMPTY)

    def read() -> list[int]:
        files = sorted(path.stem for path in (root / "Annotations").glob("*.xml"))
        listed = (root / "ImageSets/Main/default.txt").read_text().split()
        assert files == listed
        return [int(name.removeprefix("frame_")) for name in files]

    return read


Kept = Callable[[], list[int]]
Said = pytest.CaptureFixture[str]


def test_deleted_frames_are_counted_and_named_exactly(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    metrics = prepare(export(task(say(2, 4)), track(0, *visible([0, 1, 3, 5]))))
    said = capsys.readouterr().err

    assert kept() == [0, 1, 3, 5]
    assert metrics["dropped"] == {DELETED: 2}
    assert "annotations.xml: left out, deleted in CVAT: frames 2, 4\n" in said
    assert "probably" not in said


def test_a_deleted_frame_that_no_track_spans_is_no_empty_picture(
    export: Write, prepare: Prepare, kept: Kept
) -> None:
    metrics = prepare(export(task(say(0, 4)), track(0, *visible([1, 2]), box(3, True, True))))

    assert kept() == [1, 2, 3, 5]
    assert (metrics["pictures"], metrics["objects"]) == (4, 2)
    assert metrics["dropped"] == {DELETED: 2}
    assert "doubtful" not in metrics


def test_with_all_frames_deleted_nothing_is_kept(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    metrics = prepare(export(task(say(*range(6)))))

    assert kept() == []
    assert metrics["dropped"] == {DELETED: 6}
    assert "deleted in CVAT: frames 0-5\n" in capsys.readouterr().err


@pytest.mark.parametrize("element", ["<deleted_frames></deleted_frames>", "<deleted_frames/>"])
def test_where_it_is_known_that_none_is_deleted_none_is_inferred(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said, element: str
) -> None:
    metrics = prepare(export(task(element), track(0, *visible([0, 1, 3, 4]))))
    said = capsys.readouterr().err

    assert kept() == [0, 1, 2, 3, 4, 5]
    assert metrics["dropped"] == {}
    assert metrics["doubtful"] == {"track that leaves out a frame": 1}
    assert "not deleted in CVAT, fetch it again: track 0 (frame 2)\n" in said


def test_boxes_on_deleted_frames_are_left_out_and_counted(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    one, other = track(0, *visible(range(6))), track(1, *visible([1, 2]), box(3, True, True))
    metrics = prepare(export(task(say(2, 3)), one, other))

    assert kept() == [0, 1, 4, 5]
    assert metrics["objects"] == 5
    assert metrics["dropped"] == {DELETED: 2, DRAWN: 3}
    assert "has objects on frames that are deleted in CVAT, left out: frames 2-3\n" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("deleted", "shapes", "since"),
    [
        ((2,), visible([0, 1, 3, 4, 5]), "frame 2"),
        ((1, 3), visible([0, 2, 4, 5]), "frames 1, 3"),
        ((1, 3), [*visible([0]), box(2, True), box(4), box(5)], "frame 3"),
        ((2, 5), visible([0, 1, 3, 4]), "frame 2"),
        ((2,), visible([0, 1, 3, 4]), ""),
        ((2,), [*visible([0, 1, 3]), box(4, True), box(5)], ""),
        ((2,), [*visible([0, 1]), box(3, True), box(4), box(5)], ""),
        ((2,), [*visible([0, 1, 3]), box(4, True, True)], ""),
        ((2, 4, 5), [*visible([0, 1]), box(3, True, True)], ""),
        ((2,), visible([0, 1, 2, 3, 4, 5]), ""),
    ],
)
def test_a_track_without_keyframe_after_a_deleted_frame_up_to_the_end_is_named(
    export: Write,
    prepare: Prepare,
    capsys: Said,
    deleted: tuple[int, ...],
    shapes: list[str],
    since: str,
) -> None:
    other = track(8, *visible([0]), box(1, True, True))
    metrics = prepare(export(task(say(*deleted)), track(0, *shapes), other))
    runs_on = f"runs on after a deleted frame, perhaps without its object: track 0 ({since})\n"

    assert metrics["dropped"][DELETED] == len(deleted)
    assert metrics.get("doubtful", {}) == (
        {"track that runs on after a deleted frame": 1} if since else {}
    )
    assert (runs_on in capsys.readouterr().err) == bool(since)


def test_a_gap_that_is_deleted_only_in_part_is_named_by_its_other_frames(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    shapes = [box(0, True), box(4), box(5, True)]
    metrics = prepare(export(task(say(2)), track(0, *shapes)))

    assert kept() == [0, 1, 3, 4, 5]
    assert metrics["doubtful"] == {"track that leaves out a frame": 1}
    assert "not deleted in CVAT, fetch it again: track 0 (frames 1, 3)\n" in capsys.readouterr().err


def test_keyframes_on_every_frame_but_the_deleted_are_a_whole_export(
    export: Write, prepare: Prepare, kept: Kept
) -> None:
    shapes = [box(n, keyframe=True) for n in (0, 1, 4, 5)]
    assert prepare(export(task(say(2, 3)), track(0, *shapes)))["objects"] == 4
    assert kept() == [0, 1, 4, 5]

    for deleted in ("", say(), say(3)):
        with pytest.raises(StageError, match=r"has keyframes only \(nothing for 2 frames after 1"):
            prepare(export(task(deleted), track(0, *shapes)))


def test_no_box_is_interpolated_on_a_deleted_frame(
    export: Write, prepare: Prepare, kept: Kept, boxes: Callable[[Path], Any], root: Path
) -> None:
    source = export(task(say(2, 5)), track(0, box(0, True), box(4, True)))
    metrics = prepare(source, choice=Choice(interpolate=True))

    assert kept() == [0, 1, 3, 4]
    assert boxes(root / "Annotations")["frame_000003"] == [("Car", [3, 2, 64, 40])]
    assert metrics["dropped"] == {DELETED: 2}
    assert "doubtful" not in metrics


def test_a_whole_export_that_is_to_be_interpolated_names_the_same_tracks(
    export: Write, prepare: Prepare
) -> None:
    ended = track(1, *visible([0, 1, 3]), box(4, True, True))
    for deleted in (say(2), ""):
        source = export(task(deleted), track(0, *visible([0, 1, 3, 4, 5])), ended)
        metrics = prepare(source)

        assert metrics["doubtful"] == {"track that runs on after a deleted frame": 1}
        assert prepare(source, choice=Choice(interpolate=True)) == metrics


def test_the_frames_of_a_step_are_counted_as_the_movie_counts_them(
    export: Write, root: Path, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    """Task 3 of the recorded server: relative frames 3 and 12 of 125 in steps of 2."""
    lines = (f"{n},frame_{n:06}.PNG,,640,272,\n" for n in range(250))
    (root / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    numbers = [n for n in range(0, 249, 2) if n not in (6, 24)]
    one = [box(n, n in (0, 20)) for n in numbers if n < 40]
    other = [box(n, n in (10, 30)) for n in numbers if 10 <= n < 50]
    metrics = prepare(
        export(
            task(say(6, 24), stop=248, step=2),
            track(0, *one, box(40, True, True)),
            track(1, *other, box(50, True, True)),
        )
    )

    assert kept() == numbers
    assert (metrics["pictures"], metrics["objects"]) == (123, 37)
    assert metrics["dropped"] == {DELETED: 2}
    assert "doubtful" not in metrics
    assert "left out, deleted in CVAT: frames 6, 24\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["annotations.zip", "annotations.xml"])
def test_check_says_the_same(
    export: Write, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, name: str
) -> None:
    plain = export(task(say(2)), track(0, *visible(range(6))))
    with zipfile.ZipFile(root / "annotations.zip", "w") as zipped:
        zipped.write(plain, "annotations.xml")
    (root / "frames.csv").unlink()
    monkeypatch.chdir(root.parents[1])
    words = "--parameters params.yaml --root data/movie1 --check --source data/movie1/"

    assert prepare_annotations.main(f"{words}{name}".split()) == 0
    said = capsys.readouterr()
    assert [line.split()[-1] for line in said.out.splitlines() if "deleted" in line] == ["1", "1"]
    assert "left out, deleted in CVAT: frame 2\n" in said.err


def test_of_pictures_the_numbers_are_their_ids(
    export: Write, root: Path, prepare: Prepare, boxes: Callable[[Path], Any], capsys: Said
) -> None:
    """CVAT's order of pictures need not be that of the dataset, so only id= tells."""
    lines = (f"{n},{name},,64,48,\n" for n, name in enumerate(["a.jpg", "b.jpg", "c.jpg", "d.jpg"]))
    (root / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    shown = [image(0, "d.jpg", 1), image(1, "a.jpg", 2), image(3, "c.jpg", 1)]
    metrics = prepare(export(task(say(1, 2), stop=3, mode="annotation"), *shown))

    assert sorted(boxes(root / "Annotations")) == ["c", "d"]
    assert metrics["dropped"] == {DELETED: 2, DRAWN: 2}
    said = capsys.readouterr().err
    assert "left out, deleted in CVAT: frames 1-2\n" in said
    assert "has objects on frames that are deleted in CVAT, left out: frame 1\n" in said


def test_the_numbers_of_a_task_of_pictures_are_no_frames_of_the_dataset(
    export: Write, prepare: Prepare
) -> None:
    metrics = prepare(export(task(say(*range(10)), stop=9, mode="annotation")))

    assert metrics["dropped"] == {DELETED: 10}


def test_pictures_that_are_missing_though_not_deleted_are_counted_and_named(
    export: Write, prepare: Prepare, kept: Kept, capsys: Said
) -> None:
    metrics = prepare(export(task(say(0, 4), stop=4, step=2), image(2, objects=1)))
    assert metrics["dropped"] == {DELETED: 2}
    assert kept() == [2]

    metrics = prepare(export(task(say(4)), *(image(n) for n in (0, 3, 5))))
    assert metrics["dropped"] == {DELETED: 1, MISSING: 2}
    assert kept() == [0, 3, 5]
    said = capsys.readouterr().err
    assert "not in the export, but not deleted in CVAT, fetch it again: frames 1-2\n" in said
    assert "probably" not in said


def test_pictures_that_are_missing_are_not_written_out_one_by_one(
    export: Write, root: Path, prepare: Prepare, capsys: Said
) -> None:
    (root / "frames.csv").unlink()
    (root / "JPEGImages").mkdir()
    numbers = range(1, 24, 2)
    metrics = prepare(export(task(say(), stop=900_000_000), *(image(n) for n in numbers)))
    missing = 900_000_001 - len(numbers)

    assert metrics["dropped"][MISSING] == missing
    spans = ", ".join(map(str, range(0, 20, 2)))
    assert f": frames {spans} and {missing - 10} more\n" in capsys.readouterr().err


def test_pictures_of_a_movie_that_has_fewer_frames_are_refused(
    export: Write, prepare: Prepare
) -> None:
    source = export(task(say(*range(1, 9)), stop=8), image(0))

    with pytest.raises(StageError, match=r"goes to frame 8, which is not in .*frames\.csv; is it"):
        prepare(source)


@pytest.mark.parametrize("kind", ["image", "track"])
def test_in_a_project_the_numbers_are_those_of_the_task(
    export: Write, prepare: Prepare, kept: Kept, kind: str
) -> None:
    """Task 8 follows task 7 in its subset, so its frames 0 to 5 are 6 to 11 in the file."""
    own = 'task_id="8" subset=""'
    parts = [image(n + 6, objects=1, more=own) for n in (0, 1, 3, 4, 5)]
    if kind == "track":
        parts = [track(0, *visible(n + 6 for n in (0, 1, 3, 4)), box(11, True), more=own)]
    tasks = task(say(5)) + task(say(2)).replace(">7<", ">8<")
    source = export(f"<project><id>1</id><tasks>{tasks}</tasks></project>", *parts)
    metrics = prepare(source, choice=Choice("8"))

    assert kept() == [0, 1, 3, 4, 5]
    assert (metrics["objects"], metrics["dropped"]) == (5, {DELETED: 1})


def test_of_a_project_with_one_task_the_project_may_say_it(
    export: Write, prepare: Prepare, kept: Kept
) -> None:
    meta = f"<project>{say(2)}<id>1</id><tasks>{task('')}</tasks></project>"
    prepare(export(meta, track(0, *visible([0, 1]), box(2, True, True))))

    assert kept() == [0, 1, 3, 4, 5]


def test_a_job_says_those_of_its_own_frames(export: Write, prepare: Prepare, kept: Kept) -> None:
    numbers = "<size>3</size><start_frame>3</start_frame><stop_frame>5</stop_frame>"
    job = f"<job>{{}}<id>3</id>{numbers}</job>"
    prepare(export(job.format(say(4)), track(0, *visible([3]))))
    assert kept() == [3, 5]

    with pytest.raises(StageError, match=r"has 1, none of the task's \(3 to 5\)"):
        prepare(export(job.format(say(1)), track(0, *visible([3]))))


@pytest.mark.parametrize(
    ("element", "said"),
    [
        *[
            (f"<deleted_frames>{text}</deleted_frames>", f":2: <deleted_frames> has {word} where")
            for text, word in {
                "two": "'two'", "-1": "'-1'", "1.0": "'1.0'", "1,2": "'1,2'", "+1": "'+1'",
                "01": "'01'", "1e0": "'1e0'", "\u0661": "'\u0661'", "1_0": "'1_0'", " ": "''",
                "1  2": "''", "1 ": "''", " 1": "''", "1\n2": "'1\\n2'",
                "9" * 5000: f"'{'9' * 40}'",
            }.items()
        ],
        (say(3, 1), ":2: <deleted_frames> has 1 after 3; they must ascend"),
        (say(1, 1), ":2: <deleted_frames> has 1 after 1; they must ascend"),
        (say(6), ":2: <deleted_frames> has 6, none of the task's (0 to 5)"),
        (say(*range(1_000_000)), ":2: <deleted_frames> has 6, none of the task's (0 to 5)"),
        (say(*range(3_000_000)), ":2: "),
        (say(1) + "\n" + say(1), ":3: <deleted_frames> is there twice"),
        (say() + say(), ":2: <deleted_frames> is there twice"),
        ("<deleted_frames>1<b/>2</deleted_frames>", ":2: <deleted_frames> holds more than"),
        ("<deleted_frames>1<!-- --></deleted_frames>", ":2: <deleted_frames> holds more than"),
        (f"<labels>{say(1)}</labels>", ":2: <deleted_frames> is not in the element of the task"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
@pytest.mark.parametrize("part", [track(0, *visible(range(6))), image(0)], ids=["track", "image"])
def test_what_is_no_list_of_frames_is_refused_by_line_and_reason(
    export: Write, prepare: Prepare, root: Path, element: str, said: str, part: str
) -> None:
    source = export(task(element), part)
    with pytest.raises(StageError) as raised:
        prepare(source)

    assert str(raised.value).startswith(f"{source}{said}")
    assert "again" in str(raised.value)
    assert len(str(raised.value)) < 300 + len(str(source))
    assert sorted(path.name for path in root.iterdir()) == ["annotations.xml", "frames.csv"]


def test_a_frame_between_two_steps_is_none_of_the_tasks(export: Write, prepare: Prepare) -> None:
    with pytest.raises(StageError, match=r"has 3, none of the task's \(0 to 4 in steps of 2\)"):
        prepare(export(task(say(3), stop=4, step=2), image(0)))


@pytest.mark.parametrize(
    "meta",
    [
        say(1) + task(""),
        f"<project>{say(1)}<tasks>{task('')}{task('').replace('>7<', '>8<')}</tasks></project>",
        f"<project>{say(1)}<tasks>{task(say(1))}</tasks></project>",
        f"<job><id>3</id><stop_frame>5</stop_frame></job>{task(say(1))}",
        f"<task>{say(1)}<id>7</id></task>",
    ],
)
def test_where_it_is_not_clear_whose_they_are_they_are_refused(
    export: Write, prepare: Prepare, meta: str
) -> None:
    with pytest.raises(StageError, match=r"<deleted_frames> .*; fetch the export again from CVAT$"):
        prepare(export(meta, track(0, *visible(range(6)), more='task_id="7"')), choice=Choice("7"))
