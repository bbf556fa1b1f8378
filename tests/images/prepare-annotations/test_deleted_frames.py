"""Frames that were deleted in CVAT: no export holds them, and tracks may go wrong after them."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stage.errors import StageError

Prepare = Callable[..., dict[str, Any]]

META = (
    "<meta><task><id>7</id><size>6</size><mode>{}</mode><start_frame>{}</start_frame>"
    "<stop_frame>{}</stop_frame><frame_filter>{}</frame_filter></task></meta>"
)


def box(number: int, keyframe: bool, outside: bool = False) -> str:
    """A shape of a track."""
    return (
        f'<box frame="{number}" keyframe="{keyframe:d}" outside="{outside:d}" occluded="0" '
        f'xtl="{number}.00" ytl="2.00" xbr="30.00" ybr="40.00" z_order="0"></box>'
    )


def track(name: int, *shapes: str) -> str:
    """A track."""
    return f'<track id="{name}" label="Car">{"".join(shapes)}</track>'


@pytest.fixture
def export(root: Path) -> Callable[..., Path]:
    """Write an export of tracks or pictures."""

    def write(meta: str, *parts: str) -> Path:
        path = root / "annotations.xml"
        path.write_text(f"<annotations>{meta}{''.join(parts)}</annotations>")
        return path

    return write


RUNS_ON = "annotations.xml: runs on after a deleted frame, perhaps without its object: track 0\n"


@pytest.mark.parametrize(
    ("after", "ghost"),
    [
        ([box(3, False), box(4, False), box(5, False)], True),
        ([box(3, False), box(4, True), box(5, False)], False),
        ([box(3, True), box(4, False), box(5, False)], False),
        ([box(3, False), box(4, True, outside=True)], False),
    ],
)
def test_a_frame_that_a_visible_track_leaves_out_was_deleted(
    export: Callable[..., Path],
    prepare: Prepare,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    after: list[str],
    ghost: bool,
) -> None:
    other = track(1, *(box(n, n == 0) for n in (0, 1)), box(5, True))
    shown = [box(0, True), box(1, False), *after]
    metrics = prepare(export(META.format("interpolation", 0, 5, ""), track(0, *shown), other))
    said = capsys.readouterr().err

    assert metrics["dropped"]["picture not in the export"] >= 1
    assert "not in the export, probably deleted in CVAT: frame_000002.PNG" in said
    assert not (root / "Annotations/frame_000002.xml").exists()
    assert (RUNS_ON in said) == ghost
    assert metrics.get("doubtful", {}) == (
        {"track that runs on after a deleted frame": 1} if ghost else {}
    )


def test_a_frame_is_not_deleted_if_another_track_has_it(
    export: Callable[..., Path], prepare: Prepare
) -> None:
    one = track(0, box(0, True), box(1, False), box(3, False))
    other = track(1, box(2, True), box(3, True, outside=True))
    metrics = prepare(export(META.format("interpolation", 0, 3, ""), one, other))

    assert "picture not in the export" not in metrics["dropped"]


def test_a_track_that_runs_on_after_several_deleted_frames_is_one(
    export: Callable[..., Path], prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = [box(0, True), box(2, False), box(4, False), box(5, False)]
    metrics = prepare(export(META.format("interpolation", 0, 5, ""), track(0, *shapes)))

    assert metrics["dropped"] == {"picture not in the export": 2}
    assert metrics["doubtful"] == {"track that runs on after a deleted frame": 1}
    assert RUNS_ON in capsys.readouterr().err


def test_a_track_that_ends_after_a_deleted_frame_does_not_run_on(
    export: Callable[..., Path], prepare: Prepare
) -> None:
    shapes = [box(0, True), box(1, False), box(3, True, outside=True)]
    metrics = prepare(export(META.format("interpolation", 0, 5, ""), track(0, *shapes)))

    assert "doubtful" not in metrics


@contextmanager
def limited_memory() -> Iterator[None]:
    """Allow no more than a gigabyte beside what is in use, or what may be used without limit."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


LATE = box(2, False).replace('frame="2"', 'frame="900000000"')


@pytest.mark.parametrize(
    "part",
    [
        track(
            0, box(0, True), box(1, False), box(2, False).replace('frame="2"', 'frame="900000000"')
        ),
        "".join(
            f'<image id="{n}" name="frame_{n:06}" width="64" height="48"></image>' for n in (0, 1)
        ),
    ],
    ids=["track", "image"],
)
def test_frames_that_an_export_says_in_vain_take_no_memory(
    export: Callable[..., Path], prepare: Prepare, root: Path, part: str
) -> None:
    (root / "frames.csv").unlink()
    (root / "JPEGImages").mkdir()
    for number in (0, 1, 4):
        (root / f"JPEGImages/frame_{number:06}.PNG").touch()
    with limited_memory():
        metrics = prepare(export(META.format("interpolation", 0, 900_000_000, ""), part))

    assert metrics["dropped"]["picture not in the export"] == 1


def test_the_first_and_last_are_missed_where_the_task_says_its_frames(
    export: Callable[..., Path], prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = '<image id="1" name="frame_000003" width="64" height="48"></image>'
    metrics = prepare(export(META.format("interpolation", 1, 5, "step=2"), picture))

    assert metrics["dropped"] == {"picture not in the export": 2, "picture without objects": 1}
    assert "deleted in CVAT: frame_000001.PNG, frame_000005.PNG\n" in capsys.readouterr().err


@pytest.mark.parametrize("own", ['task_id="9"', 'task_id=""', ""])
def test_a_projects_picture_of_no_task_is_refused(
    export: Callable[..., Path], prepare: Prepare, root: Path, own: str
) -> None:
    tasks = "".join(
        f"<task><id>{n}</id><name>t{n}</name><size>3</size><start_frame>0</start_frame>"
        "<stop_frame>2</stop_frame></task>"
        for n in (7, 8)
    )
    meta = f"<meta><project><id>1</id><tasks>{tasks}</tasks></project></meta>"
    picture = f'<image id="1" name="frame_000001" {own} width="64" height="48"></image>'
    (root.parents[1] / "params.yaml").write_text(
        "annotations: {valid-labels: [Car]}\ndatasets: {movie1: {cvat-task: 7}}\n"
    )
    before = json.dumps(sorted(map(str, root.rglob("*"))))

    with pytest.raises(StageError, match=r":1: task_id is '9?', which is none of the"):
        prepare(export(meta, picture))
    (root / "annotations.xml").unlink()
    assert json.dumps(sorted(map(str, root.rglob("*")))) == before
