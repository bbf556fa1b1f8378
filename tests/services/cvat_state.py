"""What a CVAT knows: tasks, their jobs, and the exports that it makes of them."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from services.cvat_answers import export_of, value_of

VIDEO, IMAGES = "CVAT for video 1.1", "CVAT for images 1.1"
JOBS = {
    "annotation": ("annotation", "new"),
    "validation": ("validation", "new"),
    "completed": ("acceptance", "completed"),
}
"""The stage and state of a job whose status is this."""

DAY = timedelta(days=1)


class Clock:
    """The server's own clock: it moves when it is read, so that no two dates are the same."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 27, 3, 0, 0, 104729, UTC)

    def now(self) -> datetime:
        """Return the time; the next is a second and some microseconds later."""
        self.time += timedelta(seconds=1, microseconds=1009)
        return self.time

    def advance(self, **values: float) -> None:
        """Let time pass: `hours=25`."""
        self.time += timedelta(**values)


def written(time: datetime | None) -> str | None:
    """Write a date as CVAT's JSON has it."""
    return time and time.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Job:
    """A part of a task, as an annotator has it."""

    number: int
    start: int
    stop: int
    stage: str
    state: str
    kind: str
    updated: datetime

    @property
    def status(self) -> str:
        """What CVAT makes of stage and state."""
        if self.stage == "annotation":
            return "annotation"
        return "completed" if (self.stage, self.state) == JOBS["completed"] else "validation"

    def move(self, stage: str | None, state: str | None, now: datetime) -> None:
        """Set the stage, the state, or both; another stage alone makes the job new again."""
        if stage is not None and stage != self.stage:
            self.stage, self.state = stage, state or "new"
        elif state is not None:
            self.state = state
        self.updated = now


@dataclass
class Task:
    """A task; what its methods do is what people do in CVAT.

    export: the annotations.xml that CVAT would write, or any bytes, which are served as they are
    deleted: numbers of deleted frames, as data/meta has them: counted from 0 after the step
    """

    number: int
    name: str
    clock: Clock
    export: bytes
    mode: str = "interpolation"
    step: int = 1
    start: int = 0
    subset: str = ""
    organization: str | None = "videoteam"
    project: tuple[int, str] | None = (3, "bikes project")
    deleted: set[int] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    forbidden: bool = False
    has_data: bool = True
    size: int = 0
    created: datetime = field(init=False)
    updated: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.created = self.updated = self.clock.now()
        found = re.search(rb"<size>(\d+)</size>", self.export)
        self.size = self.size or (int(found[1]) if found else 1)

    @property
    def status(self) -> str:
        """The least of the jobs' statuses."""
        statuses = {job.status for job in self.jobs}
        return next((one for one in JOBS if one in statuses), "annotation")

    def save(self, export: bytes) -> None:
        """Save other annotations."""
        self.export = export
        self.touch()

    def touch(self) -> None:
        """Save the same annotations: the task's date and its jobs' are new."""
        self.updated = self.clock.now()
        for job in self.jobs:
            job.updated = self.updated

    def set_jobs(self, stage: str | None = None, state: str | None = None) -> None:
        """Set stage or state of all jobs, or both."""
        for number in range(len(self.jobs)):
            self.set_job(number, stage, state)

    def set_job(self, number: int, stage: str | None = None, state: str | None = None) -> None:
        """Set stage or state of a job, by its place in `jobs`.

        The task has a new date only if its status is another then.
        """
        before, now = self.status, self.clock.now()
        self.jobs[number].move(stage, state, now)
        if self.status != before:
            self.updated = now

    def rename(self, name: str) -> None:
        """Give the task another name."""
        self.name = name
        self.updated = self.clock.now()

    def delete_frames(self, *frames: int) -> None:
        """Delete frames: the export has no boxes on them any more."""
        self.deleted |= set(frames)
        self.updated = self.clock.now()

    def restore_frames(self, *frames: int) -> None:
        """Take deleted frames back."""
        self.deleted -= set(frames)
        self.updated = self.clock.now()

    def without_data(self) -> None:
        """Make the task one that has no movie yet: its exports fail."""
        self.has_data = False

    def absolute(self, frame: int) -> int:
        """Return the frame of the movie that a frame of the task is."""
        return self.start + frame * self.step

    def as_json(self, url: str, organizations: dict[str, int]) -> dict[str, Any]:
        """Return the task as GET /api/tasks/{id} does."""
        value: dict[str, Any] = value_of("18-tasks-list-org", 1, url)
        number, name = self.project or (None, None)
        organization = organizations[self.organization] if self.organization else None
        done = [job for job in self.jobs if job.status == "completed"]
        value |= {
            "url": f"{url}/api/tasks/{self.number}",
            "id": self.number,
            "name": self.name,
            "project_id": number,
            "project_name": name,
            "created_date": written(self.created),
            "updated_date": written(self.updated),
            "status": self.status,
            "size": self.size,
            "mode": self.mode,
            "subset": self.subset,
            "organization_id": organization,
            "organization": organization,
            "data": self.number,
        }
        value["jobs"] |= {
            "count": len(self.jobs),
            "completed": len(done),
            "validation": sum(job.stage == "validation" for job in self.jobs),
            "url": f"{url}/api/jobs?task_id={self.number}",
        }
        value["labels"]["url"] = f"{url}/api/labels?task_id={self.number}"
        if self.mode == "annotation":
            value |= {"data_original_chunk_type": "imageset"}
            value |= {"data_compressed_chunk_type": "imageset"}
        if not self.has_data:
            del value["size"]
        return value

    def jobs_as_json(self, url: str, organizations: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Yield the jobs as GET /api/jobs does, in their order."""
        task = self.as_json(url, organizations)
        shared = {key: task[key] for key in ("project_id", "project_name", "mode", "organization")}
        for job in self.jobs:
            value: dict[str, Any] = value_of("a-bridge-first-run", 3, url)["results"][0]
            value |= shared | {
                "url": f"{url}/api/jobs/{job.number}",
                "id": job.number,
                "task_id": self.number,
                "task_name": self.name,
                "stage": job.stage,
                "state": job.state,
                "status": job.status,
                "type": job.kind,
                "frame_count": job.stop - job.start + 1,
                "start_frame": job.start,
                "stop_frame": job.stop,
                "created_date": written(self.created),
                "updated_date": written(job.updated),
            }
            value["issues"]["url"] = f"{url}/api/issues?job_id={job.number}"
            value["labels"]["url"] = f"{url}/api/labels?job_id={job.number}"
            yield value

    def meta_as_json(self, url: str) -> dict[str, Any]:
        """Return what GET /api/tasks/{id}/data/meta does."""
        value: dict[str, Any] = value_of("a-bridge-first-run", 4, url)
        return value | {
            "size": self.size,
            "start_frame": self.start,
            "stop_frame": self.absolute(self.size - 1),
            "frame_filter": f"step={self.step}" if self.step > 1 else "",
            "deleted_frames": sorted(self.deleted),
        }

    def annotations(self, url: str, now: datetime) -> bytes:
        """Return annotations.xml as CVAT writes it at a time: its dates, names and addresses.

        Bytes that have no such elements are served as they are.
        """
        head, mark, tail = self.export.partition(b"</meta>")
        if not mark:
            return self.export
        text = head.decode()
        filled = {"id": str(self.number), "name": self.name, "updated": f"{self.updated!s}"}
        filled |= {"dumped": f"{now!s}"}
        for tag, value in filled.items():
            text = re.sub(
                f"<{tag}>[^<]*</{tag}>",
                f"<{tag}>{escape(value)}</{tag}>".replace("\\", r"\\"),
                text,
                count=1,
            )
        address = f"<url>{url}/api/tasks/{self.number}/dataset/export/api/"
        text = re.sub(r"<url>[^<]*/api/(?=jobs/)", address, text)
        return text.encode() + mark + self._without_deleted(tail)

    def _without_deleted(self, text: bytes) -> bytes:
        """Leave out the boxes of deleted frames, whole lines of them."""
        for frame in sorted(self.absolute(frame) for frame in self.deleted):
            mine = rb'frame="%d"' % frame
            text = re.sub(rb"(?s)[ ]*<box %s .*?</box>\n" % mine, b"", text)
        return text


class Export:
    """A request for an export, from when it is asked for until its file is gone."""

    def __init__(self, task: Task, user: dict[str, Any], style: str, content: str) -> None:
        """Queue it.

        style: the format's name; content: what is exported, `annotations` or `dataset`
        """
        self.task, self.user, self.style, self.content = task, user, style, content
        self.status, self.polls, self.message = "queued", 0, ""
        self.created = task.clock.now()
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.file: bytes | None = None
        self.file_name = ""

    @property
    def number(self) -> str:
        """The request's number, which says what it is for."""
        style = self.style.replace(" ", "_").replace(".", "~")
        return (
            f"action=export&target=task&target_id={self.task.number}&user_id={self.user['id']}"
            f"&format={style}&subresource={self.content}"
        )

    def as_json(self, url: str, organizations: dict[str, int], result: str) -> dict[str, Any]:
        """Return what GET /api/requests/{rq_id} does; result is where the file will be."""
        value: dict[str, Any] = value_of("19-export-task-video11", 5, url)
        done = self.status == "finished"
        organization = self.task.organization
        value |= {
            "status": self.status,
            "message": self.message,
            "id": self.number,
            "created_date": written(self.created),
            "started_date": written(self.started),
            "finished_date": written(self.finished),
            "expiry_date": written(self.finished and self.finished + DAY),
            "owner": {key: self.user[key] for key in ("id", "username")},
            "result_url": result if done else None,
        }
        value["operation"] |= {
            "type": f"export:{self.content}",
            "project_id": self.task.project and self.task.project[0],
            "task_id": self.task.number,
            "org_id": organizations[organization] if organization else None,
            "format": self.style,
        }
        return value


def zipped(content: bytes, time: datetime) -> bytes:
    """Pack annotations.xml as CVAT does: stored, with the time of the export."""
    packed = io.BytesIO()
    entry = zipfile.ZipInfo("annotations.xml", time.timetuple()[:6])
    entry.external_attr = 0o100644 << 16
    with zipfile.ZipFile(packed, "w") as one:
        one.writestr(entry, content)
    return packed.getvalue()


def file_name(export: Export) -> str:
    """Return the name of an export's file; the time in it is when the task was changed."""
    time = export.task.updated.strftime("%Y_%m_%d_%H_%M_%S")
    return f"task_{export.task.number}_{export.content}_{time}_{export.style.lower()}.zip"


def jobs_of(task: Task, states: Sequence[tuple[str, ...]], numbers: Iterable[int]) -> Iterator[Job]:
    """Divide a task among jobs, each with a stage, a state and perhaps a type."""
    part = -(-task.size // len(states))
    for start, state, number in zip(count(0, part), states, numbers, strict=False):
        stop = min(start + part, task.size) - 1
        stage, now, kind = (*state, "annotation")[:3]
        yield Job(number, start, stop, stage, now, kind, task.created)


def recorded_annotations(name: str = "19-export-task-video11.zip") -> bytes:
    """Return the annotations.xml of a recorded export."""
    with zipfile.ZipFile(export_of(name)) as one:
        return one.read("annotations.xml")
