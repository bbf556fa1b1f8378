"""What `doctor` says of CVAT."""

from collections.abc import Callable

import pytest

from cvat_worlds import World
from pipelines.cvat import checks
from pipelines.errors import PipelineError
from pipelines.setup import doctor
from services.cvat_answers import change, html, refuse
from services.cvat_server import CvatServer


@pytest.fixture
def right(world: World) -> World:
    """A registry whose two tasks are there."""
    world.cvat.add_task(3, "bikes\n\u202eday", status="completed")
    world.cvat.add_task(12, "yard")
    return world


def test_all_is_right(right: World) -> None:
    found = [*checks.find()]

    assert [each.what for each in found if each.wrong] == []
    assert [each.what for each in found] == [
        f"{right.cvat.url} answers, and the token is of bridge",
        "the token is read-only",
        "the token expires on 2026-12-27",  # recording 17
        "street: task 3 can be read",
        "yard: task 12 can be read",
    ]
    assert [each.note for each in found[3:]] == [
        r"its name is 'bikes\n\u202eday'",
        "its name is 'yard'",
    ]


def may_write(cvat: CvatServer) -> None:
    cvat.read_only = False


def be_worker(cvat: CvatServer) -> None:
    cvat.role = "worker"


@pytest.mark.parametrize(
    ("harm", "what", "wrong"),
    [
        (may_write, "the token is read-only", "it may write"),
        (
            lambda cvat: cvat.disturb("access_tokens", change(expiry_date=None)),
            "the token expires",
            "it never does",
        ),
        (be_worker, "the role of bridge in videoteam is the least", "a worker may export nothing"),
        (lambda cvat: cvat.remove_task(3), "street: task 3 can be read", "is not in CVAT any more"),
        (lambda cvat: cvat.forbid(12), "yard: task 12 can be read", "may not see or export it"),
    ],
)
def test_what_is_wrong_is_named(
    right: World, harm: Callable[[CvatServer], None], what: str, wrong: str
) -> None:
    harm(right.cvat)

    (found,) = [each for each in checks.find() if each.wrong]

    assert found.what == what
    assert wrong in found.wrong


@pytest.mark.parametrize(
    ("answer", "said"),
    [(refuse(401), "is wrong, revoked or expired"), (html(), "does cvat.url lead to CVAT?")],
)
def test_a_server_that_does_not_let_in_is_named(right: World, answer: object, said: str) -> None:
    right.cvat.disturb("/api/users/self", answer)  # type: ignore[arg-type]

    with pytest.raises(PipelineError) as caught:
        list(checks.find())

    assert said in str(caught.value)


def test_what_does_not_fit_its_dataset_is_noted(right: World) -> None:
    right.cvat.tasks[3].without_data()
    right.cvat.tasks[12].mode = "annotation"

    notes = [each.note for each in checks.find()][3:]

    assert notes[0].endswith("it has no data yet")
    assert notes[1].endswith("it is of pictures, but source is a movie")


def test_nothing_is_asked_without_a_token(right: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVAT_ACCESS_TOKEN")

    (found,) = checks.find()

    assert found.note == "no CVAT_ACCESS_TOKEN here to ask it"
    assert right.cvat.requests == []


@pytest.mark.parametrize(("branch", "sees"), [("trunk", True), ("cvat_3_x", False)])
@pytest.mark.parametrize("has", [True, False])
def test_the_token_is_for_the_default_branch_alone(
    right: World, monkeypatch: pytest.MonkeyPatch, branch: str, sees: bool, has: bool
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_REF_NAME", branch)
    if not has:
        monkeypatch.delenv("CVAT_ACCESS_TOKEN")

    found = [each for each in doctor._protection() if "CVAT_ACCESS_TOKEN" in each.what]

    assert [bool(each.wrong) for each in found] == [has is not sees]
