"""`fetch`: from a task that was completed in CVAT to a branch at the server."""

import json
from pathlib import Path

import pytest

from cvat_worlds import DATASETS, STREET, YARD, World, entry, recorded, without_the_lines
from pipelines.cvat import tasks, trigger
from services.cvat_answers import FOLDER
from services.cvat_server import CvatServer
from services.gitserver import git

DROPPED = ("dumped", "updated", "email", "url")
"""Elements that change though nobody changed anything."""

UNCHANGED = "street: task 3: unchanged"
SAVED = "street: task 3: unchanged: it was saved in CVAT without a change"


PUSHED = "pushed cvat_3_bikes_day_1"
ACCEPTED, COMPLETED = ("acceptance", "completed"), ("annotation", "completed")


def exports(cvat: CvatServer) -> int:
    """How many exports were asked for."""
    return cvat.asked("POST", "/dataset/export")


def test_the_first_run_pushes_one_commit_that_changes_one_file(world: World) -> None:
    task = world.cvat.add_task(
        3, "bikes day 1/2 *new*", status="completed", deleted=[3, 12], step=2
    )
    world.cvat.add_task(12, "the yard", status="annotation")

    lines = world.results()

    tip = world.branches()["cvat_3_bikes_day_1_2__new_"]
    date = task.updated.isoformat().replace("+00:00", "Z")
    assert lines == [
        "street: task 3: pushed cvat_3_bikes_day_1_2__new_",
        "yard: task 12: not accepted yet (0 of 1 jobs)",
    ]
    assert len(world.branches()) == 1
    assert world.bare.git("diff", "--name-status", "trunk", tip) == f"M\t{STREET}"
    assert world.bare.git("ls-tree", tip, STREET).startswith("100644 blob")
    assert world.bare.git("log", "--format=%an|%B", f"trunk..{tip}").strip() == (
        "Data registry|CVAT Annotation updated by bridge.\n\n"
        f"Task URL: {world.cvat.url}/tasks/3\n\nCVAT-Updated: {date}"
    )
    content = world.file(tip, STREET)
    assert b"    <task>\n      <deleted_frames>6 24</deleted_frames>\n      <id>3</id>" in content
    assert without_the_lines(content, "deleted_frames") == without_the_lines(
        task.annotations(world.cvat.url, task.updated), *DROPPED
    )
    assert exports(world.cvat) == 1


@pytest.mark.parametrize("read_only", [True, False])
def test_a_token_that_may_write_is_warned_of(street: World, read_only: bool) -> None:
    street.cvat.add_task(3, "bikes day 1", status="completed")
    street.cvat.read_only = read_only

    street.fetch()

    text = "warning: CVAT_ACCESS_TOKEN: may write in CVAT; make a token that is read-only"
    assert (text in "".join(street.said)) is not read_only


def test_a_real_answer_becomes_the_branch(street: World) -> None:
    """Recording a: the whole run of a bridge, on a server that is not played."""
    street.cvat.play("17-token-self", "a-bridge-first-run", "c-bridge-after-an-edit", polls=2)

    assert street.results() == ["street: task 3: pushed cvat_3_bikes_day_1_2__new_"]


def test_an_idle_run_is_one_request_and_pushes_nothing(world: World) -> None:
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")
    world.fetch()
    before, branches = len(world.cvat.requests), world.branches()

    lines = world.results()

    assert lines == ["street: task 3: unchanged", "yard: task 12: unchanged"]
    assert len(world.cvat.requests) == before + 1
    assert world.branches() == branches


@pytest.mark.parametrize("merged", [False, True], ids=["waiting", "published"])
def test_many_tasks_and_one_change_are_one_list_and_one_export(world: World, merged: bool) -> None:
    numbers = range(100, 130)
    paths = {n: f"data/m{n}/a.xml" for n in numbers}
    world.settings({f"m{n}": {"export": paths[n], "cvat-task": n} for n in numbers})
    for number in numbers:
        world.cvat.add_task(number, "bikes day 1", status="completed")
    world.fetch()
    if merged:
        world.merge(*world.branches())
    world.cvat.tasks[115].save(recorded("c-bridge-after-an-edit"))
    before, branches = len(world.cvat.requests), world.branches()

    lines = world.results()

    asked = [f"{one.method} {one.where}" for one in world.cvat.requests[before:]]
    assert [line for line in lines if not line.endswith("unchanged")] == [
        "m115: task 115: pushed cvat_115_bikes_day_1"
    ]
    assert asked.count("GET /api/tasks") == 1
    assert [one for one in asked if one[:4] == "POST"] == ["POST /api/tasks/115/dataset/export"]
    assert len([name for name, tip in world.branches().items() if branches[name] != tip]) == 1


def test_an_edit_is_one_more_commit_on_the_branch_that_waits(street: World) -> None:
    task = street.cvat.add_task(
        3, "bikes day 1", status="completed", export=recorded("19-export-task-video11")
    )
    street.fetch()
    first = street.branches()["cvat_3_bikes_day_1"]
    task.save(recorded("c-bridge-after-an-edit"))

    street.fetch()
    second = street.branches()["cvat_3_bikes_day_1"]

    assert street.bare.git("rev-parse", f"{second}^") == first
    assert street.bare.git("rev-list", "--count", f"trunk..{second}") == "2"
    forced = [push for push in street.bare.pushes() if push.updates[0].ref.endswith("day_1")]
    assert [push.updates[0].old for push in forced if push.done] == ["0" * 40, first]


def test_a_save_without_a_change_and_an_empty_cache_push_nothing(street: World) -> None:
    task = street.cvat.add_task(3, "bikes day 1", status="completed")
    street.fetch()
    branches = street.branches()
    task.touch()

    assert street.results() == [SAVED]

    street.cvat.drop_cache()
    street.cvat.clock.advance(hours=25)
    assert street.results() == [SAVED]
    assert street.branches() == branches


def test_a_job_that_was_reopened_is_waited_for(street: World) -> None:
    task = street.cvat.add_task(3, "bikes day 1", status="completed")
    street.fetch()
    branches, before = street.branches(), exports(street.cvat)

    task.set_job(0, stage="annotation")

    assert street.results() == ["street: task 3: not accepted yet (0 of 1 jobs)"]
    assert exports(street.cvat) == before

    task.set_job(0, stage="acceptance", state="completed")

    assert street.results() == [SAVED]
    assert street.branches() == branches


def test_after_a_publish_a_change_is_a_fast_forward_of_the_branch(street: World) -> None:
    task = street.cvat.add_task(3, "bikes day 1", status="completed")
    street.fetch()
    first = street.branches()["cvat_3_bikes_day_1"]
    street.merge("cvat_3_bikes_day_1")
    assert street.results() == [UNCHANGED]
    task.save(recorded("c-bridge-after-an-edit"))

    street.fetch()
    second = street.branches()["cvat_3_bikes_day_1"]

    assert street.bare.git("rev-parse", f"{second}^") == street.bare.git("rev-parse", "trunk")
    street.bare.git("merge-base", "--is-ancestor", first, second)


def test_a_renamed_task_keeps_its_open_branch_and_has_a_new_one_after_a_publish(
    street: World,
) -> None:
    task = street.cvat.add_task(3, "one", status="completed")
    street.fetch()
    task.rename("two")

    assert street.results() == ["street: task 3: pushed cvat_3_one"]

    street.merge("cvat_3_one")
    task.rename("three")
    assert street.results() == ["street: task 3: pushed cvat_3_three"]
    assert sorted(street.branches()) == ["cvat_3_one", "cvat_3_three"]


def test_a_frame_that_is_restored_is_a_change(street: World) -> None:
    task = street.cvat.add_task(3, "bikes day 1", status="completed", deleted=[3, 12], step=2)
    street.fetch()
    task.restore_frames(3, 12)

    street.fetch()

    assert b"<deleted_frames></deleted_frames>\n" in street.file("cvat_3_bikes_day_1", STREET)


def test_an_export_in_a_zip_is_the_same_zip_each_time(world: World) -> None:
    task = world.cvat.add_task(12, "bikes day 1", status="completed")
    world.settings({"yard": DATASETS["yard"]})
    world.fetch()
    made = world.file("cvat_12_bikes_day_1", YARD)
    task.touch()

    assert world.results() == ["yard: task 12: unchanged: it was saved in CVAT without a change"]
    assert without_the_lines(entry(made), "deleted_frames") == without_the_lines(
        task.annotations(world.cvat.url, task.updated), *DROPPED
    )
    assert made[:4] == b"PK\3\4"
    assert made[8:14] == b"\0\0\0\0\x21\0"  # stored; 1980-01-01


def test_a_task_of_pictures_is_exported_in_the_format_of_pictures(street: World) -> None:
    content = recorded("91-export-task-images11")
    street.cvat.add_task(3, "bikes day 1", status="completed", mode="annotation", export=content)

    street.fetch()

    (asked,) = [one for one in street.cvat.requests if one.method == "POST"]
    assert asked.query == {
        "format": "CVAT for images 1.1",
        "save_images": "false",
        "location": "local",
    }
    assert b"<image id=" in street.file("cvat_3_bikes_day_1", STREET)


def test_an_export_by_hand_is_replaced_though_the_date_is_known(street: World) -> None:
    street.cvat.add_task(3, "bikes day 1", status="completed")
    street.fetch()
    street.merge("cvat_3_bikes_day_1")
    street.change({STREET: b"<annotations>by hand again</annotations>\n"})

    assert street.results() == ["street: task 3: pushed cvat_3_bikes_day_1"]


def test_a_date_in_another_tasks_branch_is_not_believed(world: World) -> None:
    """A branch of task 12 cannot say that task 3's export is as CVAT has it."""
    task = world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1")
    date = task.updated.isoformat().replace("+00:00", "Z")
    liar = world.folder / "liar"
    git(world.folder, "clone", "-q", world.bare.file_url, str(liar))
    git(liar, "checkout", "-q", "-b", "cvat_12_liar")
    content = (liar / STREET).read_bytes()
    for text in (b"another\n", content):
        (liar / STREET).write_bytes(text)
        git(liar, "commit", "-q", "-a", "-m", f"x\n\nCVAT-Updated: {date}")
    git(liar, "push", "-q", "origin", "cvat_12_liar")

    assert world.results()[0] == "street: task 3: pushed cvat_3_bikes_day_1"


@pytest.mark.parametrize(
    ("when", "jobs", "result"),
    [
        ("accepted", [ACCEPTED, ("validation", "completed")], "not accepted yet (1 of 2 jobs)"),
        ("accepted", [ACCEPTED], PUSHED),
        ("completed", [COMPLETED, ("annotation", "new")], "not completed yet (1 of 2 jobs)"),
        ("completed", [COMPLETED, ("annotation", "new", "ground_truth")], PUSHED),
        ("completed", [ACCEPTED], PUSHED),
        ("saved", [("annotation", "new")], PUSHED),
    ],
)
def test_when_a_task_is_taken(
    street: World, when: str, jobs: list[tuple[str, ...]], result: str
) -> None:
    street.settings({"street": DATASETS["street"]}, when=when)
    street.cvat.add_task(3, "bikes day 1", jobs=jobs)

    assert street.results() == [f"street: task 3: {result}"]


def test_the_jobs_of_all_tasks_are_one_request(world: World) -> None:
    world.settings(when="completed")
    world.cvat.add_task(3, "bikes day 1", jobs=[COMPLETED, COMPLETED])
    world.cvat.add_task(12, "bikes day 1", jobs=[COMPLETED, ("annotation", "in progress")])

    assert world.results() == [
        "street: task 3: pushed cvat_3_bikes_day_1",
        "yard: task 12: not completed yet (1 of 2 jobs)",
    ]
    assert world.cvat.asked("GET", "^/api/jobs$") == 1


def test_deleted_frames_are_numbered_as_the_movie_is(street: World) -> None:
    """Facts 3: absolute = relative * step + start_frame."""
    street.cvat.add_task(3, "bikes day 1", status="completed", start=10, step=3, deleted=[2, 0])

    street.fetch()

    content = street.file("cvat_3_bikes_day_1", STREET)
    assert b"<deleted_frames>10 16</deleted_frames>" in content


def test_more_tasks_than_a_page_are_asked_for_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PAGE", 1)
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")

    assert len(world.results()) == 2
    assert world.cvat.asked("GET", "^/api/tasks$") == 2
    assert len(world.branches()) == 2


def test_tasks_of_no_organization_are_asked_for_one_by_one(world: World) -> None:
    """45: a list has them only in the organization's context, and each by its number is there."""
    world.settings(organization="")
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")

    assert len(world.results()) == 2
    assert len(world.branches()) == 2
    assert not any(one.headers.get("X-Organization") for one in world.cvat.requests)


def test_a_task_without_data_is_waited_for(street: World) -> None:
    street.cvat.add_task(3, "bikes day 1").without_data()

    assert street.results() == [
        "street: task 3: not accepted yet (it has no data; upload its movie or pictures in CVAT)"
    ]


def test_jobs_that_are_not_listed_are_not_taken_for_completed(street: World) -> None:
    street.settings({"street": DATASETS["street"]}, organization="", when="completed")
    street.cvat.add_task(3, "bikes day 1", jobs=[COMPLETED])

    assert street.results() == [
        "street: task 3: not completed yet (CVAT lists no job of it; is cvat.organization right?)"
    ]


def test_the_users_name_adds_no_line_to_the_message(street: World) -> None:
    street.cvat.add_task(3, "bikes day 1", status="completed")
    street.cvat.user = "a\n\nCVAT-Updated: x\u202e"

    street.fetch()

    message = street.bare.git("log", "-1", "--format=%B", "cvat_3_bikes_day_1")
    assert message.splitlines()[0] == "CVAT Annotation updated by a_CVAT-Updated_x_."
    assert message.count("\nCVAT-Updated: ") == 1


def test_only_the_datasets_that_are_named_are_asked_for(world: World) -> None:
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")

    assert world.results("yard") == ["yard: task 12: pushed cvat_12_bikes_day_1"]

    assert "datasets.no: has no cvat-task on the default branch" in world.fetch("no", code=1)


@pytest.mark.parametrize(
    "text", ["datasets: {street: {export: data/a.xml, cvat-task: 3}}", "cvat: {url: 'https://x'}"]
)
def test_a_registry_without_cvat_or_tasks_has_nothing_to_fetch(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("CVAT_ACCESS_TOKEN")
    world.change({"params.yaml": text.encode()})

    assert "nothing to fetch" in world.fetch()


def test_without_the_token_nothing_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVAT_ACCESS_TOKEN")

    lines = world.fetch(code=1).splitlines()

    assert [line for line in lines if line.startswith("error: ")] == [
        "error: CVAT_ACCESS_TOKEN: is not set; make a read-only token in CVAT and set it as "
        "docs/cvat.md says"
    ]
    assert world.cvat.requests == []


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        ({"event": "update:job", "changes": {"updated_date": {}}, "before_update": {}}, False),
        ({"event": "update:job", "changes": {"state": {}}}, True),
        ({"event": "update:job", "before_update": {"stage": "annotation"}}, True),
        ({"event": "update:task", "before_update": {"status": "annotation"}}, True),
        ({"event": "update:task", "before_update": {"name": "x"}}, False),
        ({"event": "ping"}, False),
        ({"event": 5}, True),
        ({"event": "update:job", "changes": [1]}, True),
        ({"ref": "trunk"}, True),
        ("[" * 100_000, True),
        ("", True),
    ],
)
def test_a_webhook_says_whether_to_look(
    street: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: object, looks: bool
) -> None:
    street.cvat.add_task(3, "bikes day 1")
    file = tmp_path / "payload"
    file.write_text(body if isinstance(body, str) else json.dumps(body))
    monkeypatch.setenv("CI_PIPELINE_SOURCE", "trigger")
    monkeypatch.setenv("TRIGGER_PAYLOAD", str(file))

    said = street.fetch()

    assert bool(street.cvat.requests) is looks
    assert ("nothing to fetch" in said) is not looks


def test_each_webhook_of_a_real_server_is_understood(
    street: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deliveries = json.loads((FOLDER / "webhook-deliveries.json").read_text())["deliveries"]
    monkeypatch.setenv("CI_PIPELINE_SOURCE", "trigger")
    monkeypatch.setenv("TRIGGER_PAYLOAD", str(tmp_path / "payload"))
    for one in deliveries:
        (tmp_path / "payload").write_text(one["body"])
        changed = json.loads(one["body"]).get("changes", {}).keys()
        assert trigger.is_idle("accepted") is not bool(changed & {"state", "stage", "status"})
        assert not trigger.is_idle("saved")


def test_in_a_job_of_gitlab_the_branch_gets_no_pipeline_and_reports_are_kept(
    street: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    street.cvat.add_task(3, "bikes day 1", status="completed")
    street.bare.git("config", "receive.advertisePushOptions", "true")

    street.fetch()

    assert [push.options for push in street.bare.pushes() if push.done][-1] == ("ci.skip",)
    assert "task 3" in (street.clone / "registry-fetch.md").read_text()
    assert 'classname="fetch"' in (street.clone / "registry-fetch.xml").read_text()
    assert not (street.clone / "registry-report.md").exists()
