"""What 'CVAT for video 1.1' and 'CVAT for images 1.1' share: tasks, shapes and attributes.

<annotations>
  <meta>
    <task>                    (or <job>, or <project> with <tasks> of <task>)
      <id>12</id><name>street</name><size>20</size><subset>Train</subset>
      <start_frame>2</start_frame><stop_frame>97</stop_frame><frame_filter>step=5</frame_filter>
      <original_size><width>640</width><height>480</height></original_size>
    </task>
  </meta>
  ...
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from sys import intern
from typing import IO

from lxml import etree

from annotations.model import NOWHERE, Box, Object, around_ellipse
from annotations.safe_xml import (
    Element,
    Placed,
    at,
    attribute,
    box,
    climbs,
    elements,
    label,
    number,
    text,
    whole,
)
from stage.errors import StageError

DEFAULT = "default"
"""How CVAT calls the subset of a task that has none."""

OF_PICTURES = "annotation"
"""The mode of a task that is not of a movie; every export of a task, job or project has it."""

EDGES = ("xtl", "ytl", "xbr", "ybr")


@dataclass(frozen=True)
class Choice:
    """What to take of an export: the task, by id or name, and the subset, of a project.

    expected: the id of the only task that the export may be of. interpolate: whether an export
    with keyframes only is completed.
    """

    task: str = ""
    subset: str = ""
    expected: str = ""
    interpolate: bool = False


ANY = Choice()


@dataclass(frozen=True)
class Task:
    """A task of an export. start, stop, step: of its frames, absolute numbers, stop included.

    count: how many frames it has, deleted ones included. size: width and height of the pictures.
    mode: "interpolation" if it is of a movie, "annotation" if it is of pictures, "" if unsaid.
    offset: what a project's export adds to its frame numbers. siblings: the ids of all tasks of
    the project, if it is the export of one. alone: whether it is the only one of its subset.
    by_subset: whether it was chosen by its subset, not by id or name.
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


def task(meta: etree._Element, choice: Choice, where: str) -> Task:
    """Return the task that an export is of, or the one chosen from a project's export."""
    project, job = meta.find("project"), meta.find("job")
    if project is not None:
        return _chosen(list(_offset(_tasks(project, where))), choice, at(project, where))
    element = meta.find("task") if job is None else job
    if element is None:
        return Task()
    found = _task(element, where)
    size = meta.find("original_size")  # where it is in the export of a job
    found = found if size is None else replace(found, size=_size(size, where))
    wanted = choice.task or choice.expected
    if job is None and wanted and wanted not in (found.id, found.name):
        raise StageError(
            f"{at(element, where)}: is the export of task {found.id} ({found.name}), not of "
            f"{wanted}; export that one, or correct cvat-task"
        )
    return found


def _tasks(project: etree._Element, where: str) -> list[Task]:
    """Return the tasks of a project in the order in which CVAT counts their frames."""
    tasks = [_task(each, where) for each in project.iterfind("tasks/task")]
    return sorted(tasks, key=lambda each: (each.subset, int(each.id or 0)))


def _offset(tasks: list[Task]) -> Iterator[Task]:
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


def _chosen(tasks: list[Task], choice: Choice, where: str) -> Task:
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


def _task(element: etree._Element, where: str) -> Task:
    size = element.find("original_size")
    stop = element.findtext("stop_frame")
    name = element.findtext("id") or ""
    if not re.fullmatch(r"[0-9]{0,18}", name, re.ASCII):
        raise StageError(f"{at(element, where)}: the id {name[:40]!r} is no number; export again")
    start = whole(element.findtext("start_frame") or "0", "start_frame", element, where)
    last = None if stop is None else whole(stop, "stop_frame", element, where)
    count = whole(element.findtext("size") or "0", "size", element, where)
    return Task(
        id=name,
        name=element.findtext("name") or "",
        subset=element.findtext("subset") or "",
        start=start,
        stop=last,
        step=_step(element.findtext("frame_filter"), start, last, count),
        count=count,
        size=None if size is None else _size(size, where),
        mode=element.findtext("mode") or "",
    )


def _step(written: str | None, start: int, stop: int | None, count: int) -> int:
    """Return the step of a task's frames: `step=5` if it is written.

    Exports of 2020 have no frame_filter; then it is the one that gives count frames, or 1.

    >>> _step("step=5", 0, 19, 4), _step("", 0, 19, 4), _step(None, 2, 19, 4), _step(None, 0, 9, 7)
    (5, 1, 5, 1)
    """
    if written is not None or stop is None or count < 2:
        found = re.search(r"step\s*=\s*([1-9][0-9]{0,6})\b", written or "")
        return int(found[1]) if found else 1
    step = max((stop - start) // (count - 1), 1)
    return step if len(range(start, stop + 1, step)) == count else 1


def _size(element: etree._Element, where: str) -> tuple[int, int]:
    width, height = (
        whole(text(element, side, where), side, element, where) for side in ("width", "height")
    )
    return width, height


def head(stream: IO[bytes], where: str, choice: Choice) -> tuple[str, Task]:
    """Return of what an export consists, "track" or "image", and the task that it is of.

    The stream is rewound. Without either element, the task's mode tells: it is an export of a
    task whose pictures have no annotations.
    """
    kind, found = "", Task()
    for element, ended in elements(stream, where, ("meta", "track", "image")):
        if element.tag != "meta":
            kind = str(element.tag)
            break
        if ended:
            found = task(element, choice, where)
    stream.seek(0)
    return kind or ("image" if found.mode == OF_PICTURES else "track"), found


def shape(
    element: Element, name: str, where: str, extra: tuple[tuple[str, str], ...] = ()
) -> Object:
    """Return the object that an element (<box>, <polygon>, ...) draws; extra: more attributes."""
    kind = element.tag
    rotation = number(element.get("rotation") or "0", "rotation", element, where)
    own = [each for each in element.children if each.tag == "attribute"]
    pairs = [(attribute(each, "name", where), each.text) for each in own]
    check_kinds(pairs, element, where)
    attributes, flags = sorted_attributes((*pairs, *extra), rotation)
    return Object(
        label=label(name, element, where),
        box=box_of(element, where),
        shape=kind,
        rotation=rotation if kind == "box" else 0.0,
        occluded=element.get("occluded") == "1",
        truncated="truncated" in flags,
        difficult="difficult" in flags,
        attributes=attributes,
    )


def box_of(element: Element, where: str) -> Box:
    """Return the upright box around what an element draws; one without area if it draws nothing."""
    return BOXES.get(element.tag, _none)(element, where)


def check_kinds(pairs: Iterable[tuple[str, str]], element: Placed, where: str) -> None:
    """Refuse a `type`, which may become part of a label, that is a path."""
    for name, value in pairs:
        if name in KINDS and climbs(value):
            text = f"the {name} {value[:40]!r} is a path; rename it in CVAT"
            raise StageError(f"{at(element, where)}: {text}")


KINDS = ("type", "Type")
"""What the attribute is called that says more than the label; the first one counts."""

FLAGS = ("truncated", "difficult")
"""Attributes that a Pascal VOC object has elements for; CVAT's VOC does not repeat them."""

SET = re.compile(r"true|[+-]?0*[1-9][0-9]*(?:\.[0-9]*)?", re.ASCII | re.IGNORECASE)

Attributes = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def sorted_attributes(pairs: Attributes, rotation: float) -> tuple[Attributes, frozenset[str]]:
    """Return attributes in one order and spelling, and the flags among them that are set.

    CVAT's formats spell a checkbox True or true and a number 3.0 or 3, and order them at random.
    """
    spelled = {intern(name): _spelled(value) for name, value in pairs}
    flags = frozenset(name for name in FLAGS if is_set(spelled.pop(name, "")))
    if rotation:
        spelled["rotation"] = f"{rotation:g}"
    else:
        spelled.pop("rotation", None)
    return tuple(sorted(spelled.items())), flags


@lru_cache(maxsize=4096)
def is_set(value: str) -> bool:
    """Tell whether a flag is set: a checkbox is ticked, or a number is not 0.

    Other texts, `yes` as well as `no`, are 0 where CVAT writes Pascal VOC (cvat-ai/datumaro,
    voc_format/converter.py: `_convert_attr("truncated", attr, int, 0)`), so they are here.

    >>> [is_set(value) for value in ("true", "1", "3.0", "FALSE", "0.0", "no", "")]
    [True, True, True, False, False, False, False]
    """
    return bool(SET.fullmatch(value.strip()))


def _spelled(value: str) -> str:
    """Spell a value as CVAT's XML does, whichever format it comes from.

    >>> _spelled("True"), _spelled("3.0"), _spelled("3.10")
    ('true', '3', '3.10')
    """
    if value in ("True", "False"):
        return value.lower()
    return intern(value[:-2] if re.fullmatch(r"-?[0-9]+\.0", value) else value)


def _box(element: Element, where: str) -> Box:
    try:
        edges = [element.attributes[edge] for edge in EDGES]
    except KeyError:
        edges = [attribute(element, edge, where) for edge in EDGES]
    return box(edges, EDGES, element, where)


def _points(element: Element, where: str) -> Box:
    """Return the box around `x,y;x,y`."""
    return around(attribute(element, "points", where).split(";"), element, where)


def _skeleton(element: Element, where: str) -> Box:
    """Return the box around the points of a skeleton that are in the picture."""
    visible = [p for p in element.children if p.tag == "points" and p.get("outside") != "1"]
    pairs = [each for p in visible for each in attribute(p, "points", where).split(";")]
    return around(pairs, element, where) if pairs else NOWHERE


def around(pairs: list[str], element: Element, where: str) -> Box:
    """Return the box around points, each written `x,y`."""
    if not all(pair.count(",") == 1 for pair in pairs):
        raise StageError(f"{at(element, where)}: points= is no `x,y;x,y`; export again")
    xs, ys = (
        [number(each, "points", element, where) for each in axis]
        for axis in zip(*(pair.split(",") for pair in pairs), strict=True)
    )
    return Box(min(xs), min(ys), max(xs), max(ys))


def _ellipse(element: Element, where: str) -> Box:
    names = ("cx", "cy", "rx", "ry")
    x, y, rx, ry = (number(attribute(element, n, where), n, element, where) for n in names)
    return around_ellipse(
        x, y, rx, ry, number(element.get("rotation") or "0", "rotation", element, where)
    )


def _cuboid(element: Element, where: str) -> Box:
    """Return the box around a cuboid's eight corners: xtl1, ytl1, ... xbr2, ybr2."""
    corners = [f"{corner}{side}" for corner in ("tl", "bl", "tr", "br") for side in "12"]
    pairs = [f"{element.get(f'x{c}', '')},{element.get(f'y{c}', '')}" for c in corners]
    return around(pairs, element, where)


def _mask(element: Element, where: str) -> Box:
    left, top, width, height = (
        number(attribute(element, n, where), n, element, where)
        for n in ("left", "top", "width", "height")
    )
    return Box(left, top, left + width, top + height)


def _none(_element: Element, _where: str) -> Box:
    return NOWHERE


BOXES = {
    "box": _box,
    "polygon": _points,
    "polyline": _points,
    "points": _points,
    "ellipse": _ellipse,
    "cuboid": _cuboid,
    "mask": _mask,
    "skeleton": _skeleton,
}
"""A shape's element -> how the upright box around it is found. A tag, say, has none."""
