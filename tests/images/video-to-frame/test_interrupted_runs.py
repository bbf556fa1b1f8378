"""Runs that end early, the disk full or the container stopped: what was there before still is."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from hostile.files import HostileFile
from registries import Registry

OLD = b"an old picture"


@pytest.fixture
def long_movie(bare: Registry, ffmpeg: Callable[..., Path]) -> Path:
    """A movie that keeps the image busy for a while, and the picture of an earlier run."""
    scene = ("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:d=1")
    movie = ffmpeg(
        *scene, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "a.mkv"
    )
    looped = ffmpeg("-stream_loop", "39", "-i", str(movie), "-c", "copy", "movie.mkv")
    (bare / "data/JPEGImages").mkdir()
    (bare / "data/JPEGImages/frame_000000.PNG").write_bytes(OLD)
    return Path(shutil.move(looped, bare / "data/movie.mkv"))


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that will happen."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen")


@pytest.mark.parametrize("how", ["stop", "SIGTERM", "SIGINT"])
@pytest.mark.usefixtures("long_movie")
def test_a_stopped_container_changes_nothing(
    how: str, engine: docker.DockerClient, bare: Registry, tmp_path: Path
) -> None:
    name = f"{tmp_path.name}-{time.time_ns()}"
    arguments = "--source data/movie.mkv --destination data/JPEGImages --index data/frames.csv"
    with ThreadPoolExecutor() as pool:
        run = pool.submit(bare.run, "video-to-frame", arguments, False, None, f"--name {name}")
        until(lambda: run.done() or any((bare / "data").glob(".partial-*/**/JPEGImages/*")))
        container = engine.containers.get(name)
        if how == "stop":
            container.stop(timeout=10)  # kills what has not ended by then: exit code 137
        else:
            container.kill(how)
        done = run.result()

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: stopped before it was done; nothing was changed"
    assert {path.name for path in (bare / "data").iterdir()} == {"movie.mkv", "JPEGImages"}
    assert [path.read_bytes() for path in (bare / "data/JPEGImages").iterdir()] == [OLD]


HEADER = "number,name,time,width,height,hash"

FULL = """-c '
mkdir /full/JPEGImages
printf old >/full/JPEGImages/frame_000000.PNG
echo {header} >/full/frames.csv
video-to-frame --source data/{movie} {outputs}
code=$?
find /full -mindepth 1 -exec ls -d {{}} +
cat /full/JPEGImages/* /full/frames.csv
exit $code
'"""
"""A script in the image: the small disk ends with the container, so it is looked at in there."""

LEFT = "/full/JPEGImages\n/full/JPEGImages/frame_000000.PNG\n/full/frames.csv\nold" + f"{HEADER}\n"


@pytest.mark.parametrize(
    "outputs",
    ["--destination /full/JPEGImages", "--destination /full/JPEGImages --index /full/frames.csv"],
    ids=["pictures", "pictures-and-index"],
)
@pytest.mark.usefixtures("long_movie")
def test_a_full_disk_under_the_pictures(
    outputs: str, engine: docker.DockerClient, bare: Registry
) -> None:
    said = on_a_full_disk(bare, "movie.mkv", outputs)

    assert said.startswith("error: data/movie.mkv: ")


def test_a_full_disk_under_the_index(
    engine: docker.DockerClient, hostile_file: HostileFile, bare: Registry
) -> None:
    """20,000 lines are more than the megabyte that there is."""
    shutil.copy(hostile_file("m22_20000_frames.mkv"), bare / "data")

    on_a_full_disk(bare, "m22_20000_frames.mkv", "--index /full/frames.csv")


def on_a_full_disk(bare: Registry, movie: str, outputs: str) -> str:
    """Run the stage where there is no space: what was there is left. Return its one error."""
    script = FULL.format(movie=movie, outputs=outputs, header=HEADER)
    small = "--entrypoint /bin/sh --tmpfs /full:size=1m,mode=1777"
    done = bare.run("video-to-frame", script, check=False, options=small)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "no space left" in done.stderr.lower()
    assert done.stderr.count("\n") == 1
    assert done.stdout == LEFT
    return done.stderr
