"""The tasks of a CVAT: as they are now, and whether they are due."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pipelines.cvat.http import Refused, Server
from pipelines.errors import PipelineError, Transient

PAGE = 500
"""How many tasks or jobs are asked for at once."""

PAGES = 1000
"""The most pages of one list."""

DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII
)


@dataclass(frozen=True)
class Task:
    """name: as its annotators see it. updated: when it was changed last, as the API writes it.

    size: how many frames it has, None before it has data. of_pictures: not of a movie. jobs and
    finished: how many of its jobs count, and how many of these are done.
    """

    id: int
    name: str
    updated: str
    accepted: bool
    size: int | None
    of_pictures: bool
    jobs: int = 0
    finished: int = 0


class Movie(NamedTuple):
    """name: of the file, without folders. last: the movie's last frame that is in the task."""

    name: str
    last: int


Found = dict[int, Task | PipelineError]
"""Of each task what it is, or why it is not to be had."""


def read_tasks(server: Server, numbers: Sequence[int]) -> Found:
    """Return the tasks of these numbers: a question for 500, and one for each that is not listed.

    What is in no list may be in no organization, deleted, or not the token's to see.
    """
    found: Found = {}
    for start in range(0, len(numbers), PAGE):
        part = numbers[start : start + PAGE]
        for values in _list(server, "/api/tasks", {"filter": _within("id", part)}):
            if (number := values.get("id", 0)) in part:
                found[number] = _try_parse(values)
    away: Transient | None = None
    for number in (each for each in numbers if each not in found):
        found[number] = one = away or _read_alone(server, number)
        away = one if isinstance(one, Transient) else away
    return {number: found[number] for number in numbers}


def read_task(server: Server, number: int) -> Task:
    """Return the task of a number; Refused says that CVAT does not give it."""
    return _parse(server.read_json(f"/api/tasks/{number}"))


def count_jobs(server: Server, tasks: Iterable[Task]) -> dict[int, Task]:
    """Return the tasks with the jobs of their annotators that are completed.

    The task's own numbers are of jobs that are accepted; those of ground truth count there, too.
    """
    counted = {task.id: replace(task, jobs=0, finished=0) for task in tasks}
    numbers = sorted(counted)
    for start in range(0, len(numbers), PAGE):
        query = {"filter": _within("task_id", numbers[start : start + PAGE]), "type": "annotation"}
        for values in _list(server, "/api/jobs", query):
            if (task := counted.get(values.get("task_id", 0))) is None:
                continue
            done = int(values.get("state") == "completed")
            counted[task.id] = replace(task, jobs=task.jobs + 1, finished=task.finished + done)
    return counted


def find_undone(task: Task, when: str) -> str:
    """Return what a task lacks to be taken; empty if it is to be taken. when: as in params.yaml.

    >>> task = Task(3, "bikes", "2026-11-27T02:52:44Z", False, 125, False, jobs=5, finished=2)
    >>> find_undone(task, "accepted"), find_undone(task, "saved")
    ('not accepted yet (2 of 5 jobs)', '')
    """
    done = when == "completed" and task.jobs and task.finished == task.jobs
    if when == "saved" or task.accepted or done:
        return ""
    return f"not {when} yet ({_describe_jobs(task)})"


def _describe_jobs(task: Task) -> str:
    """Say how far the jobs of a task are, or why it has none."""
    if task.size is None:
        return "it has no data; upload its movie or pictures in CVAT"
    if not task.jobs:
        return "CVAT lists no job of it; is cvat.organization right?"
    return f"{task.finished} of {task.jobs} jobs"


def read_user(server: Server) -> str:
    """Return the name of the token's user, as one word."""
    values = server.read_json("/api/users/self")
    name = values.get("username") if isinstance(values, dict) else None
    return re.sub(r"[^A-Za-z0-9@.+_-]+", "_", str(name or "somebody"))[:150]


def read_deleted_frames(server: Server, number: int) -> tuple[int, ...]:
    """Return the frames that were deleted of a task, as its export and its movie count them."""
    try:
        values = server.read_json(f"/api/tasks/{number}/data/meta")
        relative, start = map(_int, values["deleted_frames"]), _int(values["start_frame"])
        step = _read_step(values["frame_filter"])
        return tuple(sorted({start + frame * step for frame in relative}))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise PipelineError("CVAT does not tell its deleted frames as expected") from None


def read_movie(server: Server, number: int) -> Movie:
    """Return what CVAT says of a task's movie."""
    try:
        values = server.read_json(f"/api/tasks/{number}/data/meta")
        (frame,) = values["frames"]
        return Movie(_text(frame["name"]).rpartition("/")[2], _int(values["stop_frame"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise PipelineError("CVAT does not tell the name of its movie as expected") from None


def _read_step(text: str) -> int:
    """Return how many frames of the movie make one of the task.

    >>> [_read_step(text) for text in ("", "step=2")]
    [1, 2]
    """
    matched = re.fullmatch(r"(?:step\s*=\s*([1-9][0-9]{0,8}))?", text.strip(), re.ASCII)
    if not matched:
        raise ValueError(text)
    return int(matched[1] or 1)


def _read_alone(server: Server, number: int) -> Task | PipelineError:
    """Ask for a task by its number; return why it is not to be had."""
    try:
        return read_task(server, number)
    except Refused as error:
        return explain(error, server)
    except PipelineError as error:
        return error


def explain(error: Refused, server: Server) -> PipelineError:
    """Say in words of people why a task is not to be had."""
    known = {
        403: "the token may not see or export it; give its user the role maintainer, or supervisor "
        "and the task",
        404: "is not in CVAT any more; delete cvat-task, and its branch if one is left",
    }
    return PipelineError(known.get(error.status) or str(error).removeprefix(f"{server.url}: "))


def _list(server: Server, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what the pages of a list have."""
    target = server.join(path, {**query, "page_size": str(PAGE)})
    for _ in range(PAGES):
        values = _ask_for_list(server, target)
        results, more = values.get("results"), values.get("next")
        if not isinstance(results, list):
            raise PipelineError(
                f"{server.url}: answers without results; does cvat.url lead to CVAT?"
            )
        yield from (each for each in results if isinstance(each, dict))
        if not more:
            return
        target = server.localize(more)
    raise PipelineError(f"{server.url}: gives a list without an end")


def _ask_for_list(server: Server, target: str) -> dict[str, Any]:
    try:
        values = server.read_target(target)
    except Refused as error:
        known = {
            403: "the token's user is not in it; let its owner invite the user",
            404: "there is none of this name, or cvat.url does not lead to CVAT",
        }
        if text := known.get(error.status):
            raise PipelineError(f"params.yaml: cvat.organization: {text}") from None
        raise
    return values if isinstance(values, dict) else {}


def _within(field: str, numbers: Sequence[int]) -> str:
    """Return the filter for these numbers, in JSON logic."""
    return json.dumps({"in": [{"var": field}, [*numbers]]}, separators=(",", ":"))


def _try_parse(values: dict[str, Any]) -> Task | PipelineError:
    try:
        return _parse(values)
    except PipelineError as error:
        return error


def _parse(values: Any) -> Task:
    """Read what CVAT says of a task."""
    try:
        jobs = values["jobs"]
        return Task(
            id=_int(values["id"]),
            name=_text(values["name"]),
            updated=_date(values["updated_date"]),
            accepted=values["status"] == "completed",
            size=_int(values["size"]) if values.get("size") else None,
            of_pictures=values["mode"] == "annotation",
            jobs=_int(jobs["count"]),
            finished=_int(jobs["completed"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PipelineError("CVAT does not describe the task as expected") from None


def _int(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _date(value: Any) -> str:
    if not DATE.fullmatch(text := _text(value)):
        raise ValueError(text)
    return text
