"""The export of a task: asked for, waited for, downloaded, and made canonical."""

import threading
import time
from typing import NamedTuple
from urllib.parse import quote

from pipelines.cvat import archives, canonical, tasks
from pipelines.cvat.canonical import Canonical, Stripped
from pipelines.cvat.http import Refused, Server
from pipelines.cvat.tasks import Task
from pipelines.errors import PipelineError, Transient

FORMATS = {False: "CVAT for video 1.1", True: "CVAT for images 1.1"}
"""Whether a task is of pictures -> the format that keeps all that it has."""

POLLS = (1, 2, 4, 5)
"""Seconds between two looks at an export that is under way; the last of them from then on."""

TRIES = 2
"""How often an export is asked for: its file may be gone, or older than the task."""

META = 1_000_000
"""Bytes that an export may have in addition to what is left of it."""

GONE = "the export's file was gone before it could be downloaded"


class Failed(PipelineError):  # noqa: N818  # it says what CVAT did
    """CVAT could not make what was asked for."""


class Patience:
    """How long exports are waited for: until none has ended for a number of seconds.

    So a queue that stands still is left, and a long one that moves is not. Threads share it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.stop = threading.Event()
        self.renew()

    def renew(self) -> None:
        """Say that an export has ended."""
        self._end = time.monotonic() + self.seconds

    def wait(self, seconds: float) -> None:
        """Wait; Transient says that it has been long enough."""
        if self.stop.wait(min(seconds, max(0.0, self._end - time.monotonic()))):
            raise Transient("stopped before it was exported")
        if time.monotonic() >= self._end:
            text = f"CVAT has exported nothing for {self.seconds:.0f} s"
            raise Transient(f"{text}; look whether its export worker runs")


class Limits(NamedTuple):
    """size: bytes of a canonical export."""

    size: int
    patience: Patience


def export(server: Server, task: Task, limits: Limits) -> Canonical:
    """Return the canonical export of a task; a PipelineError says why there is none.

    The deleted frames are asked for before it. If the export says then that the task has not
    changed since it was listed, both are of one state; else they are asked for again.
    """
    if task.size is None:
        raise PipelineError("has no data yet; upload its movie or pictures in CVAT")
    try:
        deleted = tasks.read_deleted_frames(server, task.id)
        stripped = _obtain(server, task, limits)
        if stripped.updated != task.updated:
            deleted = tasks.read_deleted_frames(server, task.id)
    except Refused as error:
        raise tasks.explain(error, server) from None
    limits.patience.renew()
    return stripped.fill(deleted)


def _obtain(server: Server, task: Task, limits: Limits) -> Stripped:
    """Return an export that is not older than the task as it was listed, if that can be had."""
    found = None
    for _ in range(TRIES):
        limits.patience.wait(0)
        url = wait_for(server, _ask(server, task), limits.patience)
        content = None if url is None else _download(server, url, limits.size)
        if content is not None:
            found = canonical.strip(content)
            if not _is_older(found.updated, task.updated):
                break
    if found is None:
        raise Transient(GONE)
    return found


def _is_older(date: str, other: str) -> bool:
    """Tell whether a date of the API is before another: with or without a part of a second.

    >>> _is_older("2026-11-27T02:52:44Z", "2026-11-27T02:52:44.780429Z")
    True
    """
    return date.rstrip("Z") < other.rstrip("Z")


def _ask(server: Server, task: Task) -> str:
    """Ask for an export and return its number; that of one that is under way already, too.

    `location` keeps it from being sent to the task's own storage, where a token may not read.
    """
    query = {"format": FORMATS[task.of_pictures], "save_images": "false", "location": "local"}
    return ask_for(server, server.join(f"/api/tasks/{task.id}/dataset/export", query))


def ask_for(server: Server, target: str) -> str:
    """Ask CVAT to make a file and return the request's number; of one that is under way, too."""
    values = server.post(target, also=(409,))
    number = values.get("rq_id") if isinstance(values, dict) else None
    if not isinstance(number, str) or not number:
        raise PipelineError("CVAT does not say which request its export is")
    return number


def wait_for(server: Server, number: str, patience: Patience) -> str | None:
    """Wait until a request is finished; return where its file is, None if CVAT has forgotten it.

    Failed says that CVAT could not make it.
    """
    path = f"/api/requests/{quote(number, safe='')}"
    for turn in range(10**6):
        patience.wait(POLLS[min(turn, len(POLLS) - 1)])
        try:
            values = server.read_json(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        state = values.get("status") if isinstance(values, dict) else None
        if state == "failed":
            raise Failed("CVAT could not export it; CVAT's page Requests says why")
        if state == "finished":
            return server.localize(values.get("result_url"))
        if state not in ("queued", "started"):
            raise PipelineError("CVAT does not say how far its export is")
    raise AssertionError


def _download(server: Server, target: str, size: int) -> bytes | None:
    """Return annotations.xml of an export; None if its file is gone."""
    limit = size + META
    try:
        answer = server.ask("GET", target, limit=limit + META)
    except Refused as error:
        if error.status == 404:
            return None
        raise
    return archives.read_entry(answer.body, limit)
