"""What GitHub and GitLab are told of a publish."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipelines.forges import forge
from pipelines.forges.forge import Outcome

DONE = [
    Outcome("cvat_12_main", 0, "published as 0123\n  movie2: Car 45 -> 43\n  merged/a: Car 9 -> 7"),
    Outcome("cvat_13_`x`", 1, "data/<b>::set-output name=a::b%0A is not its\x1b[31m to change"),
    Outcome("default branch", 3, "the remote cannot be read"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, on no forge."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_nobody_is_told_where_there_is_no_forge(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge.tell(DONE)

    assert list(here.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_github_shows_each_refusal_as_an_error_and_all_in_the_summary(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary"))
    forge.tell(DONE)
    lines = capsys.readouterr().out.splitlines()
    summary = (here / "summary").read_text("utf-8")

    assert lines == [
        "::error title=cvat_13_`x`::data/<b>::set-output name=a::b%250A is not its"
        "\x1b[31m to change",
        "::error title=default branch::the remote cannot be read",
    ]
    assert "- `cvat_12_main`: published as 0123\n  - movie2: Car 45 \\-\\> 43\n" in summary
    assert "- refused: `cvat_13_'x'`: data/\\<b\\>" in summary
    assert "- to be tried again: `default branch`" in summary
    assert "\x1b" not in summary


def test_gitlab_has_a_page_and_tests_that_fail_for_refusals(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    forge.tell(DONE)
    suite = ElementTree.parse(here / "registry-report.xml").getroot()

    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "cvat_13_`x`",
        "default branch",
    ]
    assert "movie2: Car 45 -> 43" in (suite[0].findtext("system-out") or "")
    assert "refused: `cvat_13_'x'`" in (here / "registry-report.md").read_text("utf-8")


@pytest.mark.parametrize("said", ["a\n::error::b", "a\r\n::stop-commands::x", "100%"])
def test_a_text_is_one_log_command_whatever_it_holds(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    forge.tell([Outcome("a:b,c", 1, said)])
    out = capsys.readouterr().out

    assert out.count("\n") == 1
    assert out.startswith("::error title=a%3Ab%2Cc::")
