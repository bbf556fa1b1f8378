"""Which deliveries lead to a call: those of a real CVAT, others, and none that is not CVAT's."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from receiver.played import RECORDED, WAITS, Forge, Receiver, progress, signature

Start = Callable[..., Receiver]

ALWAYS = {"updated_date"}
GOT_ON = [
    ("update:job", {"state"}),  # begun
    ("update:job", {"status", "stage", "state"}),  # accepted, so to be done again
    ("update:job", {"status", "state"}),  # completed
    ("update:job", {"status", "stage"}),
    ("update:task", {"status"}),
]
"""What the recorded deliveries are that say how far a job or task is: event and changed fields."""


def name(recorded: dict[str, Any]) -> str:
    body = json.loads(recorded["body"])
    return "-".join([body["event"], *sorted({*body.get("before_update", {})} - ALWAYS)])


def calls(one: Receiver, forge: Forge) -> bool:
    """End a receiver and say whether it has asked, or was about to."""
    said = one.end()
    return bool(forge.asked) or WAITS in said


every_recorded = pytest.mark.parametrize("recorded", RECORDED, ids=name)


@every_recorded
def test_what_cvat_sends_leads_to_a_call_if_a_job_or_task_got_on(
    recorded: dict[str, Any], start: Start, forge: Forge
) -> None:
    body = json.loads(recorded["body"])
    one = start()
    answered = one.post(
        recorded["body"].encode(), X_Signature_256=recorded["headers"]["X-Signature-256"]
    )

    got_on = (body["event"], {*body.get("changes", {})} - ALWAYS) in GOT_ON
    assert answered == 204
    assert calls(one, forge) is got_on


def test_all_that_got_on_is_recorded() -> None:
    bodies = [json.loads(each["body"]) for each in RECORDED]
    found = [(body["event"], {*body.get("changes", {})} - ALWAYS) for body in bodies]

    assert all(each in found for each in GOT_ON)
    assert len(found) > len(GOT_ON) + 20


@pytest.mark.parametrize("when", ["accepted", "completed", "saved"])
@pytest.mark.parametrize(
    ("event", "fields", "leads"),
    [
        ("update:job", ["updated_date"], {"saved"}),
        ("update:task", ["updated_date", "name"], {"saved"}),
        ("update:job", ["state"], {"accepted", "completed", "saved"}),
        ("update:project", ["state"], set()),
        ("completed:request[export:annotations]", ["state"], set()),
        ("create:job", ["state"], set()),
    ],
)
def test_who_publishes_what_is_saved_asks_for_every_change(
    start: Start, forge: Forge, when: str, event: str, fields: list[str], leads: set[str]
) -> None:
    one = start(CVAT_WHEN=when)
    body = json.dumps({"event": event, "before_update": dict.fromkeys(fields, "x")}).encode()

    assert one.post(body) == 204
    assert calls(one, forge) is (when in leads)


@pytest.mark.parametrize(
    "said",
    [
        {"before_update": {"state": "new"}},
        {"changes": {"stage": {"from": "annotation", "to": "acceptance"}}},
        {"changes": {"status": {}}, "before_update": {}},
        {"changes": None, "before_update": {"status": "annotation"}},
        {"changes": ["state"], "before_update": {"state": None}},
    ],
)
def test_old_versions_name_no_changes(start: Start, forge: Forge, said: dict[str, Any]) -> None:
    one = start()

    assert one.post(json.dumps({"event": "update:task", **said}).encode()) == 204
    assert calls(one, forge)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"state",
        b'"update:job"',
        b"[" * 100_000,
        b'["update:job", {"state": 1}]',
        b'{"event": ["update:job"], "changes": {"state": 1}}',
        b'{"event": {"update:job": 1}, "changes": {"state": 1}}',
        b'{"event": "update:job", "changes": "state"}',
        b'{"event": "update:job", "changes": ["state"]}',
        b'{"event": "update:job", "job": {"state": "completed"}}',
        b'{"event": "update:job", "changes": {"state\\n": 1}}',
        b'{"event": "update:job", "x": ' + b"9" * 5000 + b', "changes": {"state": 1}}',
        b'{"event": "update:job", "changes": {"state": 1}} ]',
        b"\xff\xfe\x00",
        b"\x00" * 1000,
    ],
    ids=range(15),
)
def test_what_is_no_such_delivery_leads_to_nothing(start: Start, forge: Forge, body: bytes) -> None:
    """Even if it is signed; and the next one is heard."""
    one = start()

    assert one.post(body) == 204
    assert one.hears_one(forge)
    assert "refused" not in one.text()


@pytest.mark.parametrize("place", [0, 1, 200, -2, -1])
def test_a_changed_byte_shows(start: Start, forge: Forge, place: int) -> None:
    recorded = next(each for each in RECORDED if name(each) == "update:job-state-status")
    body = bytearray(recorded["body"].encode())
    body[place] ^= 1
    one = start()
    answered = one.post(bytes(body), X_Signature_256=recorded["headers"]["X-Signature-256"])

    assert answered == 403
    assert not calls(one, forge)
    assert "refused a request: 403 Forbidden; is the secret CVAT's?" in one.text()


RIGHT = signature(progress())


@pytest.mark.parametrize(
    "given",
    [
        "",
        RIGHT[:-1],
        RIGHT + "0",
        RIGHT[: len("sha256=")],
        RIGHT.removeprefix("sha256="),
        RIGHT.replace("sha256", "sha1"),
        RIGHT.replace("sha256", "SHA256"),
        RIGHT.replace("sha256", "none"),
        f"{RIGHT}, {RIGHT}",
        f"{RIGHT}\r\nX-Signature-256: {RIGHT}",
        signature(progress(), "webhook-secret-2"),
        signature(b""),
        "sha256=" + "é" * 32,
        "sha256=" + "٣" * 32,
    ],
)
def test_who_does_not_sign_so_is_refused(start: Start, forge: Forge, given: str) -> None:
    one = start()

    assert one.post(progress(), X_Signature_256=given) == 403
    assert not calls(one, forge)


def test_a_delivery_that_comes_again_is_taken_again(start: Start, forge: Forge) -> None:
    """CVAT delivers again when no answer reached it; all that can do is one more look."""
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    for count in (1, 2):
        assert one.post(progress()) == 204
        forge.wait(count)
