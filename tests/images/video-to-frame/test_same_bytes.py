"""Same movie, same bytes: whoever runs it, wherever, on however many cores."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import imageio_ffmpeg
import pytest

from registries import PROJECT, SAMPLE, Registry
from stage import frames

COMMAND = PROJECT / "images/video-to-frame/video-to-frame"
Make = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def digest(folder: Path) -> str:
    """A hash of all names and bytes in a folder but the movie's."""
    lines = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("movie"):
            lines.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return lines.hexdigest()


@pytest.fixture
def sample(bare: Registry) -> str:
    """Arguments that make all there is of a sample movie, and what they make of it here."""
    shutil.copy(SAMPLE / "data/movie1/movie.mkv", bare / "data")
    return "--source data/movie.mkv --destination data/JPEGImages --index data/frames.csv"


HOSTS = {
    "again": "",
    "one core": "--cpuset-cpus 0",
    "half a core": "--cpus 0.5",
    "elsewhere": "--env TZ=Asia/Kolkata --env LANG=tr_TR.ISO-8859-9 --env LC_ALL=tr_TR.ISO-8859-9",
    "other name": "--hostname elsewhere --env HOME=/nowhere --env PYTHONHASHSEED=7",
}


@pytest.mark.parametrize(
    ("form", "host"), [*(("png", host) for host in HOSTS), ("jpg", "one core")]
)
def test_every_container_makes_the_same(
    form: str, host: str, engine: docker.DockerClient, bare: Registry, sample: str, run: Run
) -> None:
    bare.run("video-to-frame", f"{sample} --format {form}", options=HOSTS[host])
    outputs = ("--destination", bare / "here/JPEGImages", "--index", bare / "here/frames.csv")
    run("--source", bare / "data/movie.mkv", *outputs, "--format", form)

    assert digest(bare / "data") == digest(bare / "here")


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_the_umask_changes_no_byte(umask: str, bare: Registry, sample: str, run: Run) -> None:
    path = {"PYTHONPATH": str(PROJECT / "images/base"), "TZ": "America/Lima", "LC_ALL": "C"}
    words = ["sh", "-c", f'umask {umask}; exec "$0" "$@"', sys.executable, str(COMMAND)]
    subprocess.run(
        [*words, *sample.split()], cwd=bare.folder, env={**os.environ, **path}, check=True
    )
    outputs = ("--destination", bare / "here/JPEGImages", "--index", bare / "here/frames.csv")
    run("--source", bare / "data/movie.mkv", *outputs)

    assert digest(bare / "data") == digest(bare / "here")


def test_nothing_tells_which_ffmpeg_or_where(movie: Path, tmp_path: Path, run: Run) -> None:
    for form in ("png", "jpg"):
        run("--source", movie, "--destination", tmp_path / "J", "--format", form)
        for path in (tmp_path / "J").iterdir():
            content = path.read_bytes()
            assert not [word for word in (b"Lavc", b"Lavf", b"tEXt", b"tIME") if word in content]
            assert str(tmp_path).encode() not in content


@pytest.mark.parametrize("name", ["copy.mp4", "copy.mov", "copy.ts"])
def test_a_movie_in_another_container_has_the_same_hashes(
    name: str, movie: Path, tmp_path: Path, ffmpeg: Make, run: Run
) -> None:
    """By these the merge sees that two datasets show the same movie."""
    copied = ffmpeg("-i", str(movie), "-c", "copy", name)
    run("--source", movie, "--index", tmp_path / "a.csv")
    run("--source", copied, "--index", tmp_path / "b.csv")
    one, other = frames.read(tmp_path / "a.csv"), frames.read(tmp_path / "b.csv")

    assert [frame.hash for frame in one] == [frame.hash for frame in other]
    assert len({frame.hash for frame in one}) == 20


def test_equal_frames_have_equal_hashes_and_others_have_not(
    tmp_path: Path, ffmpeg: Make, run: Run
) -> None:
    loop = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:d=1,loop=1:10")
    movie = ffmpeg(*loop, "-c:v", "ffv1", "loop.mkv")
    run("--source", movie, "--index", tmp_path / "frames.csv")
    hashes = [frame.hash for frame in frames.read(tmp_path / "frames.csv")]

    assert hashes[:10] == hashes[10:]
    assert len(set(hashes)) == 10


def test_the_hash_is_of_the_frame_as_it_was_decoded(movie: Path, tmp_path: Path, run: Run) -> None:
    """Not of its colours in RGB, in which processors differ by their arithmetic."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(movie)]
    command += ["-f", "framehash", "-hash", "murmur3", "-"]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    run("--source", movie, "--index", tmp_path / "frames.csv")
    hashes = [frame.hash for frame in frames.read(tmp_path / "frames.csv")]

    lines = [line for line in told.splitlines() if not line.startswith("#")]
    assert hashes == [line.split()[-1] for line in lines]
