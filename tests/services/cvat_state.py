"""What a CVAT knows: tasks, their jobs, and the exports that it makes of them."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape, unescape

from services.cvat_answers import export_of, value_of

FORMATS = ("CVAT for video 1.1", "CVAT for images 1.1")
JOBS = {
    "annotation": ("annotation", "new"),
    "validation": ("validation", "new"),
    "completed": ("acceptance", "completed"),
}
"""The stage and state of a job whose status is this."""

DAY = timedelta(days=1)
"""How long CVAT keeps an exported file."""

OF_DATA = {
    "size",
    "image_quality",
    "data_chunk_size",
    "data_original_chunk_type",
    "data_compressed_chunk_type",
    "data_cloud_storage_id",
}
"""What a task has not before it has a movie."""

USER = 4
"""The number of the token's user, as in the recordings."""


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
    if time is None:
        return None
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


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
    movie: the file that somebody uploaded, its name and content
    backup: what is served in place of a backup, if a test has its own
    """

    number: int
    clock: Clock
    export: bytes
    organization: str | None = "videoteam"
    deleted: set[int] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    project: tuple[int, str] | None = (3, "bikes project")
    forbidden: bool = False
    has_data: bool = True
    movie: tuple[str, bytes] = ("bikes.mp4", b"the movie of the recordings is not kept")
    backup: bytes | None = None

    def __post_init__(self) -> None:
        self.created = self.updated = self.clock.now()
        self.name = unescape(self._told("name", "[^<]*", "bikes day 1"))
        self.subset = unescape(self._told("subset", "[^<]*", ""))
        self.size = int(self._told("size", r"\d+", "1"))
        self.mode = self._told("mode", r"\w+", "interpolation")
        self.start = int(self._told("start_frame", r"\d+", "0"))
        self.step = int(self._told("frame_filter", r"step=\d+", "step=1").removeprefix("step="))

    def _told(self, tag: str, pattern: str, default: str) -> str:
        """Return what the export says in the first element of a name."""
        found = re.search(f"<{tag}>({pattern})</{tag}>".encode(), self.export)
        return found[1].decode() if found else default

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
        """Make the task one that has no movie yet, so no jobs either: its exports fail."""
        self.has_data, self.mode, self.jobs = False, "", []

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
            chunks = ("data_original_chunk_type", "data_compressed_chunk_type")
            value |= dict.fromkeys(chunks, "imageset")
        if not self.has_data:
            value |= {"data": None, "dimension": "", "media_type": ""}
            value = {key: one for key, one in value.items() if key not in OF_DATA}
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
        value["frames"][0]["name"] = self.movie[0]
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
        values = {"id": str(self.number), "name": self.name, "subset": self.subset}
        text = head.decode(errors="surrogateescape")
        for tag, value in {**values, "updated": str(self.updated), "dumped": str(now)}.items():
            filled = f"<{tag}>{escape(value)}</{tag}>".replace("\\", r"\\")
            text = re.sub(f"<{tag}>[^<]*</{tag}>", filled, text, count=1)
        address = f"<url>{url}/api/tasks/{self.number}/dataset/export/api/"  # so CVAT writes it
        text = re.sub(r"<url>[^<]*/api/(?=jobs/)", address, text)
        return text.encode(errors="surrogateescape") + mark + self._without_deleted(tail)

    def _without_deleted(self, text: bytes) -> bytes:
        """Leave out the boxes and images of deleted frames, whole lines of them."""
        for frame in sorted(self.absolute(frame) for frame in self.deleted):
            for tag, key in (b"box", b"frame"), (b"image", b"id"):
                start = rb'(?s)[ ]*<%s %s="%d" [^>]*' % (tag, key, frame)
                text = re.sub(start + rb"(?:(?<=/)>|>.*?</%s>)\n" % tag, b"", text)
        return text


class Export:
    """A request for an export, from when it is asked for until its file is gone."""

    def __init__(self, task: Task, user: str, style: str, content: str) -> None:
        """Queue it.

        style: the format's name; none for a backup
        content: what is exported, `annotations` or, with pictures, `dataset`, or `backup`
        """
        self.task, self.user, self.style, self.content = task, user, style, content
        self.status, self.polls, self.message = "queued", 0, ""
        self.created = task.clock.now()
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.file: bytes | None = None
        self.file_name = ""

    @property
    def unfinished(self) -> bool:
        """Whether it is not done, for good or for bad."""
        return self.finished is None

    @property
    def number(self) -> str:
        """The request's number, which says what it is for."""
        style = self.style.replace(" ", "_").replace(".", "~")
        kind = f"format={style}" if style else "lightweight=False"  # the latter is not recorded
        return (
            f"action=export&target=task&target_id={self.task.number}&user_id={USER}"
            f"&{kind}&subresource={self.content}"
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
            "owner": {"id": USER, "username": self.user},
            "result_url": result if done else None,
        }
        value["operation"] |= {
            "type": f"export:{self.content}",
            "project_id": self.task.project and self.task.project[0],
            "task_id": self.task.number,
            "org_id": organizations[organization] if organization else None,
            "format": self.style or None,
            "lightweight": None if self.style else False,
        }
        return value

    def name_file(self) -> None:
        """Give the file its name; the time in it is when the task was changed last."""
        time = self.task.updated.strftime("%Y_%m_%d_%H_%M_%S")
        if not self.style:
            self.file_name = f"task_{self.task.name}_backup_{time}.zip".lower()
            return
        self.file_name = f"task_{self.task.number}_{self.content}_{time}_{self.style.lower()}.zip"


def zipped(content: bytes, time: datetime) -> bytes:
    """Pack annotations.xml as CVAT does: stored, with the time of the export."""
    packed = io.BytesIO()
    entry = zipfile.ZipInfo("annotations.xml", time.timetuple()[:6])
    entry.external_attr = 0o100644 << 16
    with zipfile.ZipFile(packed, "w") as one:
        one.writestr(entry, content)
    return packed.getvalue()


def backed_up(task: Task, time: datetime) -> bytes:
    """Pack a task as CVAT's TaskExporter does: stored, the uploaded file as it is."""
    packed = io.BytesIO()
    name, content = task.movie
    manifest = [{"version": "1.1"}, {"type": "video"}, {"properties": {"name": name}}]
    told = {"name": task.name, "version": "1.0", "data": {"storage": "local"}, "jobs": []}
    files: dict[str, bytes | str] = {
        f"data/{name}": content,
        "data/manifest.jsonl": "".join(f"{json.dumps(line)}\n" for line in manifest),
        "task.json": json.dumps(told),
        "annotations.json": "[]",
    }
    with zipfile.ZipFile(packed, "w") as one:
        for path, each in files.items():
            one.writestr(zipfile.ZipInfo(path, time.timetuple()[:6]), each)
    return packed.getvalue()


def divide(task: Task, states: Sequence[tuple[str, ...]], first: int) -> list[Job]:
    """Divide a task among jobs, each with a stage, a state and perhaps a type.

    first: the first job's number
    """
    part, jobs = -(-task.size // len(states)), []
    for number, (stage, state, *kind) in enumerate(states):
        start = number * part
        stop = min(start + part, task.size) - 1
        kinds = kind or ["annotation"]
        jobs.append(Job(first + number, start, stop, stage, state, kinds[0], task.created))
    return jobs


def recorded_annotations(name: str = "19-export-task-video11.zip") -> bytes:
    """Return the annotations.xml of a recorded export."""
    with zipfile.ZipFile(export_of(name)) as one:
        return one.read("annotations.xml")
