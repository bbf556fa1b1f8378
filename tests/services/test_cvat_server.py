"""The server that plays CVAT answers as a real one did: in shape, in its rules, and in order."""

import http.client
import io
import json
import re
import zipfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urlencode

import pytest

import corpora
from services import cvat_answers
from services.cvat_answers import export_of, names, scenario, value_of
from services.cvat_client import EXPORT, IMAGES, Client
from services.cvat_server import CvatServer, self_signed
from services.cvat_state import recorded_annotations

ACCEPTED = [("acceptance", "completed")]


@pytest.fixture
def client(cvat_server: CvatServer) -> Client:
    return Client(cvat_server)


def shape(value: Any) -> Any:
    """Return the keys and types of a value, without the value.

    >>> shape({"id": 3, "results": [{"name": "x"}]})
    {'id': 'int', 'results': [{'name': 'str'}]}
    """
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def recorded_value(name: str, number: int) -> Any:
    return value_of(name, number, "http://cvat")


def recorded_headers(name: str, number: int) -> set[str]:
    return set(scenario(name)["exchanges"][number]["response"]["headers"])


def test_answers_have_the_shapes_of_recorded_ones(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3, jobs=ACCEPTED * 5, deleted=[3])

    recorded = {
        "/api/tasks?filter=%7B%22in%22%3A%5B%7B%22var%22%3A%22id%22%7D%2C%5B3%5D%5D%7D": (
            "a-bridge-first-run",
            2,
        ),
        "/api/tasks/3": ("18-tasks-list-org", 1),
        "/api/jobs?task_id=3": ("a-bridge-first-run", 3),
        "/api/tasks/3/data/meta": ("11-data-meta", 0),
        "/api/users/self": ("17-token-self", 1),
        "/api/auth/access_tokens/self": ("17-token-self", 2),
        "/api/server/about": ("17-token-self", 0),
        "/api/memberships?org=videoteam": ("00-organization", 5),
    }
    for path, (name, number) in recorded.items():
        assert shape(client.get(path)) == shape(recorded_value(name, number)), path
        assert recorded_headers(name, number) == set(client.ask("GET", path)[1]), path


def test_an_export_goes_the_recorded_way(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3, status="completed")
    number = client.start()

    assert number == recorded_value("19-export-task-video11", 4)["rq_id"]
    told = [client.poll(number) for _ in range(4)]
    assert [one["status"] for one in told] == ["queued", "started", "finished", "finished"]
    wanted = [
        recorded_value("50-export-while-another-is-under-way", 1),
        recorded_value("19-export-task-video11", 5),
        recorded_value("19-export-task-video11", 6),
    ]
    assert [shape(one) for one in told[:3]] == [shape(one) for one in wanted]
    path = wanted[2]["result_url"].removeprefix("http://cvat")
    assert told[2]["result_url"] == cvat_server.url + path
    status, headers, body = client.ask("GET", told[2]["result_url"])
    assert status == 200
    assert set(headers) == recorded_headers("19-export-task-video11", 7)
    assert headers["Content-Type"] == "application/zip"
    assert int(headers["Content-Length"]) == len(body)


def test_an_export_is_the_recorded_one_but_for_dates_and_addresses(
    cvat_server: CvatServer, client: Client
) -> None:
    task = cvat_server.add_task(3)
    headers, body = client.export()

    with (
        zipfile.ZipFile(export_of("19-export-task-video11.zip")) as recorded,
        zipfile.ZipFile(io.BytesIO(body)) as made,
    ):
        [theirs], [ours] = recorded.infolist(), made.infolist()
        for key in "filename", "compress_type", "external_attr", "create_system":
            assert getattr(ours, key) == getattr(theirs, key)
        pairs = zip(
            recorded.read(theirs).decode().splitlines(),
            made.read(ours).decode().splitlines(),
            strict=True,
        )
    other = [(old, new) for old, new in pairs if old != new]
    assert [new.split(">")[0].strip() for _, new in other] == [
        "<updated",
        *["<url"] * 5,
        "<dumped",
    ]
    updated = client.get("/api/tasks/3")["updated_date"]
    assert other[0][1].strip() == f"<updated>{updated[:10]} {updated[11:-1]}+00:00</updated>"
    assert other[1][1].strip() == (
        f"<url>{cvat_server.url}/api/tasks/3/dataset/export/api/jobs/6</url>"
    )
    time = task.updated.strftime("%Y_%m_%d_%H_%M_%S")
    assert headers["Content-Disposition"] == (
        f'attachment; filename="task_3_annotations_{time}_cvat for video 1.1.zip"'
    )


def test_one_state_has_one_file_until_the_cache_is_gone(
    cvat_server: CvatServer, client: Client
) -> None:
    task = cvat_server.add_task(3)
    first = client.annotations()
    assert client.annotations() == first

    cvat_server.drop_cache()
    again = client.annotations()
    assert changed(first, again) == ["dumped"]
    cvat_server.clock.advance(hours=25)
    assert changed(again, client.annotations()) == ["dumped"]
    task.touch()
    assert changed(first, client.annotations()) == ["updated", "dumped"]


def changed(one: str, other: str) -> list[str]:
    """Name the elements of the lines in which two exports differ."""
    pairs = zip(one.splitlines(), other.splitlines(), strict=True)
    return [new.split(">")[0].strip(" <") for old, new in pairs if old != new]


def test_a_finished_export_is_of_then_and_its_file_may_be_cleaned_up(
    cvat_server: CvatServer, client: Client
) -> None:
    task = cvat_server.add_task(3)
    url = client.wait(client.start())["result_url"]
    task.save(recorded_annotations("c-bridge-after-an-edit.zip"))
    old = client.ask("GET", url)[2]
    assert old != client.export()[1]

    cvat_server.drop_cache()
    assert client.get(url, 404) == "The exported file has expired, please retry exporting"
    assert client.export()[1] != old


def test_deleted_frames_are_left_out_of_the_export(cvat_server: CvatServer, client: Client) -> None:
    """The recorded task, whose frame 3 is deleted, is of every second frame of its movie."""
    task = cvat_server.add_task(3, deleted=[3])
    before = client.annotations()
    assert 'frame="8"' in before
    assert 'frame="6"' not in before  # the recording, which has no boxes there either

    task.delete_frames(4)
    after = client.annotations()
    assert client.get("/api/tasks/3/data/meta")["deleted_frames"] == [3, 4]
    assert 'frame="8"' not in after
    gone = before.count('<box frame="8" ')
    assert after.count("<box ") == after.count("</box>") == before.count("<box ") - gone
    task.restore_frames(4)
    assert changed(before, client.annotations()) == ["updated", "dumped"]


def test_images_of_deleted_frames_are_left_out(cvat_server: CvatServer, client: Client) -> None:
    task = cvat_server.add_task(3, export=recorded_annotations("91-export-task-images11.zip"))
    before = client.annotations(query=IMAGES)
    task.delete_frames(0)

    after = client.annotations(query=IMAGES)
    assert before.count("<image ") == after.count("<image ") + 1
    assert after.count("<image ") == after.count("</image>")


def test_bytes_that_are_no_export_are_served_as_they_are(
    cvat_server: CvatServer, client: Client
) -> None:
    cvat_server.add_task(3, export=b"<!DOCTYPE x>\xff</meta>", deleted=[1])

    with zipfile.ZipFile(io.BytesIO(client.export()[1])) as one:
        assert one.read("annotations.xml") == b"<!DOCTYPE x>\xff</meta>"


def test_an_export_is_not_asked_for_twice_at_once(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    cvat_server.hold_exports()
    first = client.start()

    status, _, body = client.ask("POST", f"/api/tasks/3/dataset/export?{EXPORT}")
    assert status == 409
    assert json.loads(body) == {"rq_id": first}
    assert client.start(query=IMAGES) == first.replace("video", "images")
    assert {client.poll(first)["status"] for _ in range(20)} == {"queued"}
    assert cvat_server.most_at_once == 2

    cvat_server.release_exports()
    assert client.wait(first)["status"] == "finished"
    assert client.start() == first


def test_one_worker_does_one_export_at_a_time(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.release_exports(workers=1)
    for number in 3, 4:
        cvat_server.add_task(number)
    requests = [client.start(number) for number in (3, 4)]

    told = [[client.poll(one)["status"] for one in requests] for _ in range(4)]
    assert told == [
        ["queued", "queued"],
        ["started", "queued"],
        ["finished", "started"],
        ["finished", "finished"],
    ]


def test_exports_fail_when_told_and_without_data(cvat_server: CvatServer, client: Client) -> None:
    task = cvat_server.add_task(3)
    cvat_server.fail_exports(1)
    failed = client.wait(client.start())
    assert (failed["status"], failed["result_url"]) == ("failed", None)
    assert failed["message"]
    assert failed["finished_date"] > failed["started_date"] > failed["created_date"]
    assert client.wait(client.start())["status"] == "finished"

    task.without_data()
    assert client.wait(client.start())["status"] == "failed"
    client.get("/api/tasks/3/data/meta", 400)
    without = recorded_value("03-task-create-video", 0)
    assert shape(client.get("/api/tasks/3")) == shape(without)
    assert client.listed("jobs", task_id=3) == []


def test_what_changes_the_dates_and_the_status(cvat_server: CvatServer, client: Client) -> None:
    """As facts/cvat-server.md, section 4, and the recordings 08 and 09 have it."""
    task = cvat_server.add_task(3, jobs=[("annotation", "new")] * 2)

    def seen() -> tuple[str, str, list[str]]:
        one, jobs = client.get("/api/tasks/3"), client.get("/api/jobs?task_id=3")["results"]
        return one["updated_date"], one["status"], [job["state"] for job in jobs]

    date, status, _ = seen()
    assert status == "annotation"
    task.set_jobs(state="completed")
    assert seen() == (date, "annotation", ["completed", "completed"])
    task.set_job(0, stage="acceptance")
    assert seen() == (date, "annotation", ["completed", "new"])
    task.set_job(1, stage="acceptance")
    validated, status, states = seen()
    assert (validated > date, status, states) == (True, "validation", ["new", "new"])
    task.set_jobs(state="completed")
    completed, status, states = seen()
    assert (completed > validated, status) == (True, "completed")
    assert client.get("/api/tasks/3")["jobs"]["completed"] == 2
    task.rename("bikes day 2")
    assert seen()[0] > completed
    assert client.get("/api/tasks/3")["name"] == "bikes day 2"
    assert "<name>bikes day 2</name>" in client.annotations()


@pytest.mark.parametrize("name", ["08-job-state", "09-all-jobs-completed", "70-job-reopened"])
def test_jobs_move_as_recorded(cvat_server: CvatServer, name: str) -> None:
    task = cvat_server.add_task(3, jobs=[("annotation", "new")])
    for exchange in scenario(name)["exchanges"]:
        told, answer = exchange["request"]["json"], exchange["response"]["json"]
        if exchange["response"]["status"] != 200:
            continue
        if answer["id"] != task.jobs[0].number:
            task.jobs[0].number, task.jobs[0].stage = answer["id"], "annotation"
            task.jobs[0].state = "new"
        if name == "70-job-reopened" and told == {"state": "in progress"}:
            task.jobs[0].stage = "acceptance"  # it was accepted before
        task.set_job(0, **told)
        job = task.jobs[0]
        assert [job.stage, job.state, job.status] == [
            answer[key] for key in ("stage", "state", "status")
        ]


def test_lists_are_of_an_organization_and_tasks_are_not(
    cvat_server: CvatServer, client: Client
) -> None:
    for number in 3, 4:
        cvat_server.add_task(number)
    cvat_server.add_task(5, organization=None)

    assert client.listed("tasks") == [4, 3]
    for slug in None, "":
        outside = Client(cvat_server, slug)
        assert outside.listed("tasks") == [5]
        assert outside.get("/api/tasks/3")["organization_id"] == 1
        assert outside.annotations()
    assert Client(cvat_server, None).listed("jobs", org_id=1, task_id=3) == [6]
    said = Client(cvat_server, "nosuchorg").get("/api/tasks", 404)
    assert said == recorded_value("43-unknown-org", 1)


def test_lists_are_filtered_and_paged(cvat_server: CvatServer, client: Client) -> None:
    for number in range(1, 14):
        cvat_server.add_task(number, status="completed" if number == 3 else "annotation")
    date = client.get("/api/tasks/11")["updated_date"]

    assert client.listed("tasks", filter={"in": [{"var": "id"}, [3, 12, 99]]}) == [12, 3]
    later = {">": [{"var": "updated_date"}, date]}
    assert client.listed("tasks", filter=later) == [13, 12]
    completed = {"==": [{"var": "status"}, "completed"]}
    assert client.listed("tasks", filter={"and": [completed]}) == [3]
    assert client.listed("tasks", status="completed") == [3]
    assert client.listed("tasks", sort="updated_date", page_size=2) == [1, 2]
    assert client.listed("jobs", task_id=4, type="annotation") == [9]
    first = client.get("/api/tasks")
    assert (first["count"], len(first["results"])) == (13, 10)
    assert (first["next"], first["previous"]) == (f"{cvat_server.url}/api/tasks?page=2", None)
    second = client.get(first["next"])
    assert (second["next"], len(second["results"])) == (None, 3)
    assert second["previous"] == f"{cvat_server.url}/api/tasks"
    cvat_server.largest_page = 5
    assert client.get("/api/tasks?page_size=500")["next"].endswith("?page=2&page_size=500")


def test_lists_refuse_what_cvat_refuses(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    for exchange in scenario("61-tasks-changed-since")["exchanges"]:
        if exchange["response"]["status"] != 200:
            query = urlencode(exchange["request"]["query"])
            said = client.get(f"/api/tasks?{query}", exchange["response"]["status"])
            assert said == exchange["response"]["json"]


def test_a_ground_truth_job_counts_in_the_status_alone(
    cvat_server: CvatServer, client: Client
) -> None:
    cvat_server.add_task(3, jobs=[*ACCEPTED, ("annotation", "new", "ground_truth")])

    assert client.get("/api/tasks/3")["status"] == "annotation"
    assert client.listed("jobs", task_id=3, type="annotation") == [6]


def test_tasks_that_are_gone_or_forbidden(cvat_server: CvatServer, client: Client) -> None:
    for number in 3, 4, 5:
        cvat_server.add_task(number)
    cvat_server.remove_task(3)
    cvat_server.forbid(4)

    assert client.listed("tasks") == [5]
    assert client.get("/api/tasks/3", 404) == recorded_value("31-task-not-found", 0)
    assert client.get("/api/tasks/4", 403) == recorded_value("42-stranger", 2)
    status, _, body = client.ask("POST", f"/api/tasks/3/dataset/export?{EXPORT}")
    assert (status, json.loads(body)) == (404, recorded_value("32-export-task-not-found", 0))
    assert client.ask("POST", f"/api/tasks/4/dataset/export?{EXPORT}")[0] == 403
    status, _, body = client.ask("POST", "/api/tasks/5/dataset/export?format=CVAT%20for%20movies")
    assert (status, json.loads(body)) == (400, recorded_value("30-export-unknown-format", 0))
    status, headers, body = client.ask("GET", "/api/requests/nonsense")
    assert (status, headers.get_content_type()) == (404, "text/html")
    assert body == b"There is no request with specified id"


def test_who_may_ask(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    anonymous, wrong = Client(cvat_server), Client(cvat_server, Authorization="Bearer guessed")
    del anonymous.headers["Authorization"]
    old = Client(cvat_server, Authorization=f"Token {cvat_server.token}")

    assert anonymous.get("/api/tasks/3", 401) == recorded_value("40-anonymous", 1)
    assert anonymous.get("/api/server/about")["version"] == "2.73.0"
    for one in wrong, old:
        assert one.get("/api/tasks/3", 401) == recorded_value("39-wrong-token", 1)
    status, _, body = client.ask("PATCH", "/api/tasks/3", {"name": "x"})
    assert status == 403
    assert json.loads(body) == recorded_value("36-read-only-token-may-not-write", 0)
    assert client.get("/api/auth/access_tokens/self")["read_only"] is True
    cvat_server.read_only, cvat_server.user = False, "somebody"
    assert client.get("/api/auth/access_tokens/self")["read_only"] is False
    assert client.get("/api/users/self")["username"] == "somebody"
    assert cvat_server.unexpected == []


def test_what_a_client_must_send(cvat_server: CvatServer) -> None:
    cvat_server.add_task(3)
    for accept, status in {
        "application/json": 406,
        "application/vnd.cvat+json": 200,
        "application/json, */*;q=0.5": 200,
        "*/*": 200,
    }.items():
        assert Client(cvat_server, Accept=accept).ask("GET", "/api/tasks/3")[0] == status
    assert Client(cvat_server).ask("GET", "/api/tasks/3/")[0] == 404


def test_what_is_not_played_is_kept(cvat_server: CvatServer, client: Client) -> None:
    status, _, body = client.ask("GET", "/api/webhooks?x=1")
    assert (status, body) == (599, b"nothing here answers GET /api/webhooks {'x': '1'}")
    assert [(one.method, one.path) for one in cvat_server.unexpected] == [("GET", "/api/webhooks")]

    cvat_server.play("a")
    assert client.ask("GET", "/api/tasks/4")[0] == 599
    assert [one.path for one in cvat_server.unexpected] == ["/api/webhooks", "/api/tasks/4"]
    cvat_server.play()
    cvat_server.add_task(4)
    assert client.ask("GET", "/api/tasks/4")[0] == 200


def speaker(server: CvatServer, exchange: Mapping[str, Any]) -> Client:
    """A client that sends the headers of a recorded request."""
    headers = dict(exchange["request"]["headers"])
    slug = headers.pop("X-Organization", None)
    for name in "Host", "Content-Length", "Accept-Encoding", "Connection":
        headers.pop(name, None)
    client = Client(server, slug, **headers)
    if "Authorization" not in headers:
        del client.headers["Authorization"]
    elif "{read-only token}" in headers["Authorization"]:
        client.headers["Authorization"] = f"Bearer {server.token}"
    return client


@pytest.mark.parametrize("name", names())
def test_every_recording_can_be_played(cvat_server: CvatServer, name: str) -> None:
    """The recorded questions, asked in their order, get the recorded answers."""
    cvat_server.play(name)
    recording = scenario(name)
    for exchange in recording["exchanges"]:
        request, wanted = exchange["request"], exchange["response"]
        writing = "{writing token}" in request["headers"].get("Authorization", "")
        cvat_server.read_only = not writing
        client = speaker(cvat_server, exchange)
        if writing:
            client.headers["Authorization"] = f"Bearer {cvat_server.token}"
        query = urlencode(request.get("query", {}))
        for _ in range(exchange.get("repeated", 1)):
            got = client.ask(request["method"], f"{request['path']}?{query}", request.get("json"))
            expect(got, wanted, recording["base"], cvat_server.url)
    assert cvat_server.unexpected == []


def expect(got: tuple[int, Message, bytes], wanted: Mapping[str, Any], base: str, url: str) -> None:
    """Compare an answer with a recorded one."""
    status, headers, body = got
    assert status == wanted["status"]
    for name, value in wanted["headers"].items():
        if name != "Content-Length":
            assert headers.get_all(name) == (value if isinstance(value, list) else [value])
    if "file" in wanted:
        assert body == (cvat_answers.FOLDER / wanted["file"]).read_bytes()
    elif "json" in wanted:
        text = json.dumps(wanted["json"])
        assert json.loads(body) == json.loads(text.replace(base, url))
        if base not in text and "{key}" not in text:  # else the length is another
            assert len(body) == int(wanted["headers"]["Content-Length"])


def test_another_client_may_ask_otherwise(cvat_server: CvatServer, client: Client) -> None:
    """A recording answers one that filters by number alone, polls less, and writes `false`."""
    cvat_server.play("a", "c", polls=1)
    for name in "90-cli-export-dataset.zip", "c-bridge-after-an-edit.zip":
        assert client.listed("tasks", filter={"in": [{"var": "id"}, [3]]}, page_size=500) == [3]
        assert len(client.listed("jobs", task_id=3, page_size=100)) == 5
        number = client.start()
        assert [client.poll(number)["status"] for _ in range(2)] == ["started", "finished"]
        url = f"/api/tasks/3/dataset/download?rq_id={quote(number)}"
        assert client.ask("GET", url)[2] == export_of(name).read_bytes()
    assert cvat_server.unexpected == []


def test_requests_are_counted(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    client.export()

    assert cvat_server.asked("POST", "/dataset/export$") == 1
    assert cvat_server.asked("GET", "^/api/requests/action=export") == 3
    first = cvat_server.requests[0]
    assert first.query == {
        "format": "CVAT for video 1.1",
        "save_images": "false",
        "location": "local",
    }
    assert first.headers["X-Organization"] == "videoteam"


def test_faults_are_counted(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    busy = cvat_answers.refuse(503, Retry_After="1")
    cvat_server.disturb("GET /api/tasks/3", busy, times=2, after=1)

    statuses = [client.ask("GET", "/api/tasks/3")[0] for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    cvat_server.disturb("/api/tasks", cvat_answers.html())
    assert client.ask("GET", "/api/tasks")[1].get_content_type() == "text/html"
    cvat_server.calm()
    assert client.listed("tasks") == [3]


def test_answers_are_broken(cvat_server: CvatServer, client: Client) -> None:
    cvat_server.add_task(3)
    whole = client.ask("GET", "/api/tasks/3")[2]

    def disturb(fault: cvat_answers.Fault) -> None:
        cvat_server.disturb("/api/tasks/3", fault, times=1)

    disturb(cvat_answers.cut(100))
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.ask("GET", "/api/tasks/3")
    assert (len(cut.value.partial), cut.value.expected) == (100, len(whole) - 100)
    disturb(cvat_answers.claim(10))
    assert client.ask("GET", "/api/tasks/3")[2] == whole[:10]
    disturb(cvat_answers.CLOSE)
    with pytest.raises(http.client.RemoteDisconnected):
        client.ask("GET", "/api/tasks/3")
    disturb(cvat_answers.RESET)
    with pytest.raises((ConnectionResetError, URLError), match="reset by peer"):
        client.ask("GET", "/api/tasks/3")
    disturb(cvat_answers.change(name="x\ny"))
    assert client.get("/api/tasks/3")["name"] == "x\ny"
    disturb(cvat_answers.body(b"{"))
    assert client.ask("GET", "/api/tasks/3")[2] == b"{"
    disturb(cvat_answers.drip(0.0001))
    assert client.ask("GET", "/api/tasks/3")[2] == whole
    disturb(cvat_answers.redirect(f"{cvat_server.url}/api/users/self"))
    assert client.get("/api/tasks/3")["username"] == "bridge"


def test_a_client_that_hangs_is_let_go(tmp_path: Path) -> None:
    with CvatServer() as server:
        server.disturb("/api", cvat_answers.HANG)
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=0.2)
        connection.request("GET", "/api/users/self")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
    with pytest.raises(URLError, match="refused"):
        Client(server).ask("GET", "/api/server/about")


def test_https_with_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with CvatServer(tls=(certificate, key)) as server:
        server.add_task(3)
        client = Client(server)
        assert server.url.startswith("https://127.0.0.1:")
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            client.ask("GET", "/api/tasks/3")
        client.ca_file = certificate
        assert client.get("/api/tasks/3")["url"] == f"{server.url}/api/tasks/3"


def kinds(backup: bytes | Path) -> set[tuple[str, int]]:
    """Return what kinds of files a backup has, and how they are packed."""
    with zipfile.ZipFile(io.BytesIO(backup) if isinstance(backup, bytes) else backup) as one:
        listed = [(each.filename, each.compress_type) for each in one.infolist()]
    made = ("data/manifest.jsonl", "task.json", "annotations.json")
    return {(name if name in made else name.partition("/")[0], kind) for name, kind in listed}


def test_a_backup_is_made_as_an_export_is_and_has_what_a_real_one_has(
    cvat_server: CvatServer, client: Client
) -> None:
    """The routes are those of cvat-sdk; the zip is compared with one that a CVAT made of pictures.

    No backup of a movie was recorded.
    """
    cvat_server.add_task(3, "Bikes", movie=("bikes.mp4", b"a movie"))
    status, _, body = client.ask("POST", "/api/tasks/3/backup/export?location=local")
    done = client.wait(json.loads(body)["rq_id"])
    _, headers, backup = client.ask("GET", done["result_url"])

    assert status == 202
    assert done["operation"]["type"] == "export:backup"
    assert re.search('filename="task_bikes_backup_[0-9_]+.zip"$', headers["Content-Disposition"])
    assert kinds(backup) == kinds(corpora.path("cvat/real/cvat-ai+cvat/task_30_backup.zip"))
    with zipfile.ZipFile(io.BytesIO(backup)) as one:
        assert one.read("data/bikes.mp4") == b"a movie"
    assert client.get("/api/tasks/3/data/meta")["frames"][0]["name"] == "bikes.mp4"
