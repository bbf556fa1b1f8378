"""Tasks: which one an export is of, and which frames it has.

<meta>
  <task>                      (or <job>, or <project> with <tasks> of <task>)
    <id>12</id><name>street</name><size>20</size><subset>Train</subset>
    <deleted_frames>7 12</deleted_frames>              (see deleted_frames.py)
    <start_frame>2</start_frame><stop_frame>97</stop_frame><frame_filter>step=5</frame_filter>
    <original_size><width>640</width><height>480</height></original_size>
  </task>
</meta>
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lxml import etree

from annotations import deleted_frames
from annotations.export_file import Choice
from annotations.safe_xml import Element, at
from annotations.values import find_text, parse_whole
from stage.errors import StageError

DEFAULT = "default"
"""How CVAT calls the subset of a task that has none."""

OF_PICTURES = "annotation"
"""The mode of a task that is not of a movie; every export of a task, job or project has it."""


@dataclass(frozen=True)
class Task:
    """A task of an export. start, stop, step: of its frames, absolute numbers, stop included.

    count: how many frames it has, deleted ones included. size: width and height of the pictures.
    mode: "interpolation" if it is of a movie, "annotation" if it is of pictures, "" if unsaid.
    offset: what a project's export adds to its frame numbers. siblings: the ids of all tasks of
    the project, if it is the export of one. alone: whether it is the only one of its subset.
    by_subset: whether it was chosen by its subset, not by id or name. deleted: the frames that were
    deleted in CVAT, None if the export does not say which.
    """

    id: str = ""
    name: str = ""
    subset: str = ""
    start: int = 0
    stop: int | None = None
    step: int = 1
    count: int = 0
    size: tuple[int, int] | None = None
    mode: str = ""
    offset: int = 0
    siblings: frozenset[str] = frozenset()
    alone: bool = False
    by_subset: bool = False
    deleted: frozenset[int] | None = None

    def numbers(self, last: int) -> range:
        """Return the numbers of the task's frames; last is used if it does not say its own."""
        return range(self.start, (last if self.stop is None else self.stop) + 1, self.step)

    def holds(self, element: Element, where: str) -> bool:
        """Tell whether a track or picture is of this task; all are, but in a project's export.

        The element's task_id decides; where it has none, or only the subset was chosen, its
        subset does, if that has no other task.
        """
        own, subset = element.get("task_id"), element.get("subset")
        if not self.siblings or (own is None and len(self.siblings) == 1):
            return True
        if self.alone and subset is not None and (own is None or self.by_subset):
            return subset == (self.subset or DEFAULT)
        if own not in self.siblings:
            text = f"task_id is {own or ''!r}, which is none of the project's tasks"
            raise StageError(f"{at(element, where)}: {text}; export the task alone")
        return own == self.id


def choose_task(meta: etree._Element, choice: Choice, where: str) -> Task:
    """Return the task that an export is of, or the one chosen from a project's export."""
    project, job = meta.find("project"), meta.find("job")
    if project is not None:
        tasks = _read_tasks(meta, project, where)
        return _choose(list(_add_offsets(tasks)), choice, at(project, where))
    element = meta.find("task") if job is None else job
    deleted_frames.refuse_misplaced(meta, [element], where)
    if element is None:
        return Task()
    found = _read_task(element, where)
    size = meta.find("original_size")  # where it is in the export of a job
    found = found if size is None else replace(found, size=_read_size(size, where))
    wanted = choice.task or choice.expected
    if job is None and wanted and wanted not in (found.id, found.name):
        raise StageError(
            f"{at(element, where)}: is the export of task {found.id} ({found.name}), not of "
            f"{wanted}; export that one, or correct cvat-task"
        )
    return found


def _read_tasks(meta: etree._Element, project: etree._Element, where: str) -> list[Task]:
    """Return the tasks of a project in the order in which CVAT counts their frames."""
    found = project.findall("tasks/task")
    alone = [project] if len(found) == 1 else []
    deleted_frames.refuse_misplaced(meta, [*found, *alone], where)
    shared = [element for each in alone for element in each.iterfind(deleted_frames.TAG)]
    tasks = [_read_task(each, where, shared) for each in found]
    return sorted(tasks, key=lambda each: (each.subset, int(each.id or 0)))


def _add_offsets(tasks: list[Task]) -> Iterator[Task]:
    """Add to each task what CVAT adds to the numbers of its frames in a project's export.

    In a subset, the first task's numbers are its own; each later task's begin where the one
    before would end (cvat-ai/cvat, dataset_manager/bindings.py, ProjectData._init_frame_info).
    """
    offset, before = 0, Task()
    siblings = frozenset(each.id for each in tasks)
    subsets = Counter(each.subset for each in tasks)
    for each in tasks:
        same = before.id and each.subset == before.subset
        offset = offset + before.start + before.step * before.count if same else 0
        alone = subsets[each.subset] == 1
        yield replace(each, offset=offset, siblings=siblings, alone=alone)
        before = each


def _choose(tasks: list[Task], choice: Choice, where: str) -> Task:
    wanted = choice.task or choice.expected
    fitting = [
        each
        for each in tasks
        if (not wanted or wanted in (each.id, each.name))
        and (not choice.subset or choice.subset == each.subset)
    ]
    if len(fitting) == 1:
        return replace(fitting[0], by_subset=not wanted)
    listed = ", ".join(f"{t.id} {t.name!r} (subset {t.subset or 'none'})" for t in fitting or tasks)
    raise StageError(
        f"{where}: is the export of a project; choose one task by --task ID or NAME and --subset "
        f"NAME, or by cvat-task: {listed}"
    )


def _read_task(element: etree._Element, where: str, shared: Sequence[etree._Element] = ()) -> Task:
    """Return a task; shared: what stands outside of it and is about it."""
    size = element.find("original_size")
    stop = element.findtext("stop_frame")
    name = element.findtext("id") or ""
    if not re.fullmatch(r"[0-9]{0,18}", name, re.ASCII):
        raise StageError(f"{at(element, where)}: the id {name[:40]!r} is no number; export again")
    start = parse_whole(element.findtext("start_frame") or "0", "start_frame", element, where)
    last = None if stop is None else parse_whole(stop, "stop_frame", element, where)
    count = parse_whole(element.findtext("size") or "0", "size", element, where)
    found = Task(
        id=name,
        name=element.findtext("name") or "",
        subset=element.findtext("subset") or "",
        start=start,
        stop=last,
        step=_find_step(element.findtext("frame_filter"), start, last, count),
        count=count,
        size=None if size is None else _read_size(size, where),
        mode=element.findtext("mode") or "",
    )
    known = None if last is None else found.numbers(last)
    deleted = [*shared, *element.iterfind(deleted_frames.TAG)]
    return replace(found, deleted=deleted_frames.read(deleted, known, where))


def _find_step(written: str | None, start: int, stop: int | None, count: int) -> int:
    """Return the step of a task's frames: `step=5` if it is written.

    Exports of 2020 have no frame_filter; then it is the one that gives count frames, or 1.

    >>> _find_step("step=5", 0, 19, 4), _find_step("", 0, 19, 4)
    (5, 1)
    >>> _find_step(None, 2, 19, 4), _find_step(None, 0, 9, 7)
    (5, 1)
    """
    if written is not None or stop is None or count < 2:
        found = re.search(r"step\s*=\s*([1-9][0-9]{0,6})\b", written or "")
        return int(found[1]) if found else 1
    step = max((stop - start) // (count - 1), 1)
    return step if len(range(start, stop + 1, step)) == count else 1


def _read_size(element: etree._Element, where: str) -> tuple[int, int]:
    width, height = (
        parse_whole(find_text(element, side, where), side, element, where)
        for side in ("width", "height")
    )
    return width, height
