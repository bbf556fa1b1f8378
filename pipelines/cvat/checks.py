"""What `doctor` says of CVAT: that it answers, what the token may do, and which tasks it sees."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.cvat import access, tasks
from pipelines.cvat.http import SECRET, Refused, Server
from pipelines.cvat.tasks import Task
from pipelines.datasets import params
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError
from pipelines.setup.findings import Finding

ROLES = {
    "worker": "a worker may export nothing; make it a supervisor, or a maintainer",
    "owner": "an owner may do all; take a user of its own, a supervisor or a maintainer",
}
"""Roles in an organization that are not right for the token's user, and why."""


def read_settings() -> Settings:
    """Return what params.yaml here says."""
    try:
        return params.parse(Path("params.yaml").read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"params.yaml: cannot be read: {type(error).__name__}") from None


def find() -> Iterator[Finding]:
    """Look at the CVAT of this registry, if it has one and the token is here."""
    settings = read_settings()
    if not settings.cvat:
        return
    if not os.environ.get(SECRET):
        yield Finding(f"params.yaml names {settings.cvat.url}", note=f"no {SECRET} here to ask it")
        return
    server = access.open_server(settings.cvat, partial(access.read_file, Path()))
    user = tasks.read_user(server)
    yield Finding(f"{server.url} answers, and the token is of {user}")
    yield from _judge_token(server)
    if settings.cvat.organization:
        yield from _judge_role(server, settings.cvat.organization, user)
    found = tasks.read_tasks(server, [*settings.owners])
    for number, task in found.items():
        yield _judge_task(settings, number, task)


def _judge_token(server: Server) -> Iterator[Finding]:
    """Look at the rights of the token, and how long it lives."""
    known = access.describe_token(server)
    if known is None:
        yield Finding("the token is read-only", note="CVAT does not say whether it is")
        return
    wrong = "" if known.get("read_only") is True else "it may write; make one that is read-only"
    yield Finding("the token is read-only", wrong)
    date = str(known.get("expiry_date") or "")[:10]
    remedy = "it never does; make one with an expiry date"
    yield Finding(f"the token expires{date and ' on '}{ascii(date)[1:-1]}", "" if date else remedy)


def _judge_role(server: Server, organization: str, user: str) -> Iterator[Finding]:
    """Look at the role of the token's user in the organization."""
    try:
        values = server.read_json("/api/memberships", {"page_size": "500"})
    except Refused:
        return
    for each in values.get("results") or [] if isinstance(values, dict) else []:
        if _name_of(each) == user and (role := each.get("role")) in ROLES:
            yield Finding(f"the role of {user} in {organization} is the least", ROLES[role])


def _name_of(membership: Any) -> str:
    try:
        return str(membership["user"]["username"])
    except (KeyError, TypeError):
        return ""


def _judge_task(settings: Settings, number: int, task: Task | PipelineError) -> Finding:
    """Say whether a task can be read, its name, and what does not fit its dataset."""
    dataset = settings.owners[number]
    if isinstance(task, PipelineError):
        return Finding(f"{dataset}: task {number} can be read", f"it cannot: it {task}")
    source = settings.sources[dataset].lower()
    pictures = source.endswith(".zip") or not Path(source).suffix
    notes = [f"its name is {task.name!a}"]
    if task.size is None:
        notes.append("it has no data yet")
    elif task.of_pictures != pictures:
        kind = "pictures" if task.of_pictures else "a movie"
        notes.append(f"it is of {kind}, but source is {'pictures' if pictures else 'a movie'}")
    return Finding(f"{dataset}: task {number} can be read", note=", ".join(notes))
