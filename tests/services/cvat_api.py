"""CVAT's REST API upon tasks that a test makes: who may ask what, and how it is answered."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import md5
from typing import Any
from urllib.parse import quote, urlencode

from services.cvat_answers import JSON, Answer, html, recorded, refuse, value_of
from services.cvat_replay import Request
from services.cvat_state import (
    DAY,
    IMAGES,
    JOBS,
    VIDEO,
    Clock,
    Export,
    Task,
    file_name,
    jobs_of,
    recorded_annotations,
    zipped,
)

MAY_READ = ("GET", "HEAD", "OPTIONS")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    "in": lambda a, b: a in b,
}


class Refused(Exception):  # noqa: N818 - it is an answer
    """Ends a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Api:
    """The tasks and requests of a CVAT, and its answers to one user's token.

    token, read_only, expired: the one token that the server knows, and how it is
    user: the name of its owner; role: what he is in the organization
    polls: how often a request says `started` before it says `finished`, after one `queued`
    held: whether exports stay queued
    largest_page: a page has no more entries, whatever the client asks for
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.tasks: dict[int, Task] = {}
        self.exports: dict[str, Export] = {}
        self.files: dict[tuple[int, str, str, datetime], tuple[datetime, bytes]] = {}
        self.organizations = {"videoteam": 1}
        self.token, self.read_only, self.expired = "token-of-the-tests", True, False  # noqa: S105
        self.user, self.role = "bridge", "maintainer"
        self.polls, self.held, self.largest_page = 1, False, 1000
        self.failures, self.jobs_made = 0, 5

    def add_task(
        self,
        number: int,
        name: str = "bikes day 1",
        *,
        mode: str = "interpolation",
        step: int = 1,
        start: int = 0,
        export: bytes | None = None,
        status: str = "annotation",
        jobs: Iterable[tuple[str, ...]] = (),
        deleted: Iterable[int] = (),
        subset: str = "",
        organization: str | None = "videoteam",
    ) -> Task:
        """Add a task with annotations.

        export: its annotations.xml; the recorded one, if there is none
        status: of the task, if jobs are not told: then it has one, with the fitting stage
        jobs: (stage, state) of each, or (stage, state, type)
        deleted: frames, counted as data/meta does
        """
        content = recorded_annotations() if export is None else export
        task = Task(
            number, name, self.clock, content, mode, step, start, subset, organization,
            deleted=set(deleted),
        )  # fmt: skip
        states = list(jobs) or [JOBS[status]]
        numbers = range(self.jobs_made + 1, self.jobs_made + 1 + len(states))
        task.jobs, self.jobs_made = list(jobs_of(task, states, numbers)), numbers[-1]
        self.tasks[number] = task
        return task

    def drop_cache(self) -> None:
        """Clean up all exported files: what was finished cannot be downloaded any more."""
        self.files.clear()
        for export in self.exports.values():
            export.file = None

    def answer(self, request: Request) -> Answer | None:
        """Answer a request; None if this is nothing that is played."""
        try:
            if not known(request):
                return html(404, "<h1>Not Found</h1>")
            if not acceptable(request.headers.get("Accept", "*/*")):
                detail = "Could not satisfy the request Accept header."
                return refuse(406, {"detail": detail})
            self._authenticate(request)
            for method, pattern, handle in ROUTES:
                found = re.fullmatch(pattern, request.where)
                if found and request.method == method:
                    return handle(self, request, *found.groups())
            return None
        except Refused as refused:
            return refused.answer

    def recorded(self, name: str, number: int) -> Answer:
        """Return a recorded answer, with a date of now."""
        return recorded(name, number, self.url).having(
            Date=self.clock.time.strftime("%a, %d %b %Y %H:%M:%S GMT")
        )

    def refused(self, name: str, number: int) -> Refused:
        """Return the recorded answer as something to raise."""
        return Refused(self.recorded(name, number))

    def _authenticate(self, request: Request) -> None:
        """Refuse who has no token, a wrong one, or one that may not do this."""
        sent = request.headers.get("Authorization")
        if sent is None and request.where == "/api/server/about":
            return
        if sent is None or not sent.startswith("Bearer "):
            raise self.refused("40-anonymous", 1)
        if sent != f"Bearer {self.token}" or self.expired:
            raise self.refused("39-wrong-token", 1)
        exports = request.where.endswith("/dataset/export")
        if self.read_only and request.method not in MAY_READ and not exports:
            raise self.refused("36-read-only-token-may-not-write", 0)

    def _organization(self, request: Request) -> str | None:
        """Return the organization that a request names, by header or query; None without one."""
        slug = request.query.get("org") or request.headers.get("X-Organization")
        if number := request.query.get("org_id"):
            slug = next((k for k, v in self.organizations.items() if str(v) == number), number)
        if slug and slug not in self.organizations:
            answer = self.recorded("43-unknown-org", 1)
            raise Refused(answer.holding({"detail": f"{slug} organization does not exist."}))
        return slug or None

    def _task(self, request: Request, number: str) -> Task:
        """Return a task by its number, which the user must be allowed to see."""
        self._organization(request)
        if int(number) not in self.tasks:
            raise self.refused("31-task-not-found", 0)
        task = self.tasks[int(number)]
        if task.forbidden:
            raise self.refused("42-stranger", 2)
        return task

    def visible(self, request: Request) -> list[Task]:
        """Return the tasks that lists show: those of the organization that is asked for."""
        slug = self._organization(request)
        return [
            task for task in self.tasks.values() if task.organization == slug and not task.forbidden
        ]

    def about(self, request: Request) -> Answer:
        return self.recorded("17-token-self", 0)

    def me(self, request: Request) -> Answer:
        value = value_of("17-token-self", 1, self.url)
        return self.recorded("17-token-self", 1).holding(value | {"username": self.user})

    def my_token(self, request: Request) -> Answer:
        value = value_of("17-token-self", 2, self.url) | {"read_only": self.read_only}
        value["owner"]["username"] = self.user
        return self.recorded("17-token-self", 2).holding(value)

    def memberships(self, request: Request) -> Answer:
        value = value_of("00-organization", 5, self.url)
        mine = value["results"][0]
        mine["user"]["username"], mine["role"] = self.user, self.role
        found = value["results"] if self._organization(request) else []
        return self._page(request, found, self.recorded("00-organization", 5))

    def task(self, request: Request, number: str) -> Answer:
        value = self._task(request, number).as_json(self.url, self.organizations)
        return self.recorded("18-tasks-list-org", 1).holding(value)

    def list_tasks(self, request: Request) -> Answer:
        found = [task.as_json(self.url, self.organizations) for task in self.visible(request)]
        return self._list(request, found, self.recorded("18-tasks-list-org", 0))

    def list_jobs(self, request: Request) -> Answer:
        found = [
            job
            for task in self.visible(request)
            for job in task.jobs_as_json(self.url, self.organizations)
        ]
        return self._list(request, found, self.recorded("a-bridge-first-run", 3))

    def meta(self, request: Request, number: str) -> Answer:
        task = self._task(request, number)
        if not task.has_data:
            return refuse(400, ["Data is not available for the task"])
        return self.recorded("a-bridge-first-run", 4).holding(task.meta_as_json(self.url))

    def _list(self, request: Request, found: list[dict[str, Any]], like: Answer) -> Answer:
        """Answer with a page of what the query chooses, the newest first."""
        query = request.query
        simple = ("task_id", "project_id", "type", "state", "stage", "status", "name", "mode")
        for key in query.keys() & set(simple):
            found = [one for one in found if str(one.get(key)) == query[key]]
        if text := query.get("filter"):
            rule = self._rule(text)
            found = [one for one in found if self._fits(rule, one)]
        found.sort(key=lambda one: one["id"], reverse=True)
        for word in reversed([word for word in query.get("sort", "").split(",") if word]):
            key = word.removeprefix("-")
            if all(key in one for one in found):
                found.sort(key=lambda one: one[key], reverse=word.startswith("-"))
        return self._page(request, found, like)

    def _rule(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            said = [f"filter: can't parse filter expression: {error}"]
            raise Refused(self.recorded("61-tasks-changed-since", 9).holding(said)) from error

    def _fits(self, rule: dict[str, Any], one: dict[str, Any]) -> bool:
        """Tell whether a task or job fits a rule of JSON logic."""
        [(operator, terms)] = rule.items()
        if operator in ("and", "or"):
            results = [self._fits(term, one) for term in terms]
            return all(results) if operator == "and" else any(results)
        if operator == "!":
            return not self._fits(terms[0] if isinstance(terms, list) else terms, one)
        name = terms[0]["var"]
        if name not in one and name != "size":
            said = [f"filter: term '{name}' is not supported"]
            raise Refused(self.recorded("61-tasks-changed-since", 10).holding(said))
        value, known = one.get(name), terms[1]
        if name.endswith("_date"):
            value, known = (datetime.fromisoformat(text) for text in (value, known))
        return COMPARE[operator](value, known)

    def _page(self, request: Request, found: list[dict[str, Any]], like: Answer) -> Answer:
        query = request.query
        size = min(int(query.get("page_size", 10)), self.largest_page)
        page, pages = int(query.get("page", 1)), max(1, -(-len(found) // size))
        if not 1 <= page <= pages:
            raise self.refused("61-tasks-changed-since", 7)

        def link(number: int) -> str | None:
            if not 1 <= number <= pages:
                return None
            others = {**query, "page": str(number)}
            if number == 1:
                del others["page"]
            words = urlencode(sorted(others.items()))
            return f"{self.url}{request.path}" + (f"?{words}" if words else "")

        return like.holding(
            {
                "count": len(found),
                "next": link(page + 1),
                "previous": link(page - 1),
                "results": found[(page - 1) * size : page * size],
            }
        )

    def ask_for_export(self, request: Request, number: str) -> Answer:
        task = self._task(request, number)
        style, images = request.query.get("format"), request.query.get("save_images", "false")
        if style not in (VIDEO, IMAGES):
            raise self.refused("30-export-unknown-format", 0)
        user = {"id": 4, "username": self.user}
        content = "dataset" if images.lower() == "true" else "annotations"
        export = Export(task, user, style, content)
        known = self.exports.get(export.number)
        if known and known.status in ("queued", "started"):
            return self.recorded("50-export-while-another-is-under-way", 2).holding(
                {"rq_id": known.number}
            )
        self.exports[export.number] = export
        return self.recorded("19-export-task-video11", 4).holding({"rq_id": export.number})

    def export(self, request: Request, number: str) -> Answer:
        export = self.exports.get(number)
        if not export:
            raise self.refused("54-unknown-request", 0)
        if not self.held:
            self._work(export)
        result = f"{self.url}/api/tasks/{export.task.number}/dataset/download"
        value = export.as_json(
            self.url, self.organizations, f"{result}?rq_id={quote(number, safe='~')}"
        )
        return self.recorded("19-export-task-video11", 5).holding(value)

    def _work(self, export: Export) -> None:
        """Go on with an export, by one poll: queued, started as often as polls says, finished."""
        export.polls += 1
        if export.status == "queued" and export.polls > 1:
            export.status, export.started = "started", self.clock.now()
        elif export.status == "started" and export.polls > 1 + self.polls:
            self._finish(export)

    def _finish(self, export: Export) -> None:
        export.finished = self.clock.now()
        if self.failures > 0 or not export.task.has_data:
            self.failures -= export.task.has_data
            export.status = "failed"
            export.message = "AttributeError: 'NoneType' object has no attribute 'size'"
            return
        export.status, export.file_name = "finished", file_name(export)
        export.file = self._file(export, export.finished)

    def _file(self, export: Export, now: datetime) -> bytes:
        """Return the file of the cache, a day long, or a new one."""
        task = export.task
        key = (task.number, export.style, export.content, task.updated)
        if key not in self.files or self.files[key][0] + DAY <= now:
            self.files[key] = now, zipped(task.annotations(self.url, now), now)
        return self.files[key][1]

    def download(self, request: Request, number: str) -> Answer:
        self._task(request, number)
        export = self.exports.get(request.query.get("rq_id", ""))
        if not export or export.status != "finished" or export.file is None:
            raise self.refused("53-download-after-the-file-is-gone", 0)
        assert export.finished
        name = f'attachment; filename="{export.file_name}"'
        answer = self.recorded("19-export-task-video11", 7).having(
            Content_Disposition=name,
            Last_Modified=export.finished.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            Etag=f'"{md5(export.file, usedforsecurity=False).hexdigest()}"',
        )
        return Answer(answer.status, export.file, answer.headers, answer.reason)


def known(request: Request) -> bool:
    """Tell whether CVAT has such an address: none ends in a slash but the upload's."""
    return request.where.startswith("/api/") and not request.where.endswith("/")


def acceptable(accept: str) -> bool:
    """Tell whether CVAT can answer in one of the types that a client accepts."""
    kinds = {part.split(";")[0].strip() for part in accept.split(",")}
    return bool(kinds & {JSON, "*/*", "application/*"})


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "/api/server/about", Api.about),
    ("GET", "/api/users/self", Api.me),
    ("GET", "/api/auth/access_tokens/self", Api.my_token),
    ("GET", "/api/memberships", Api.memberships),
    ("GET", "/api/tasks", Api.list_tasks),
    ("GET", r"/api/tasks/(\d+)", Api.task),
    ("GET", r"/api/tasks/(\d+)/data/meta", Api.meta),
    ("GET", "/api/jobs", Api.list_jobs),
    ("POST", r"/api/tasks/(\d+)/dataset/export", Api.ask_for_export),
    ("GET", "/api/requests/(.+)", Api.export),
    ("GET", r"/api/tasks/(\d+)/dataset/download", Api.download),
]
