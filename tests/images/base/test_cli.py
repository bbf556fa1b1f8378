"""The ends of every stage: exit codes, and one line on stderr."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from stage import cli
from stage.errors import StageError

STAGE = """
import sys, time
from stage import cli

def work():
    print("working", flush=True)
    time.sleep(600)

sys.exit(cli.report(work))
"""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Give the test run its own handler back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def ends(capsys: pytest.CaptureFixture[str]) -> Callable[[BaseException], tuple[int, str]]:
    """Report work that ends with an error: the exit code and what is on stderr."""

    def end(error: BaseException) -> tuple[int, str]:
        def work() -> None:
            raise error

        return cli.report(work), capsys.readouterr().err

    return end


Ends = Callable[[BaseException], tuple[int, str]]


def test_work_that_is_done_ends_with_0_and_gets_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(*given: str, **options: bool) -> None:
        print(given, options)

    assert cli.report(work, "a", "b", c=True) == 0
    assert capsys.readouterr() == ("('a', 'b') {'c': True}\n", "")


def test_a_refusal_is_one_line_and_ends_with_1(ends: Ends) -> None:
    assert ends(StageError("a.zip:3: is bad; mend it")) == (1, "error: a.zip:3: is bad; mend it\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nerror: b\r\n", "a\\nerror: b\\r\\n"),
        ("\x1b[2J\x07\x00", "\\x1b[2J\\x07\\x00"),
        ("a\u202eb\u2028c\u200b", "a\\u202eb\\u2028c\\u200b"),
        ("caf\udce9.zip", "caf\\udce9.zip"),
        ("été 車 \U0001f697", "été 車 \U0001f697"),
    ],
)
def test_what_a_terminal_or_a_log_could_act_on_is_escaped(ends: Ends, text: str, line: str) -> None:
    assert ends(StageError(text)) == (1, f"error: {line}\n")


def test_a_full_disk_and_a_forbidden_folder_are_no_bugs(ends: Ends) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    forbidden = PermissionError(errno.EACCES, "Permission denied", "data/a\nb")

    assert ends(full) == (1, "error: output: No space left on device\n")
    assert ends(forbidden) == (1, "error: data/a\\nb: Permission denied\n")


def test_a_stop_says_that_nothing_was_changed(ends: Ends) -> None:
    code, said = ends(KeyboardInterrupt())

    assert code == 1
    assert said == "error: stopped before it was done; nothing was changed\n"


def test_a_bug_keeps_its_traceback(ends: Ends) -> None:
    with pytest.raises(ZeroDivisionError):
        ends(ZeroDivisionError())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_stage_with_one_line(number: signal.Signals) -> None:
    environment = {"PYTHONPATH": ":".join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", STAGE], stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        _, said = process.communicate()

    assert process.returncode == 1
    assert said == "error: stopped before it was done; nothing was changed\n"


def test_a_warning_is_one_escaped_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.warn("label \x1b[31m")

    assert capsys.readouterr().err == "warning: label \\x1b[31m\n"


def test_help_says_what_the_exit_codes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.parser("What it is for.").parse_args(["--help"])
    said = capsys.readouterr().out

    assert "What it is for." in said
    assert cli.ENDS in said


@pytest.mark.parametrize("reference", ["some/image:1", None])
def test_version_names_the_image(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reference: str | None
) -> None:
    monkeypatch.delenv("IMAGE_REFERENCE", raising=False)
    if reference:
        monkeypatch.setenv("IMAGE_REFERENCE", reference)
    with pytest.raises(SystemExit, match="0"):
        cli.parser("").parse_args(["--version"])

    assert capsys.readouterr().out == f"{reference or 'not run from an image'}\n"


def test_a_command_line_that_is_not_understood_ends_with_2() -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.parser("").parse_args(["--sorce"])
