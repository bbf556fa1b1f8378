"""Exports of projects: one task is taken out, under the numbers that its frames have."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import prepare_annotations
from annotations.export_file import Choice
from stage.errors import StageError

Prepare = Callable[..., dict[str, Any]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]
Parameters = Callable[[str], None]
Write = Callable[[Path], Path]


@dataclass(frozen=True)
class Task:
    """A video task; the project's export adds an offset to the numbers of its frames: start +
    step * size of each task before it in its subset."""

    id: str
    name: str
    subset: str
    frames: range
    offset: int

    def meta(self) -> str:
        """What the export says of it."""
        return (
            f"<task><id>{self.id}</id><name>{self.name}</name><size>{len(self.frames)}</size>"
            f"<subset>{self.subset}</subset><start_frame>{self.frames[0]}</start_frame>"
            f"<stop_frame>{self.frames[-1]}</stop_frame><mode>interpolation</mode>"
            f"<frame_filter>step={self.frames.step}</frame_filter></task>"
        )

    def edges(self, frame: int) -> tuple[int, int, int, int]:
        """The only box of a frame, unlike those of all other frames and tasks."""
        return frame, TASKS.index(self), frame + 10, TASKS.index(self) + 9


TASKS = [
    Task("101", "road", "Train", range(2, 6, 3), 7 + 0 + 1 * 4),
    Task("13", "river", "Test", range(6), 0),
    Task("9", "street", "Train", range(1, 6, 2), 0),
    Task("12", "river", "Train", range(4), 1 + 2 * 3),
    Task("14", "bridge", "", range(5), 0),
]
"""Not in the order of their numbers; by text, 101 is before 9, and two have one name."""

TASKS_META = "".join(task.meta() for task in TASKS)
META = f"<meta><project><id>1</id><tasks>{TASKS_META}</tasks></project></meta>"
LISTED = (
    "9 'street' (subset Train), 12 'river' (subset Train), 101 'road' (subset Train)",
    "13 'river' (subset Test)",
    "14 'bridge' (subset none)",
)
CAR = 'label="Car"'


def box(task: Task, frame: int, more: str) -> str:
    left, top, right, bottom = task.edges(frame)
    return f'<box {more} occluded="0" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"/>'


def video(folder: Path) -> Path:
    """'CVAT for video 1.1' of the project, as a zip."""
    tracks = "".join(
        f'<track id="{n}" label="Car" task_id="{task.id}" subset="{task.subset}">'
        + "".join(
            box(task, f, f'frame="{f + task.offset}" keyframe="0" outside="0"') for f in task.frames
        )
        + "</track>"
        for n, task in enumerate(TASKS)
    )
    return zipped(folder, {"annotations.xml": f"<annotations>{META}{tracks}</annotations>"})


def images(folder: Path) -> Path:
    """'CVAT for images 1.1' of the project, as a zip."""
    pictures = "".join(
        f'<image id="{f + task.offset}" name="frame_{f + task.offset:06}" subset="{task.subset}" '
        f'task_id="{task.id}" width="64" height="48">{box(task, f, CAR)}</image>'
        for task in TASKS
        for f in task.frames
    )  # fmt: skip
    return zipped(folder, {"annotations.xml": f"<annotations>{META}{pictures}</annotations>"})


def zipped(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "project.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def expected(task: Task) -> dict[str, list[Any]]:
    return {f"frame_{f:06}": [("Car", list(task.edges(f)))] for f in task.frames}


every_format = pytest.mark.parametrize("write", [video, images])


@every_format
@pytest.mark.parametrize(
    ("choice", "task"),
    [
        (Choice("9"), TASKS[2]),
        (Choice("street"), TASKS[2]),
        (Choice("river", "Train"), TASKS[3]),
        (Choice("river", "Test"), TASKS[1]),
        (Choice("101"), TASKS[0]),
        (Choice(subset="Test"), TASKS[1]),
        (Choice("14"), TASKS[4]),
    ],
)
def test_the_task_that_is_chosen_gets_its_own_frame_numbers(
    root: Path, prepare: Prepare, boxes: Boxes, write: Write, choice: Choice, task: Task
) -> None:
    metrics = prepare(write(root), choice=choice)

    assert boxes(root / "Annotations") == expected(task)
    assert metrics["dropped"] == {}


@every_format
@pytest.mark.parametrize(
    ("choice", "listed"),
    [
        (Choice(), LISTED),
        (Choice("river"), ("12 'river' (subset Train)", LISTED[1])),
        (Choice("77"), LISTED),
        (Choice("street", "Test"), LISTED),
    ],
)
def test_without_one_task_chosen_the_tasks_are_listed(
    root: Path, prepare: Prepare, write: Write, choice: Choice, listed: tuple[str, ...]
) -> None:
    with pytest.raises(StageError) as raised:
        prepare(write(root), choice=choice)
    said = str(raised.value)

    assert "annotations.xml:1: is the export of a project; choose one task by --task ID" in said
    assert all(each in said for each in listed)
    assert said.count("(subset") == sum(each.count("(subset") for each in listed)


@every_format
@pytest.mark.parametrize("words", ["", "--task river --subset Test"])
def test_the_task_is_chosen_by_the_parameters_or_the_command_line(
    root: Path, boxes: Boxes, parameters: Parameters, write: Write, words: str
) -> None:
    own = "" if words else "datasets: {movie1: {cvat-task: 12}}\n"
    parameters(f"annotations: {{valid-labels: [Car]}}\n{own}")
    paths = f"--parameters {root.parents[1]}/params.yaml --root {root} --source {write(root)}"
    line = f"{paths} --destination {root}/Annotations {words}"

    assert prepare_annotations.main(line.split()) == 0
    assert boxes(root / "Annotations") == expected(TASKS[1 if words else 3])


def voc(folder: Path, sets: dict[str, list[int]]) -> Path:
    """'PASCAL VOC 1.1' of a project, from subsets of frames."""
    files = {
        f"ImageSets/Main/{subset}.txt": "".join(f"frame_{n:06}\n" for n in numbers)
        for subset, numbers in sets.items()
    }
    for n in {n for numbers in sets.values() for n in numbers}:
        size = "<size><width>64</width><height>48</height></size>"
        files[f"Annotations/frame_{n:06}.xml"] = (
            f"<annotation><filename>frame_{n:06}.PNG</filename>{size}<object><name>Car</name><bndbox>"
            f"<xmin>{n}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
        )
    return zipped(folder, files)


def test_a_voc_export_whose_subsets_share_pictures_is_refused(root: Path, prepare: Prepare) -> None:
    source = voc(root, {"Train": [0, 1, 2], "Test": [2, 3]})

    for choice in (Choice(), Choice(subset="Test")):
        with pytest.raises(StageError, match=r"project\.zip: .*share names.*its tasks one by one"):
            prepare(source, choice=choice)


@pytest.mark.parametrize(
    ("subset", "numbers"), [("", [0, 1, 3, 4]), ("Train", [0, 3]), ("Test", [1, 4])]
)
def test_of_a_voc_export_the_chosen_subset_is_taken(
    root: Path, prepare: Prepare, boxes: Boxes, subset: str, numbers: list[int]
) -> None:
    prepare(voc(root, {"Train": [0, 3], "Test": [1, 4]}), choice=Choice(subset=subset))

    assert sorted(boxes(root / "Annotations")) == [f"frame_{n:06}" for n in numbers]
