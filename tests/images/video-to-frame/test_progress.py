"""Progress: a bar on a terminal; elsewhere a plain line every five seconds, in long work alone."""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path

import docker
import pytest

from hostile.files import HostileFile
from registries import PROJECT, Registry

COMMAND = PROJECT / "images/video-to-frame/video-to-frame"
Make = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def longer(movie: Path, ffmpeg: Make) -> Path:
    """A movie of 2000 frames."""
    return ffmpeg("-stream_loop", "99", "-i", str(movie), "-c", "copy", "longer.mkv")


def test_short_work_says_nothing(movie: Path, tmp_path: Path, run: Run) -> None:
    assert run("--source", movie, "--index", tmp_path / "frames.csv")[2] == ""


def test_long_work_says_something_every_five_seconds(
    movie: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that goes on by a second whenever it is looked at."""
    clock = count()
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.chdir(tmp_path.parent)
    source = Path(tmp_path.name, movie.name)
    said = run("--source", source, "--index", tmp_path / "frames.csv")[2]
    line = rf"{re.escape(str(source))}: (\d+) of about 20 frames"
    lines = [re.fullmatch(line, each) for each in said.splitlines()]
    numbers = [int(line[1]) for line in lines if line]

    assert len(numbers) == len(lines) > 2
    assert 1 <= numbers[0] <= 5
    assert all(1 <= b - a <= 5 for a, b in pairwise(numbers))
    assert 20 - numbers[-1] < 5


def on_a_terminal(command: list[str], cwd: Path) -> tuple[int, str]:
    """Run a command whose stderr is a terminal; its exit code and what it showed there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "images/base"), "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # Linux: the other end is closed
            pass
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_terminal_shows_a_bar(longer: Path, tmp_path: Path) -> None:
    words = ["--source", longer.name, "--destination", "J"]
    code, shown = on_a_terminal([sys.executable, str(COMMAND), *words], tmp_path)

    assert code == 0
    assert re.search(r"\rlonger\.mkv: +\d+%\|.*\| \d+/2000", shown)
    assert shown.count("\n") <= 1
    assert "Traceback" not in shown


def test_a_bar_has_the_end_of_a_path_that_is_too_long(longer: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("very-" * 10) / "movie1"
    folder.mkdir(parents=True)
    longer.rename(folder / "movie.mkv")
    words = ["--source", str(folder / "movie.mkv"), "--index", "frames.csv"]
    _, shown = on_a_terminal([sys.executable, str(COMMAND), *words], tmp_path)

    assert re.search(r"\r\.\.\.very-very-[a-z-]*/movie1/movie\.mkv: +\d+%\|", shown)
    assert all(len(line) <= 80 for line in shown.split("\r"))


def test_a_refusal_stands_on_a_line_of_its_own_below_the_bar(
    hostile_file: HostileFile, tmp_path: Path
) -> None:
    source = hostile_file("m09_truncated_silent.mkv")
    words = ["--source", str(source), "--index", "frames.csv"]
    code, shown = on_a_terminal([sys.executable, str(COMMAND), *words], tmp_path)

    assert code == 1
    assert re.split(r"[\r\n]+", shown.rstrip())[-1].startswith(f"error: {source}: ")


def test_the_container_shows_a_bar_on_a_terminal(
    engine: docker.DockerClient, bare: Registry, longer: Path
) -> None:
    shutil.copy(longer, bare / "data")
    script = "stty cols 80 rows 24; video-to-frame --source data/longer.mkv --index data/i.csv"
    options = "--tty --entrypoint /bin/sh"
    done = bare.run("video-to-frame", f"-c '{script}'", options=options)

    assert re.search(r"longer\.mkv: +\d+%\|", done.stdout)
    assert "data/longer.mkv: 2000 frames of 96x64 pixels" in done.stdout


def test_the_container_says_nothing_else(
    engine: docker.DockerClient, bare: Registry, movie: Path
) -> None:
    shutil.copy(movie, bare / "data")
    done = bare.run("video-to-frame", "--source data/movie.mkv --index data/i.csv")

    assert (done.stdout, done.stderr) == ("data/movie.mkv: 20 frames of 96x64 pixels\n", "")
