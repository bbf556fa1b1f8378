"""Two runs that write one output, and what a killed run leaves."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stage import outputs
from stage.errors import StageError

WRITER = """
import sys, time
from pathlib import Path
from stage import outputs

with outputs.write_whole(Path(sys.argv[1])) as aside:
    for folder in aside.values():
        folder.mkdir()
        (folder / "half.xml").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def write(final: Path) -> None:
    """Write an output of one file."""
    with outputs.write_whole(final) as aside:
        aside[final].mkdir()
        (aside[final] / "new.xml").touch()


def names(folder: Path) -> list[str]:
    """The names of everything below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """An output of an earlier run."""
    folder = tmp_path / "movie1" / "Annotations"
    folder.mkdir(parents=True)
    (folder / "old.xml").touch()
    return folder


@pytest.fixture
def writer(final: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing the output and does not come to an end."""
    command = [sys.executable, "-c", WRITER, str(final)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def test_a_second_writer_is_refused_and_the_first_one_finishes(final: Path) -> None:
    with outputs.write_whole(final) as aside:
        aside[final].mkdir()
        (aside[final] / "first.xml").touch()
        with pytest.raises(StageError, match="Annotations: another run is writing it"):
            write(final)

    assert names(final.parent) == ["Annotations", "Annotations/first.xml"]


def test_a_writer_in_another_process_is_noticed(final: Path, writer: subprocess.Popen[str]) -> None:
    with pytest.raises(StageError, match="another run is writing it"):
        write(final)

    assert names(final) == ["old.xml"]
    assert writer.poll() is None


def test_other_outputs_can_be_written_meanwhile(final: Path, writer: subprocess.Popen[str]) -> None:
    write(final.with_name("ImageSets"))

    assert names(final.with_name("ImageSets")) == ["new.xml"]
    assert writer.poll() is None


def test_a_killed_run_leaves_the_old_output_untouched(
    final: Path, writer: subprocess.Popen[str]
) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    assert names(final) == ["old.xml"]


def test_a_killed_run_is_no_obstacle_for_the_next(
    final: Path, writer: subprocess.Popen[str]
) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write(final)

    assert names(final.parent) == ["Annotations", "Annotations/new.xml"]


def test_left_overs_are_cleared_but_not_what_links_in_them_lead_to(final: Path) -> None:
    foreign = final.with_name("foreign")
    left = final.with_name(".partial-Annotations")
    for folder in (foreign, left / "Annotations" / "deep"):
        folder.mkdir(parents=True)
        (folder / "file.xml").touch()
    (left / "link").symlink_to(foreign)

    with outputs.write_whole(final) as aside:
        found = names(left)
        aside[final].mkdir()

    assert not [name for name in found if name == "link" or name.endswith("file.xml")]
    assert names(final.parent) == ["Annotations", "foreign", "foreign/file.xml"]


def test_a_link_in_the_place_of_left_overs_is_not_followed(final: Path) -> None:
    final.with_name(".partial-Annotations").symlink_to(final)

    with pytest.raises((OSError, StageError)):
        write(final)

    assert names(final) == ["old.xml"]
