"""What goes wrong with one task is that task's; what goes wrong with the server ends in time."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cvat_worlds import DATASETS, STREET, World, recorded
from pipelines.cvat import exports, http
from services.cvat_answers import CLOSE, Answer, body, change, claim, cut, html, redirect, refuse
from services.cvat_client import EXPORT, Client
from services.cvat_server import CvatServer, self_signed
from services.gitserver import git

YARD_PUSHED = "yard: task 12: pushed cvat_12_bikes_day_1"
DOWNLOAD = "3/dataset/download"


@pytest.fixture
def both(world: World) -> World:
    """A registry of two tasks that are due."""
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")
    return world


def archive(*files: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as one:
        for name, content in files:
            one.writestr(name, content)
    return made.getvalue()


def other_is_pushed(both: World, said: str, code: int = 1) -> None:
    """Street fails with these words, and yard is pushed all the same."""
    street, yard = both.results(code=code)

    assert street.startswith("street: task 3: ")
    assert said in street
    assert yard == YARD_PUSHED
    assert list(both.branches()) == ["cvat_12_bikes_day_1"]


GONE = "is not in CVAT any more; delete cvat-task"
HIDDEN = "the token may not see or export it"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda cvat: cvat.remove_task(3), GONE),
        (lambda cvat: cvat.forbid(3), HIDDEN),
        (lambda cvat: cvat.disturb("POST .*/3/dataset/export", refuse(403)), HIDDEN),
        (lambda cvat: cvat.disturb("POST .*/3/dataset/export", refuse(404)), GONE),
    ],
    ids=["gone", "forbidden", "not to be exported", "gone meanwhile"],
)
def test_a_task_that_is_not_to_be_had(
    both: World, harm: Callable[[CvatServer], object], said: str
) -> None:
    harm(both.cvat)

    other_is_pushed(both, said)


@pytest.mark.parametrize(
    ("when", "code", "said"),
    [
        ("accepted", 0, "not accepted yet (it has no data; upload its movie or pictures in CVAT)"),
        ("saved", 1, "has no data yet; upload its movie or pictures in CVAT"),
    ],
)
def test_a_task_without_data_is_none_to_fetch(both: World, when: str, code: int, said: str) -> None:
    both.settings(when=when)
    both.cvat.tasks[3].without_data()

    assert both.results(code=code) == [f"street: task 3: {said}", YARD_PUSHED]


def test_a_failed_export_is_reported_and_others_go_on(both: World) -> None:
    fail = change(status="failed", message="AttributeError: 'NoneType' object\n  has no ...")
    both.cvat.disturb("GET /api/requests/.*target_id=3&", fail)

    other_is_pushed(both, "CVAT could not export it; CVAT's page Requests says why")


def test_an_export_that_is_under_way_already_is_waited_for(both: World) -> None:
    """409: the other run's request is the one that is polled."""
    both.cvat.hold_exports()
    asked, _, _ = Client(both.cvat).ask("POST", f"/api/tasks/3/dataset/export?{EXPORT}")
    assert asked == 202
    both.cvat.release_exports()

    assert both.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"


def test_a_queue_that_stands_still_is_left_in_time(both: World) -> None:
    both.cvat.hold_exports()

    lines = both.results("--timeout", "2", code=3)

    assert [line.partition(": CVAT has")[2] for line in lines] == [
        " exported nothing for 2 s; look whether its export worker runs; try again later"
    ] * 2
    assert both.branches() == {}


def test_a_file_that_is_gone_is_exported_once_more(both: World) -> None:
    both.cvat.disturb(DOWNLOAD, refuse(404, "The exported file has expired"), times=1)

    assert both.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"
    assert both.cvat.asked("POST", "/3/dataset/export") == 2

    both.cvat.tasks[3].save(recorded("c-bridge-after-an-edit"))
    both.cvat.disturb(DOWNLOAD, refuse(404, "The exported file has expired"))
    assert "was gone before it could be downloaded; try again later" in both.results(code=3)[0]


def test_a_request_that_cvat_forgot_is_asked_once_more(both: World) -> None:
    both.cvat.disturb("GET /api/requests/.*target_id=3&", refuse(404, "no request"), times=1)

    assert both.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"


def test_a_file_of_before_is_known_by_its_own_date(both: World) -> None:
    """57: somebody saves between the export and the download; the next run brings that."""
    task = both.cvat.tasks[3]
    old = task.updated.isoformat().replace("+00:00", "Z")

    def save(answer: Answer) -> Answer:
        task.save(recorded("c-bridge-after-an-edit"))
        return answer

    both.cvat.disturb(DOWNLOAD, save, times=1)
    both.fetch()

    message = both.bare.git("log", "-1", "--format=%B", "cvat_3_bikes_day_1")
    assert f"CVAT-Updated: {old}" in message
    assert both.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"
    assert both.results()[0] == "street: task 3: unchanged"


def test_a_file_that_is_newer_than_the_list_is_known_by_its_own_date(both: World) -> None:
    """Somebody deletes a frame after the tasks were listed: its date, and the frame, count."""
    task = both.cvat.tasks[3]

    def delete(answer: Answer) -> Answer:
        task.delete_frames(8)  # of every second frame
        return answer

    both.cvat.disturb("GET /api/tasks/3/data/meta", delete, times=1)
    both.fetch()

    new = task.updated.isoformat().replace("+00:00", "Z")
    message = both.bare.git("log", "-1", "--format=%B", "cvat_3_bikes_day_1")
    assert f"CVAT-Updated: {new}" in message
    content = both.file("cvat_3_bikes_day_1", STREET)
    assert b"<deleted_frames>16</deleted_frames>" in content
    assert both.results()[0] == "street: task 3: unchanged"


def test_a_file_that_is_older_than_the_list_is_exported_once_more(both: World) -> None:
    """A request of another run may have begun before the last save."""
    old = recorded("19-export-task-video11")  # of 2026-11-27 02:52, before all dates here
    both.cvat.disturb(DOWNLOAD, body(archive(("annotations.xml", old))), times=1)

    both.fetch()

    assert both.cvat.asked("POST", "/3/dataset/export") == 2
    assert both.results()[0] == "street: task 3: unchanged"


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "two files": (archive(("annotations.xml", b"x"), ("b", b"x")), "'annotations.xml' and 1 more"),
    "a file above": (archive(("../annotations.xml", b"x")), "'../annotations.xml', not annot"),
    "a line's end": (archive(("a\nb", b"x")), r"'a\nb', not annotations.xml alone"),
    "none": (archive(), "has nothing, not annotations.xml alone"),
    "a bomb": (archive(("annotations.xml", b"\0" * 40_000_000)), "more than 17000000 bytes"),
    "half a zip": (archive(("annotations.xml", b"x" * 999))[:99], "is no whole zip"),
    "no zip": (b"hello", "is no whole zip"),
    "a DTD": (archive(("annotations.xml", b"<!DOCTYPE a []><a/>")), "has a DTD"),
    "too much": (b"\0" * 19_000_000, "answers with more than 18000000 bytes"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_export_is_not_pushed(both: World, name: str) -> None:
    content, said = BAD_FILES[name]
    both.cvat.disturb(DOWNLOAD, body(content))

    other_is_pushed(both, said)


def test_an_export_that_is_larger_than_publish_takes_is_not_pushed(both: World) -> None:
    size = len(recorded("19-export-task-video11"))
    both.settings(publish={"max-size": size // 2})

    lines = both.results(code=1)

    assert all("more than publish.max-size" in line for line in lines)
    assert both.branches() == {}


@pytest.mark.parametrize("fault", [cut(500), claim(100_000), CLOSE, html(500)])
def test_an_answer_that_is_cut_off_is_asked_for_again(both: World, fault: Answer) -> None:
    both.cvat.disturb(DOWNLOAD, fault, times=2)

    assert both.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"


@pytest.mark.parametrize("fault", [cut(500), claim(100_000), CLOSE, html(500)])
def test_an_answer_that_is_always_cut_off_is_for_later(both: World, fault: Answer) -> None:
    both.cvat.disturb(DOWNLOAD, fault)

    other_is_pushed(both, "; try again later", code=3)


def test_a_result_elsewhere_is_not_asked_for(both: World) -> None:
    with CvatServer() as other:
        url = f"{other.url}/api/tasks/3/dataset/download?rq_id=x"
        fault = change(status="finished", result_url=url)
        both.cvat.disturb("GET /api/requests/.*target_id=3&", fault)

        other_is_pushed(both, f"calls itself {other.url}, where the token does not go")
        assert other.requests == []


@pytest.mark.parametrize("url", [None, "", 5, "file:///etc/passwd", "http://[", "//x/api/y"])
def test_a_result_that_is_nowhere_is_not_asked_for(both: World, url: object) -> None:
    fault = change(status="finished", result_url=url)
    both.cvat.disturb("GET /api/requests/.*target_id=3&", fault)

    other_is_pushed(both, "")


@pytest.mark.parametrize(
    ("match", "fault"),
    [
        ("POST .*/3/dataset/export", change(rq_id=None)),
        ("GET /api/requests/.*target_id=3&", change(status="odd")),
        ("GET /api/requests/.*target_id=3&", html()),
        ("GET /api/tasks/3/data/meta", change(deleted_frames="all")),
        ("GET /api/tasks/3/data/meta", change(frame_filter="every second")),
        ("GET /api/tasks/3/data/meta", refuse(400, ["Data is not available for the task"])),
    ],
)
def test_an_answer_that_nobody_expects_is_that_tasks(
    both: World, match: str, fault: Answer
) -> None:
    both.cvat.disturb(match, fault)

    other_is_pushed(both, "")


def test_a_redirect_is_not_followed(both: World) -> None:
    with CvatServer() as other:
        both.cvat.disturb("GET /api/tasks", redirect(f"{other.url}/api/tasks"))

        said = both.fetch(code=1)

        assert f"leads elsewhere, to {other.url}/api/tasks, where the token does not go" in said
        assert other.requests == []


@pytest.mark.parametrize("next_", ["http://127.0.0.1:1/api/tasks?page=2", "https://x/api/tasks"])
def test_a_page_elsewhere_is_not_asked_for(both: World, next_: str) -> None:
    both.cvat.disturb("GET /api/tasks", change(next=next_))

    assert "where the token does not go" in both.fetch(code=1)


def test_pages_are_followed(both: World) -> None:
    both.cvat.largest_page = 1

    assert len(both.results()) == 2
    assert both.cvat.asked("GET", "^/api/tasks$") == 2
    assert len(both.branches()) == 2


def test_a_list_without_an_end_ends(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.cvat import tasks  # noqa: PLC0415

    monkeypatch.setattr(tasks, "PAGES", 5)
    both.cvat.disturb("GET /api/tasks", change(next=f"{both.cvat.url}/api/tasks?page=1"))

    assert "gives a list without an end" in both.fetch(code=1)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (refuse(401, {"detail": "Invalid token."}), 1, "CVAT_ACCESS_TOKEN: is wrong, revoked"),
        (html(200), 1, "answers with text/html, not with JSON; does cvat.url lead to CVAT?"),
        (refuse(200, [1]), 1, "answers without results"),
        (html(502), 3, "answers with 502"),
        (refuse(429, Retry_After="3600"), 3, "wants to be left alone for 3600 s"),
        (CLOSE, 3, "does not answer as it should"),
        (refuse(404, {"detail": "x organization does not exist."}), 1, "cvat.organization: "),
        (refuse(403), 1, "cvat.organization: the token's user is not in it"),
    ],
)
def test_a_server_that_does_not_answer(both: World, fault: Answer, code: int, said: str) -> None:
    both.cvat.disturb("GET /api/tasks", fault)

    assert said in both.fetch(code=code)
    assert both.branches() == {}


def test_retry_after_is_waited_for(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(http, "sleep", waited.append)
    both.cvat.disturb("GET /api/tasks", refuse(429, Retry_After="22"), times=1)  # recording 98

    assert len(both.results()) == 2
    assert waited == [22]


def test_a_server_that_is_away_is_for_later(both: World) -> None:
    both.settings(url="http://127.0.0.1:1")

    assert "does not answer as it should: Connection refused" in both.fetch(code=3)


def test_a_server_that_trickles_is_cut_off(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.cvat_answers import HANG  # noqa: PLC0415

    monkeypatch.setattr(http, "LONGEST", 0.3)
    both.cvat.disturb("GET /api/tasks", HANG)

    assert "does not answer as it should" in both.fetch(code=3)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_certificate_is_checked_against_the_file_of_the_registry(
    world: World, tmp_path: Path, trusted: bool
) -> None:
    tls = self_signed(tmp_path)
    with CvatServer(tls=tls) as server:
        server.add_task(3, "bikes day 1", status="completed")
        more = {"ca-file": "ca.pem"} if trusted else {}
        world.change({"ca.pem": tls[0].read_bytes()})
        world.settings({"street": DATASETS["street"]}, **{"url": server.url, **more})

        said = world.fetch(code=0 if trusted else 1)

        assert ("pushed cvat_3_bikes_day_1" in said) is trusted
        assert ("has a certificate that is not trusted" in said) is not trusted
        assert bool(server.requests) is trusted


@pytest.mark.parametrize("file", ["no.pem", "/nowhere/ca.pem", "/dev/null", "params.yaml"])
def test_a_certificate_that_is_none_is_refused(world: World, file: str) -> None:
    world.settings(**{"url": "https://127.0.0.1:1", "ca-file": file})

    assert f"error: {file}: " in world.fetch(code=1)


@pytest.mark.parametrize("token", ["with blank inside", "ends\n", "short", "ünïcode-token"])
def test_what_is_no_token_is_not_sent(
    both: World, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", token)

    said = both.fetch(code=1)

    assert "CVAT_ACCESS_TOKEN: is no token" in said
    assert token not in said
    assert both.cvat.requests == []


def test_an_export_that_dvc_keeps_is_not_asked_for(both: World) -> None:
    both.change({STREET: None, f"{STREET}.dvc": b"outs: []\n"})

    other_is_pushed(both, "annotations.xml is kept in DVC, where a branch cannot change it; `dvc")
    assert both.cvat.asked("POST", "/3/dataset/export") == 0


@pytest.mark.parametrize("path", ["../x.xml", "/etc/x.xml", "data/./x.xml", "", "a\nb", "a//b"])
def test_an_export_outside_the_registry_is_refused(both: World, path: str) -> None:
    wrong = {**DATASETS["street"], "export": path}
    both.settings({"street": wrong, "yard": DATASETS["yard"]})

    other_is_pushed(both, "export is no path of a file in the registry")


def test_a_branch_that_publish_would_refuse_is_not_added_to(both: World) -> None:
    other = both.folder / "attacker"
    git(both.folder, "clone", "-q", both.bare.file_url, str(other))
    git(other, "checkout", "-q", "-b", "cvat_3_bikes_day_1")
    (other / "dvc.yaml").write_text("stages: {}\n")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "x")
    git(other, "push", "-q", "origin", "cvat_3_bikes_day_1")
    before = both.branches()

    street, yard = both.results(code=1)

    assert "cvat_3_bikes_day_1: dvc.yaml is not task 3's to change" in street
    assert yard == YARD_PUSHED
    assert both.branches()["cvat_3_bikes_day_1"] == before["cvat_3_bikes_day_1"]


def test_a_push_that_loses_is_for_later_and_never_forced(
    both: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else pushes the branch while the export is made."""
    other = both.folder / "other"
    git(both.folder, "clone", "-q", both.bare.file_url, str(other))
    (other / STREET).write_text("theirs\n")
    git(other, "commit", "-q", "-a", "-m", "theirs")
    theirs = git(other, "rev-parse", "HEAD")
    true = exports.export

    def race(server, task, limits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if task.id == 3:
            git(other, "push", "-q", "origin", "HEAD:refs/heads/cvat_3_bikes_day_1")
        return true(server, task, limits)

    monkeypatch.setattr(exports, "export", race)

    street, yard = both.results(code=3)

    assert "the server of `origin` says" in street
    assert yard == YARD_PUSHED
    assert both.branches()["cvat_3_bikes_day_1"] == theirs
