"""What is missing or wrong in the settings is said in one line, before anything is served."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import receiver_settings
from receiver.played import BEARER, PROGRAM, SECRET, TRIGGER_TOKEN, Forge, Receiver, progress
from registries import PROJECT
from services.processes import free_port

Start = Callable[..., Receiver]

HERE = Forge(url="http://127.0.0.1:1")
GITLAB = {
    "CVAT_WEBHOOK_SECRET": SECRET,
    "GITLAB_URL": "https://gitlab.example.org",
    "GITLAB_PROJECT": "12",
    "GITLAB_REF": "main",
    "GITLAB_TRIGGER_TOKEN": TRIGGER_TOKEN,
    "LISTEN": "127.0.0.1:0",
}
GITHUB = {
    "CVAT_WEBHOOK_SECRET": SECRET,
    "GITHUB_REPOSITORY": "team/registry",
    "GITHUB_REF": "main",
    "GITHUB_TOKEN": BEARER,
    "LISTEN": "127.0.0.1:0",
}


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, with these variables alone."""
    return subprocess.run(
        [sys.executable, PROGRAM, *words],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("settings", "changed", "named"),
    [
        ({}, {}, "CVAT_WEBHOOK_SECRET"),
        (GITLAB, {"CVAT_WEBHOOK_SECRET": ""}, "CVAT_WEBHOOK_SECRET"),
        (GITLAB, {"CVAT_WEBHOOK_SECRET_FILE": "/etc/hostname"}, "CVAT_WEBHOOK_SECRET"),
        (GITLAB, {"GITLAB_URL": ""}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_PROJECT": ""}, "GITLAB_PROJECT"),
        (GITLAB, {"GITLAB_REF": ""}, "GITLAB_REF"),
        (GITLAB, {"GITLAB_TRIGGER_TOKEN": ""}, "GITLAB_TRIGGER_TOKEN"),
        (GITLAB, {"GITHUB_REPOSITORY": "a/b"}, "GITLAB_PROJECT, GITHUB_REPOSITORY"),
        (GITLAB, {"GITHUB_TOKEN_FILE": "/x"}, "GITLAB_PROJECT, GITHUB_REPOSITORY"),
        ({"CVAT_WEBHOOK_SECRET": SECRET}, {}, "GITLAB_PROJECT, GITHUB_REPOSITORY"),
        (GITLAB, {"GITLAB_URL": "http://gitlab.example.org"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "http://127.0.0.1.example.org"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "http://10.0.0.1"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "http://localhost@example.org"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "https://u:pw@example.org"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "https://example.org?token=x"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "https://"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "https://[::1"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "https://example.org:x"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "file:///etc/passwd"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_URL": "gitlab.example.org"}, "GITLAB_URL"),
        (GITLAB, {"GITLAB_PROJECT": "team"}, "GITLAB_PROJECT"),
        (GITLAB, {"GITLAB_PROJECT": "../x"}, "GITLAB_PROJECT"),
        (GITLAB, {"GITLAB_PROJECT": "a/b?c"}, "GITLAB_PROJECT"),
        (GITLAB, {"GITLAB_REF": "a b"}, "GITLAB_REF"),
        (GITLAB, {"GITLAB_TRIGGER_TOKEN": "a b"}, "GITLAB_TRIGGER_TOKEN"),
        (GITLAB, {"CVAT_WHEN": "sometimes"}, "CVAT_WHEN"),
        (GITLAB, {"SECONDS_BETWEEN_CALLS": "0"}, "SECONDS_BETWEEN_CALLS"),
        (GITLAB, {"SECONDS_BETWEEN_CALLS": "-1"}, "SECONDS_BETWEEN_CALLS"),
        (GITLAB, {"SECONDS_BETWEEN_CALLS": "nan"}, "SECONDS_BETWEEN_CALLS"),
        (GITLAB, {"SECONDS_BETWEEN_CALLS": "86401"}, "SECONDS_BETWEEN_CALLS"),
        (GITLAB, {"LISTEN": "8080"}, "LISTEN"),
        (GITLAB, {"LISTEN": "127.0.0.1:65536"}, "LISTEN"),
        (GITLAB, {"LISTEN": "203.0.113.1:0"}, "LISTEN"),
        (GITLAB, {"LISTEN": "no-such-host.invalid:0"}, "LISTEN"),
        (GITHUB, {"GITHUB_REPOSITORY": "registry"}, "GITHUB_REPOSITORY"),
        (GITHUB, {"GITHUB_REPOSITORY": "a/b/c"}, "GITHUB_REPOSITORY"),
        (GITHUB, {"GITHUB_REPOSITORY": "../b"}, "GITHUB_REPOSITORY"),
        (GITHUB, {"GITHUB_WORKFLOW": "../x.yml"}, "GITHUB_WORKFLOW"),
        (GITHUB, {"GITHUB_WORKFLOW": "publish"}, "GITHUB_WORKFLOW"),
        (GITHUB, {"GITHUB_TOKEN": "a\nHost: b"}, "GITHUB_TOKEN"),
        (GITHUB, {"GITHUB_TOKEN": "é"}, "GITHUB_TOKEN"),
        (GITHUB, {"GITHUB_API_URL": "http://api.github.com"}, "GITHUB_API_URL"),
        (GITHUB, {"GITHUB_TOKEN": "", "GITHUB_TOKEN_FILE": "/no/file"}, "GITHUB_TOKEN_FILE"),
        (GITHUB, {"GITHUB_TOKEN": "", "GITHUB_TOKEN_FILE": "/dev/null"}, "GITHUB_TOKEN"),
    ],
)
def test_wrong_settings_are_named_in_one_line(
    settings: dict[str, str], changed: dict[str, str], named: str
) -> None:
    done = run(**settings | changed)

    assert done.returncode == 2, done
    assert done.stdout == ""
    assert re.fullmatch(r"error: ([A-Z_]+(, )?)+: [^\n]+; [^\n]+\n|error: .+\n", done.stderr)
    assert done.stderr.startswith(f"error: {named}")
    for value in (SECRET, TRIGGER_TOKEN, BEARER, "pw@"):
        assert value not in done.stderr


@pytest.mark.parametrize("settings", [GITLAB, GITHUB])
def test_right_settings_are_taken(settings: dict[str, str]) -> None:
    """The ones that the others here differ from by one setting; and no secret is in their text."""
    read = receiver_settings.read(settings)

    assert read.seconds == 60
    assert not read.saved
    assert read.call.url.startswith("https://")
    assert not [each for each in (SECRET, TRIGGER_TOKEN, BEARER) if each in f"{read}"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_secrets_are_read_from_files(start: Start, forge: Forge, tmp_path: Path, end: str) -> None:
    for name, value in ("secret", SECRET), ("token", TRIGGER_TOKEN):
        (tmp_path / name).write_bytes(f"{value}{end}".encode())
    one = start(
        CVAT_WEBHOOK_SECRET="",
        CVAT_WEBHOOK_SECRET_FILE=str(tmp_path / "secret"),
        GITLAB_TRIGGER_TOKEN="",
        GITLAB_TRIGGER_TOKEN_FILE=str(tmp_path / "token"),
    )

    assert one.post(progress()) == 204
    forge.wait(1)
    assert forge.asked[0].body.startswith(f"token={TRIGGER_TOKEN}&".encode())


def test_help_names_every_setting_and_its_default() -> None:
    done = run("--help")
    used = re.findall(
        r'"((?:CVAT|GITLAB|GITHUB|LISTEN|SECONDS)(?:_[A-Z_]+)?)"',
        Path(receiver_settings.__file__).read_text("utf-8"),
    )

    assert done.returncode == 0
    assert len(set(used)) == 13
    assert [name for name in used if not re.search(rf"^  {name}\b", done.stdout, re.M)] == []
    for default in ("0.0.0.0:8080", "(60)", "(publish.yml)", "(https://api.github.com)"):
        assert default in done.stdout


@pytest.mark.parametrize("folder", [".github", "pipelines/datasets/template/dot-github"])
def test_the_workflow_that_github_is_asked_for_can_be_asked_for(folder: str) -> None:
    name = receiver_settings.read(GITHUB).call.url.rpartition("/workflows/")[2].split("/")[0]
    text = (PROJECT / folder / "workflows" / name).read_text("utf-8")

    assert "workflow_dispatch" in yaml.safe_load(text.replace("@PROJECT@", "x"))[True]


def test_an_unknown_option_is_refused() -> None:
    done = run("--everything")

    assert done.returncode == 2
    assert "unrecognized arguments: --everything" in done.stderr


def test_health_is_told_by_the_exit_code(start: Start) -> None:
    one = start()
    there = f"127.0.0.1:{one.port}"

    assert run("--health", LISTEN=there).returncode == 0
    assert run("--health", LISTEN=f"0.0.0.0:{one.port}").returncode == 0
    assert run("--health", LISTEN=f"127.0.0.1:{free_port()}").returncode == 1
    one.stop()
    assert run("--health", LISTEN=there).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_even_while_clients_are_slow(start: Start, number: signal.Signals) -> None:
    one = start()
    with one.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nX: ")
        os.kill(one.pid, number)

        assert one.process.wait(60) == 0
    assert one.text().endswith(f"receiver: ended by {number.name}\n")
