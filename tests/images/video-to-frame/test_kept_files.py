"""No output takes the place of what this command did not write, or where it would be lost."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import block
from registries import PROJECT, SAMPLE, Registry
from stage import frames

Run = Callable[..., tuple[int, str, str]]
Mount = Callable[..., None]

SHORT = SAMPLE / "data/movie3/movie.mp4"


@pytest.fixture
def here(tmp_path: Path, movie: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a movie, and with what somebody made by hand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "movie1").mkdir()
    movie.rename("movie1/movie.mkv")
    (tmp_path / "movie1/annotations.xml").write_text("<annotations/>")
    (tmp_path / "params.yaml").write_text("frames: {format: png}\n")
    (tmp_path / "notes.csv").write_text("number,name\n1,Ann\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "link.csv").symlink_to("movie1/movie.mkv")
    os.link("movie1/movie.mkv", "hard.csv")
    for name in ("photos/IMG_0001.jpg", "frames/cam_000001.PNG"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    return tmp_path


def seen(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None for folders."""
    paths = sorted(folder.rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() else None for path in paths}


WORDS = ("--source", "movie1/movie.mkv", "--parameters", "params.yaml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--index movie1", "movie1: holds the input movie1/movie.mkv; give another path"),
        ("--index movie1/movie.mkv", "movie.mkv: is the input movie1/movie.mkv; give another"),
        ("--index photos/../movie1/movie.mkv", "movie.mkv: is the input movie1/movie.mkv;"),
        ("--index link.csv", "link.csv: is the input movie1/movie.mkv; give another path"),
        ("--index hard.csv", "hard.csv: is the input movie1/movie.mkv; give another path"),
        ("--index params.yaml", "params.yaml: is the input params.yaml; give another path"),
        ("--index photos", "photos: is no plain file that can be replaced; give another path"),
        ("--index notes.csv", "notes.csv: is no frame index, or a damaged one, so it is not"),
        ("--index empty.csv", "empty.csv: is no frame index, or a damaged one, so it is not"),
        ("--index movie1/annotations.xml", "annotations.xml: is no frame index, or a damaged"),
        ("--index photos/../..", "photos/../..: is no name for an output"),
        ("--destination movie1", "movie1: holds the input movie1/movie.mkv; give another path"),
        ("--destination photos", "IMG_0001.jpg: was not made by this command, so photos is not"),
        ("--destination frames", "cam_000001.PNG: was not made by this command, so frames is"),
        ("--destination J --index J", "J: is for --destination and for --index; give two"),
        ("--destination J --index J/f.csv", "J/f.csv: lies in J, which is replaced by --dest"),
        ("--destination J/K --index J", "J/K: lies in J, which is replaced by --index; give"),
    ],
)
def test_what_it_did_not_write_is_kept(here: Path, run: Run, options: str, said: str) -> None:
    before = seen(here)
    code, told, error = run(*WORDS, *options.split())

    assert (code, told) == (1, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert seen(here) == before


def test_what_it_wrote_is_replaced(here: Path, run: Run) -> None:
    outputs = ("--destination", "frames", "--index", "table")
    first = run(*WORDS, *outputs, "--prefix", "cam_")
    second = run(*WORDS, *outputs, "--prefix", "cam_", "--step", "10")

    assert (first[0], second[0]) == (0, 0)
    assert sorted(path.name for path in Path("frames").iterdir()) == [
        "cam_000000.PNG",
        "cam_000010.PNG",
    ]
    assert len(frames.read(Path("table"))) == 20


@pytest.mark.parametrize("option", ["--destination", "--index"])
def test_in_a_container_nothing_is_written_where_it_would_be_lost(
    here: Path, run: Run, mount: Mount, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    mount(str(here / "movie1"))
    monkeypatch.chdir(here)
    code, _, error = run(*WORDS, option, "out")
    kept, _, _ = run(*WORDS, option, "movie1/out")

    assert (code, kept) == (1, 0)
    assert error.startswith("error: out: would be lost with the container; this container sees ")
    assert not Path("out").exists()


IMAGES = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))
IMAGE = IMAGES["images"]["video-to-frame"]
(LEAST,) = re.findall(
    r"^(docker run .*?) \$\(image video-to-frame\)",
    block("docs/architecture.md", "Run one stage by hand", 1),
    re.S | re.M,
)
LINES = {"images.yaml": IMAGES["run"], "architecture.md": LEAST}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("place", ["out", "/tmp/out", "/dev/shm/out", "data/link/out"])  # noqa: S108
def test_a_container_writes_nothing_that_would_be_lost(
    bare: Registry, engine: Any, line: str, place: str
) -> None:
    shutil.copy(SHORT, bare / "data")
    (bare / "data/link").symlink_to("/tmp")  # noqa: S108
    command = f"{LINES[line]} {IMAGE} --source data/movie.mp4 --destination"
    done = bare.sh(f"{command} {place}", check=False)
    bare.sh(f"{command} data/out")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {place}: would be lost with the container; this conta")
    assert done.stderr.count("\n") == 1
    assert (bare / "data/out/frame_000000.PNG").exists()


def test_a_read_only_mount_is_named(bare: Registry, engine: Any) -> None:
    shutil.copy(SHORT, bare / "data")
    line = LEAST.replace('target="$PWD/data"', 'target="$PWD/data",readonly')
    done = bare.sh(f"{line} {IMAGE} --source data/movie.mp4 --index data/a.csv", check=False)

    assert done.returncode == 1
    assert done.stderr == (
        f"error: data/a.csv: {bare.folder}/data is read-only; mount it without `readonly`, or "
        "give another path\n"
    )
