"""CVAT's REST API upon tasks that a test makes: who may ask what, and how it is answered."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import md5
from typing import Any
from urllib.parse import quote

from services import cvat_lists
from services.cvat_answers import JSON, Answer, html, recorded, refuse, value_of
from services.cvat_replay import Request
from services.cvat_state import (
    DAY,
    FORMATS,
    JOBS,
    Clock,
    Export,
    Task,
    backed_up,
    divide,
    recorded_annotations,
    zipped,
)

READING = ("GET", "HEAD", "OPTIONS")
EXPORTS = ("/dataset/export", "/backup/export")
"""What a token that is read-only may POST to: CVAT's rules name both, the first was recorded."""

DATE = "%a, %d %b %Y %H:%M:%S GMT"
MESSAGE = "AttributeError: 'NoneType' object has no attribute 'size'"
"""What a failed request says: a Python error's text. (The recordings have none that failed.)"""


class Refused(Exception):  # noqa: N818 - it is an answer
    """Ends the work on a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Api:
    """The tasks of a CVAT, and its answers to one user.

    token, read_only: the one token that the server knows, and what it may
    user, role: the name of its owner, and what he is in the organization
    polls: how often a request says that it has started, after it was queued and before it is done
    workers: how many exports are under way at once; the others are queued
    most_at_once: how many exports were asked for and not done at once, at most
    largest_page: a page of a list has no more entries; the real one has no such limit
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.tasks: dict[int, Task] = {}
        self.organizations = {"videoteam": 1}
        self.token, self.read_only = "token-of-the-tests", True
        self.user, self.role = "bridge", "maintainer"
        self.polls, self.workers, self.most_at_once = 1, 1000, 0
        self.largest_page = 1_000_000
        self._exports: dict[str, Export] = {}
        self._files: dict[tuple[int, str, str, datetime], tuple[datetime, bytes]] = {}
        self._failures = 0
        self._jobs_made = 5  # as in the recordings, where the first job of task 3 has number 6

    def add_task(
        self,
        number: int,
        name: str | None = None,
        *,
        export: bytes | None = None,
        mode: str | None = None,
        step: int | None = None,
        start: int | None = None,
        status: str = "annotation",
        jobs: Iterable[tuple[str, ...]] = (),
        deleted: Iterable[int] = (),
        subset: str | None = None,
        organization: str | None = "videoteam",
        movie: tuple[str, bytes] | None = None,
    ) -> Task:
        """Add a task with annotations.

        export: its annotations.xml; the recorded one, if there is none
        name, mode, step, start, subset: as the export says, if they are not told
        status: of the task, if jobs are not told: then it has one, with the fitting stage
        jobs: (stage, state) of each, or (stage, state, type)
        deleted: frames, counted as data/meta does
        organization: None for a task of the user's own
        movie: the name and content of the file that its backup has
        """
        content = recorded_annotations() if export is None else export
        task = Task(number, self.clock, content, organization, set(deleted))
        told: dict[str, Any] = {"name": name, "mode": mode, "step": step, "start": start}
        told |= {"subset": subset, "movie": movie}
        for key, value in told.items():
            if value is not None:
                setattr(task, key, value)
        states = list(jobs) or [JOBS[status]]
        task.jobs = divide(task, states, self._jobs_made + 1)
        self._jobs_made += len(states)
        self.tasks[number] = task
        return task

    def remove_task(self, number: int) -> None:
        """Delete a task."""
        del self.tasks[number]

    def forbid(self, number: int) -> None:
        """Let the user not see a task any more."""
        self.tasks[number].forbidden = True

    def hold_exports(self) -> None:
        """Stop the workers: exports stay queued, or started."""
        self.workers = 0

    def release_exports(self, workers: int = 1000) -> None:
        """Let the workers go on."""
        self.workers = workers

    def fail_exports(self, times: int) -> None:
        """Let the next exports that are done fail."""
        self._failures = times

    def drop_cache(self) -> None:
        """Clean up all exported files: what was finished cannot be downloaded any more."""
        self._files.clear()
        for export in self._exports.values():
            export.file = None

    def recorded(self, name: str, number: int) -> Answer:
        """Return the answer of a recorded exchange, with a date of now."""
        answer = recorded(name, number, self.url)
        return answer.having(Date=self.clock.time.strftime(DATE))

    def answer(self, request: Request) -> Answer | None:
        """Answer a request; None if it is nothing that is played."""
        try:
            self._check(request)
            for method, pattern, handle in ROUTES:
                found = re.fullmatch(pattern, request.where)
                if found and request.method == method:
                    return handle(self, request, *found.groups())
        except Refused as refused:
            return refused.answer
        return None

    def _check(self, request: Request) -> None:
        """Refuse what CVAT refuses before it looks at what is asked, in its order."""
        if not request.where.startswith("/api/") or request.where.endswith("/"):
            raise Refused(html(404, "<h1>Not Found</h1>"))
        kinds = request.headers.get("Accept", "*/*").split(",")
        if not {kind.split(";")[0].strip() for kind in kinds} & {JSON, "*/*", "application/*"}:
            said = "Could not satisfy the request Accept header."
            raise Refused(refuse(406, {"detail": said}))
        sent = request.headers.get("Authorization")
        if sent is None and request.where == "/api/server/about":
            return
        if sent is None:
            raise self._refused("40-anonymous", 1)
        if sent != f"Bearer {self.token}":
            raise self._refused("39-wrong-token", 1)
        writes = request.method not in READING and not request.where.endswith(EXPORTS)
        if writes and self.read_only:
            raise self._refused("36-read-only-token-may-not-write", 0)

    def _refused(self, name: str, number: int, value: Any = None) -> Refused:
        """Return a recorded answer as something to raise, perhaps with another value."""
        answer = self.recorded(name, number)
        return Refused(answer if value is None else answer.holding(value))

    def _organization(self, request: Request) -> str | None:
        """Return the organization that a request names, by its slug; None if it names none."""
        slug = request.query.get("org") or request.headers.get("X-Organization")
        if number := request.query.get("org_id"):
            slug = next((k for k, v in self.organizations.items() if str(v) == number), number)
        if slug and slug not in self.organizations:
            said = {"detail": f"{slug} organization does not exist."}
            raise self._refused("43-unknown-org", 1, said)
        return slug or None

    def _visible(self, request: Request) -> list[Task]:
        """Return the tasks that lists show: those of the organization that is named."""
        slug = self._organization(request)
        tasks = list(self.tasks.values())
        return [task for task in tasks if task.organization == slug and not task.forbidden]

    def _task(self, request: Request, number: str) -> Task:
        """Return a task that the user may see, whatever its organization."""
        self._organization(request)
        task = self.tasks.get(int(number))
        if not task:
            raise self._refused("31-task-not-found", 0)
        if task.forbidden:
            raise self._refused("42-stranger", 2)
        return task

    def get_about(self, _: Request) -> Answer:
        """Say which CVAT this is."""
        return self.recorded("17-token-self", 0)

    def get_user(self, _: Request) -> Answer:
        """Say whose the token is."""
        value = value_of("17-token-self", 1, self.url)
        return self.recorded("17-token-self", 1).holding(value | {"username": self.user})

    def get_token(self, _: Request) -> Answer:
        """Say what the token may."""
        value = value_of("17-token-self", 2, self.url) | {"read_only": self.read_only}
        value["owner"]["username"] = self.user
        return self.recorded("17-token-self", 2).holding(value)

    def list_memberships(self, request: Request) -> Answer:
        """List who is what in the organization."""
        found = value_of("00-organization", 5, self.url)["results"]
        found[0]["user"]["username"], found[0]["role"] = self.user, self.role
        shown = found if self._organization(request) else []
        return self._list(request, shown, self.recorded("00-organization", 5))

    def list_tasks(self, request: Request) -> Answer:
        """List tasks."""
        found = [task.as_json(self.url, self.organizations) for task in self._visible(request)]
        return self._list(request, found, self.recorded("18-tasks-list-org", 0))

    def list_jobs(self, request: Request) -> Answer:
        """List jobs."""
        found = [
            job
            for task in self._visible(request)
            for job in task.jobs_as_json(self.url, self.organizations)
        ]
        return self._list(request, found, self.recorded("a-bridge-first-run", 3))

    def _list(self, request: Request, found: list[dict[str, Any]], like: Answer) -> Answer:
        address = self.url + request.path
        try:
            chosen = cvat_lists.choose(found, request.query)
            return like.holding(cvat_lists.page(chosen, request.query, address, self.largest_page))
        except cvat_lists.NoSuchPageError as error:
            raise self._refused("61-tasks-changed-since", 7) from error
        except cvat_lists.UnknownTermError as error:
            said = [f"filter: term '{error}' is not supported"]
            raise self._refused("61-tasks-changed-since", 10, said) from error
        except ValueError as error:
            said = [f"filter: can't parse filter expression: {error}"]
            raise self._refused("61-tasks-changed-since", 9, said) from error

    def get_task(self, request: Request, number: str) -> Answer:
        """Show a task."""
        value = self._task(request, number).as_json(self.url, self.organizations)
        return self.recorded("18-tasks-list-org", 1).holding(value)

    def get_meta(self, request: Request, number: str) -> Answer:
        """Say which frames a task has."""
        task = self._task(request, number)
        if not task.has_data:  # its status was seen, its words were not
            raise Refused(refuse(400, ["The task has no data"]))
        return self.recorded("a-bridge-first-run", 4).holding(task.meta_as_json(self.url))

    def start_export(self, request: Request, number: str) -> Answer:
        """Take a request for an export; one that is not done yet is not asked for again."""
        task, style = self._task(request, number), request.query.get("format", "")
        if style not in FORMATS:
            raise self._refused("30-export-unknown-format", 0)
        images = request.query.get("save_images", "false").lower() == "true"
        return self._queue(Export(task, self.user, style, "dataset" if images else "annotations"))

    def start_backup(self, request: Request, number: str) -> Answer:
        """Take a request for a backup, as one for an export."""
        return self._queue(Export(self._task(request, number), self.user, "", "backup"))

    def _queue(self, export: Export) -> Answer:
        known, answer = self._exports.get(export.number), {"rq_id": export.number}
        if known and known.unfinished:
            return self.recorded("50-export-while-another-is-under-way", 2).holding(answer)
        self._exports[export.number] = export
        waiting = sum(one.unfinished for one in self._exports.values())
        self.most_at_once = max(self.most_at_once, waiting)
        return self.recorded("19-export-task-video11", 4).holding(answer)

    def get_request(self, _: Request, number: str) -> Answer:
        """Say how far an export is, and let it go on."""
        export = self._exports.get(number)
        if not export:
            raise self._refused("54-unknown-request", 0)
        self._work(export)
        kind = "dataset" if export.style else "backup"
        path = f"/api/tasks/{export.task.number}/{kind}/download?rq_id={quote(number, safe='~')}"
        value = export.as_json(self.url, self.organizations, self.url + path)
        return self.recorded("19-export-task-video11", 5).holding(value)

    def _work(self, export: Export) -> None:
        """Go on with an export by one step, if a worker has time."""
        export.polls += 1
        started = sum(one.status == "started" for one in self._exports.values())
        if export.status == "queued" and export.polls > 1 and started < self.workers:
            export.status, export.started, export.polls = "started", self.clock.now(), 1
        elif export.status == "started" and export.polls > self.polls and self.workers:
            self._finish(export, self.clock.now())

    def _finish(self, export: Export, now: datetime) -> None:
        export.finished, task = now, export.task
        if self._failures > 0 or not task.has_data:
            self._failures -= task.has_data
            export.status, export.message = "failed", MESSAGE
            return
        key = (task.number, export.style, export.content, task.updated)
        if key not in self._files or self._files[key][0] + DAY <= now:
            self._files[key] = now, self._make_file(export, now)
        export.status, export.file = "finished", self._files[key][1]
        export.name_file()

    def _make_file(self, export: Export, now: datetime) -> bytes:
        task = export.task
        if export.style:
            return zipped(task.annotations(self.url, now), now)
        return backed_up(task, now) if task.backup is None else task.backup

    def download(self, request: Request, number: str) -> Answer:
        """Hand out an export's file, as it was when the export was done."""
        self._task(request, number)
        export = self._exports.get(request.query.get("rq_id", ""))
        if not export or not export.finished or export.file is None:
            raise self._refused("53-download-after-the-file-is-gone", 0)
        answer = self.recorded("19-export-task-video11", 7).having(
            Content_Disposition=f'attachment; filename="{export.file_name}"',
            Last_Modified=export.finished.strftime(DATE),
            Etag=f'"{md5(export.file, usedforsecurity=False).hexdigest()}"',
        )
        return replace(answer, body=export.file)


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "/api/server/about", Api.get_about),
    ("GET", "/api/users/self", Api.get_user),
    ("GET", "/api/auth/access_tokens/self", Api.get_token),
    ("GET", "/api/memberships", Api.list_memberships),
    ("GET", "/api/tasks", Api.list_tasks),
    ("GET", r"/api/tasks/(\d+)", Api.get_task),
    ("GET", r"/api/tasks/(\d+)/data/meta", Api.get_meta),
    ("GET", "/api/jobs", Api.list_jobs),
    ("POST", r"/api/tasks/(\d+)/dataset/export", Api.start_export),
    ("POST", r"/api/tasks/(\d+)/backup/export", Api.start_backup),
    ("GET", "/api/requests/(.+)", Api.get_request),
    ("GET", r"/api/tasks/(\d+)/(?:dataset|backup)/download", Api.download),
]
