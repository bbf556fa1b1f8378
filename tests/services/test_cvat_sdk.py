"""CVAT's own client is content with the server that plays CVAT: it gets what others get."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cvat_sdk import make_client
from cvat_sdk.api_client import exceptions
from cvat_sdk.core.client import Client as Sdk
from cvat_sdk.core.exceptions import BackgroundRequestException
from cvat_sdk.core.proxies.types import Location

from services.cvat_answers import export_of, refuse, scenario
from services.cvat_client import EXPORT, Client
from services.cvat_server import CvatServer
from services.cvat_state import written

FIRST_RUN = scenario("a-bridge-first-run")["exchanges"]
Export = Callable[..., bytes]
SINCE = FIRST_RUN[2]["request"]["query"]["filter"]


@pytest.fixture
def sdk(cvat_server: CvatServer) -> Iterator[Sdk]:
    with make_client(cvat_server.url, access_token=cvat_server.token) as one:
        one.organization_slug = "videoteam"
        yield one


@pytest.fixture
def export(cvat_server: CvatServer, tmp_path: Path) -> Export:
    """Export a task with cvat-sdk, which polls and downloads itself, and would poll for ever."""
    cvat_server.disturb("GET /api/requests/", refuse(500), after=100)

    def run(task: Any, style: str = "CVAT for video 1.1") -> bytes:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        task.export_dataset(
            style, file, include_images=False, location=Location.LOCAL, status_check_period=0
        )
        return file.read_bytes()

    return run


def told(values: list[dict[str, Any]], fields: list[str]) -> list[list[str]]:
    """Return fields of JSON objects as text."""
    return [[str(value[field]) for field in fields] for value in values]


def seen(objects: Iterable[Any], fields: list[str]) -> list[list[str]]:
    """Return fields of cvat-sdk's objects as text: its enumerations are no strings."""
    return [[str(getattr(one, field)) for field in fields] for one in objects]


def test_it_sees_what_plain_requests_see(cvat_server: CvatServer, sdk: Sdk) -> None:
    for number in range(1, 13):
        cvat_server.add_task(number, f"bikes day {number}")
    cvat_server.add_task(
        13, jobs=[("acceptance", "completed"), ("annotation", "in progress")], deleted=[3, 12]
    )
    client = Client(cvat_server)

    plain = client.get("/api/tasks?page_size=500")["results"]
    listed = sdk.tasks.list()
    fields = ["id", "name", "status", "mode", "size", "subset", "project_id", "organization_id"]
    assert told(plain, fields) == seen(listed, fields)
    assert [task["updated_date"] for task in plain] == [written(t.updated_date) for t in listed]
    assert cvat_server.asked("GET", "^/api/tasks$") == 3  # one of 500, two of ten

    one = sdk.tasks.retrieve(13)
    assert one.name == "bikes day 1/2 *new*"
    jobs = client.get("/api/jobs?task_id=13&page_size=100")["results"]
    fields = ["id", "type", "stage", "state", "start_frame", "stop_frame"]
    assert told(jobs, fields) == seen(one.get_jobs(), fields)
    meta = client.get("/api/tasks/13/data/meta")
    assert one.get_meta().deleted_frames == meta["deleted_frames"] == [3, 12]
    assert one.get_meta().stop_frame == meta["stop_frame"] == 248
    assert sdk.users.retrieve_current_user().username == "bridge"
    assert cvat_server.unexpected == []


def test_it_exports_the_same_bytes(cvat_server: CvatServer, sdk: Sdk, export: Export) -> None:
    cvat_server.add_task(3)
    task = sdk.tasks.retrieve(3)

    assert export(task) == Client(cvat_server).export()[1]
    assert export(task) == export(task)
    assert cvat_server.unexpected == []


def test_it_sees_what_people_do(cvat_server: CvatServer, sdk: Sdk, export: Export) -> None:
    known = cvat_server.add_task(3, jobs=[("annotation", "new")] * 2)
    task = sdk.tasks.retrieve(3)
    first, date = export(task), task.updated_date

    known.touch()
    known.rename("bikes day 2")
    known.set_jobs("acceptance", "completed")
    task.fetch()
    assert (task.name, str(task.status)) == ("bikes day 2", "completed")
    assert task.updated_date > date
    assert {str(job.state) for job in task.get_jobs()} == {"completed"}
    assert export(task) != first


def test_it_raises_what_it_should(cvat_server: CvatServer, sdk: Sdk, export: Export) -> None:
    for number in 3, 4:
        cvat_server.add_task(number)
    cvat_server.forbid(4)
    task = sdk.tasks.retrieve(3)

    with pytest.raises(exceptions.NotFoundException):
        sdk.tasks.retrieve(5)
    with pytest.raises(exceptions.ForbiddenException):
        sdk.tasks.retrieve(4)
    with pytest.raises(exceptions.ApiException, match="Unknown format"):
        export(task, "CVAT for movies 9")
    cvat_server.fail_exports(1)
    with pytest.raises(BackgroundRequestException):
        export(task)
    cvat_server.hold_exports()
    Client(cvat_server).ask("POST", f"/api/tasks/3/dataset/export?{EXPORT}")
    with pytest.raises(exceptions.ApiException) as conflict:
        export(task)
    assert conflict.value.status == 409
    cvat_server.token = cvat_server.token[::-1]
    with pytest.raises(exceptions.UnauthorizedException):
        sdk.tasks.retrieve(3)


def test_it_does_what_it_did_when_it_was_recorded(cvat_server: CvatServer, export: Export) -> None:
    cvat_server.play("a")
    with make_client(cvat_server.url, access_token=cvat_server.token) as sdk:
        sdk.organization_slug = "videoteam"
        assert sdk.users.retrieve_current_user().username == "bridge"
        [task] = sdk.tasks.list(filter=SINCE)
        assert {str(job.state) for job in task.get_jobs()} == {"completed"}
        assert task.get_meta().deleted_frames == [3]
        assert export(task) == export_of("90-cli-export-dataset.zip").read_bytes()

    asked = [(one.method, one.where, one.query) for one in cvat_server.requests]
    recorded = [
        (told["method"], unquote(told["path"]), told.get("query", {}))
        for exchange in FIRST_RUN
        for told in [exchange["request"]] * exchange.get("repeated", 1)
    ]
    assert asked == recorded
    assert cvat_server.unexpected == []
