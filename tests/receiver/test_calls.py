"""How the forge is asked: by one call, rarely, again if it is away, and nowhere else."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.played import (
    BEARER,
    SECRET,
    TRIGGER_TOKEN,
    WAITS,
    Forge,
    Receiver,
    github,
    gitlab,
    played,
    progress,
)
from services.processes import free_port

Start = Callable[..., Receiver]


def test_gitlab_is_asked_for_a_pipeline_of_the_branch(start: Start, forge: Forge) -> None:
    one = start()
    one.post(progress())
    forge.wait(1)

    (asked,) = forge.asked
    assert asked.path == "/api/v4/projects/team%2Fregistry/trigger/pipeline"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body.decode() == f"token={TRIGGER_TOKEN}&ref=main"
    one.wait(lambda: "asked GitLab for a pipeline of main, it answered 201" in one.text())


def test_github_is_asked_for_a_run_of_the_workflow(start: Start, forge: Forge) -> None:
    forge.answer = lambda _: 204
    one = start(**github(forge))
    one.post(progress())
    forge.wait(1)

    (asked,) = forge.asked
    assert asked.path == "/repos/team/registry/actions/workflows/publish.yml/dispatches"
    assert asked.headers["Authorization"] == f"Bearer {BEARER}"
    assert json.loads(asked.body) == {"ref": "main"}
    one.wait(lambda: "asked GitHub for a run of publish.yml on main" in one.text())


def test_nothing_of_a_delivery_gets_into_the_call_or_the_log(start: Start, forge: Forge) -> None:
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    forge.wait(1)
    canary = {
        "event": "update:job",
        "before_update": {"state": "cnry"},
        "ref": "cnry",
        "token": "cnry",
        "variables": {"cnry": "cnry"},
        "inputs": {"cnry": "cnry"},
        "event_type": "cnry\n",
    }
    one.post(json.dumps(canary).encode(), Cnry="cnry", User_Agent="cnry")
    forge.wait(2)

    assert forge.asked[0] == forge.asked[1]
    assert "cnry" not in one.end()


def deliver(one: Receiver, count: int) -> list[int]:
    """Deliver many at the same time."""
    with ThreadPoolExecutor(20) as pool:
        return [*pool.map(lambda number: one.post(progress(number)), range(count))]


def test_a_burst_leads_to_one_call_and_one_more_at_the_end_of_the_wait(
    start: Start, forge: Forge
) -> None:
    """While the forge takes its time over the first call, all of them are answered."""
    answer = threading.Event()
    forge.answer = lambda number: 201 if number > 1 or answer.wait(60) else 500
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    forge.wait(1)

    assert deliver(one, 100) == [204] * 100
    assert len(forge.asked) == 1
    answer.set()
    forge.wait(2)
    one.wait(lambda: one.text().count("it answered 201") == 2)
    assert WAITS not in one.end()
    assert len(forge.asked) == 2
    assert "(deliveries: 1)" in one.text()
    assert "(deliveries: 100)" in one.text()


def test_within_the_wait_nothing_is_asked_but_kept(start: Start, forge: Forge) -> None:
    one = start()
    one.post(progress())
    one.wait(lambda: "it answered 201" in one.text())

    assert deliver(one, 100) == [204] * 100
    assert WAITS in one.end()
    assert len(forge.asked) == 1


@pytest.mark.parametrize("status", [429, 408, 500, 502, 503])
def test_a_forge_that_cannot_now_is_asked_again(start: Start, forge: Forge, status: int) -> None:
    forge.answer = lambda number: status if number < 4 else 201
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    forge.wait(4)
    one.wait(lambda: "it answered 201 (deliveries: 1)" in one.text())

    assert f"GitLab cannot now, it answered {status}" in one.text()
    assert WAITS not in one.end()
    assert len(forge.asked) == 4
    waits = [float(line.split("again in ")[1].split(" s")[0])
             for line in one.text().splitlines() if "again in" in line]  # fmt: skip
    assert waits == [0.02, 0.04, 0.08]


def test_the_wait_for_a_forge_that_is_away_has_a_bound(start: Start, forge: Forge) -> None:
    forge.answer = lambda number: 503 if number < 8 else 201
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    forge.wait(8)
    one.wait(lambda: "it answered 201" in one.text())

    assert one.text().count("again in 0.16 s") == 4


def test_a_forge_that_says_when_to_come_again_is_asked_again(start: Start, forge: Forge) -> None:
    """GitHub refuses so for a while whoever asks too often."""
    forge.answer = lambda number: 403 if number == 1 else 201
    forge.headers["Retry-After"] = "1"
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())

    forge.wait(2)


def test_a_forge_that_is_not_there_is_asked_when_it_is(start: Start) -> None:
    port = free_port()
    one = start(GITLAB_URL=f"http://127.0.0.1:{port}", SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    one.wait(lambda: one.text().count("GitLab is away (ConnectionRefusedError") >= 2)

    with played(Forge(), port=port) as late:
        late.wait(1)


def test_what_waits_for_a_forge_that_is_away_is_named_at_the_end(start: Start) -> None:
    one = start(GITLAB_URL=f"http://127.0.0.1:{free_port()}")
    one.post(progress())
    one.wait(lambda: "GitLab is away" in one.text())

    assert WAITS in one.end()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_said_once_and_the_next_delivery_asks_anew(
    start: Start, forge: Forge, status: int
) -> None:
    forge.answer = lambda number: status if number == 1 else 201
    one = start(SECONDS_BETWEEN_CALLS="0.01")
    one.post(progress())
    one.wait(lambda: f"GitLab refused, it answered {status}: check GITLAB_PROJECT" in one.text())
    assert len(forge.asked) == 1

    one.post(progress())
    forge.wait(2)
    one.wait(lambda: "it answered 201" in one.text())
    assert WAITS not in one.end()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(start: Start, forge: Forge, status: int) -> None:
    with played(Forge()) as other:
        forge.answer = lambda _: status
        forge.headers["Location"] = f"{other.url}/elsewhere"
        one = start(SECONDS_BETWEEN_CALLS="0.01")
        one.post(progress())
        one.wait(lambda: f"GitLab answered {status}, a redirect" in one.text())

        assert WAITS not in one.end()
        assert other.asked == []
        assert len(forge.asked) == 1


def certificate(folder: Path) -> tuple[Path, Path]:
    """A PEM file with a certificate of this machine and its key, and one without the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a company")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "both.pem").write_bytes(secret + made)
    (folder / "ca.pem").write_bytes(made)
    return folder / "both.pem", folder / "ca.pem"


def test_a_certificate_must_be_trusted(start: Start, tmp_path: Path) -> None:
    both, ca = certificate(tmp_path)
    with played(Forge(), both) as there:
        one = start(**gitlab(there), SECONDS_BETWEEN_CALLS="0.01")
        one.post(progress())
        one.wait(lambda: "GitLab is away (SSLCertVerificationError" in one.text())
        assert there.asked == []

        start(**gitlab(there), SSL_CERT_FILE=str(ca)).post(progress())
        there.wait(1)
        one.stop()


def test_no_secret_is_said_or_seen_by_other_users(start: Start, forge: Forge) -> None:
    answers = [201, 500, 404, 302]
    forge.answer = lambda number: answers[number % 4]
    for settings in (gitlab(forge), github(forge)):
        forge.asked.clear()
        one = start(**settings, SECONDS_BETWEEN_CALLS="0.01")
        one.post(progress(), X_Signature_256="")
        for count in range(1, 9):
            one.post(progress())
            forge.wait(count)
        seen = Path(f"/proc/{one.pid}/cmdline").read_text() + one.end()

        assert [each for each in (SECRET, TRIGGER_TOKEN, BEARER) if each in seen] == []
        assert not [asked for asked in forge.asked if "canary" in asked.path]
        assert "it answered 500" in seen
        assert "it answered 404" in seen
