"""Secrets are redacted where people read, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import commands, messages
from pipelines.forges import forge
from pipelines.forges.forge import Outcome

SECRET = "prepare-annotations"  # noqa: S105  # an ordinary word, that a token may be


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment have a secret that is an ordinary word."""
    monkeypatch.setenv("X_TOKEN", SECRET)
    monkeypatch.setenv("AWS_PROFILE", "training-set")


def test_what_programs_read_is_as_it_was_written() -> None:
    assert commands.output("echo", f"{SECRET}@movie1") == f"{SECRET}@movie1"
    done = commands.run("sh", "-c", f"echo {SECRET} >&2")
    assert done.stderr == f"{SECRET}\n"


def test_people_do_not_see_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tell in (
        messages.say,
        messages.tell,
        messages.tell_passing,
        messages.warn,
        messages.refuse,
    ):
        tell(f"a {SECRET} z")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    forge.tell([Outcome("x", 1, f"a {SECRET} z")])

    shown = "".join(capsys.readouterr()) + (tmp_path / "summary").read_text()
    assert SECRET not in shown
    assert shown.count("a *** z") == 6
    assert r"a \*\*\* z" in shown


def test_a_profile_is_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    messages.say("merged/training-set: objects 1 -> 2")

    assert "training-set" in capsys.readouterr().out


def test_the_traceback_of_a_bug_shows_no_secret() -> None:
    code = "import sys; from pipelines import messages; sys.excepthook = messages.show_bug; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}raise ValueError('{'prepare-'}' + 'annotations')"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(messages.__file__).parents[1])},
        check=False,
    )
    assert "ValueError: ***" in done.stderr


def test_secrets_of_the_environment_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = "AccountName=me;AccountKey=abcdefgh12==;BlobEndpoint=http://h/me"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    monkeypatch.setenv("CI_JOB_TOKEN", "tokenvalue")
    monkeypatch.setenv("SHORT_TOKEN", "a")
    monkeypatch.setenv("HARMLESS", "harmless value")

    assert messages.redact(f"x {connection} y") == "x *** y"
    assert messages.redact("no abcdefgh12== here") == "no *** here"
    assert messages.redact("https://u:tokenvalue@h a") == "https://***@h a"
    assert messages.redact("https://u:other@h/x:y@z") == "https://***@h/x:y@z"
    assert messages.redact("?sv=1&sig=Zm9v%3D&se=2") == "?sv=1&sig=***&se=2"
    assert messages.redact("AccountKey=other;x") == "AccountKey=***;x"
    assert messages.redact("harmless value") == "harmless value"
