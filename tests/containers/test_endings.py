"""However a stage ends: its caller is told, nothing of it runs on, the old output is there."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import imageio_ffmpeg
import pytest
import yaml

from registries import PATH, PROJECT, SAMPLE, Registry

IMAGES = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))
EXTRACT = "--source data/movie/movie.mkv --destination data/movie/JPEGImages"
OLD = {"frame_000000.PNG": b"old"}


@pytest.fixture
def registry(bare: Registry) -> Registry:
    """A registry with a movie that takes a minute, and pictures of an earlier one."""
    movie, short = bare / "data/movie/movie.mkv", SAMPLE / "data/movie2/movie.mp4"
    (movie.parent / "JPEGImages").mkdir(parents=True)
    (movie.parent / "JPEGImages/frame_000000.PNG").write_bytes(b"old")
    loop = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "1500", "-i"]
    subprocess.run([*loop, str(short), "-c", "copy", str(movie)], check=True)
    return bare


def pictures(registry: Registry) -> dict[str, bytes]:
    """What is at the destination."""
    folder = registry / "data/movie/JPEGImages"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def containers(registry: Registry, engine: docker.DockerClient) -> list[Any]:
    """The containers that work for a registry, dead ones too."""
    return engine.containers.list(
        all=True, filters={"label": f"data-registry={registry.folder}"}, ignore_removed=True
    )


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that comes to be true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to be true"
        time.sleep(0.05)


@contextmanager
def extracting(
    registry: Registry, engine: docker.DockerClient, options: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """The stage at work, as DVC starts it, in a process group of its own."""
    command = f"{IMAGES['run']} {IMAGES['images']['video-to-frame']} {EXTRACT}"
    partial = registry / "data/movie/.partial-JPEGImages/new/JPEGImages"
    with (registry / "said").open("wb") as said:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=registry.folder,
            env={
                **os.environ,
                "PATH": PATH,
                "PWD": str(registry.folder),
                "DOCKER_OPTIONS": options,
            },
            start_new_session=True,
            stderr=said,
        )
    try:
        until(lambda: partial.is_dir() and len(list(partial.iterdir())) > 10)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for container in containers(registry, engine):
            container.remove(force=True)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_job_takes_its_container_along(
    registry: Registry, engine: docker.DockerClient, how: signal.Signals
) -> None:
    with extracting(registry, engine) as process:
        os.killpg(process.pid, how)
        process.wait(10)
        until(lambda: not containers(registry, engine), 10)

    assert process.returncode != 0
    assert (
        "error: stopped before it was done; nothing was changed" in (registry / "said").read_text()
    )
    assert pictures(registry) == OLD
    assert list(registry.folder.glob("data/movie/.*")) == []


def test_a_signal_that_is_not_passed_on_ends_nothing(
    registry: Registry, engine: docker.DockerClient
) -> None:
    """The broken variant of the above."""
    with extracting(registry, engine, "--sig-proxy=false") as process:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
        with pytest.raises(AssertionError, match="did not come to be true"):
            until(lambda: not containers(registry, engine), 3)


def test_a_stopped_container_ends_by_itself(
    registry: Registry, engine: docker.DockerClient
) -> None:
    with extracting(registry, engine) as process:
        (container,) = containers(registry, engine)
        container.stop(timeout=10)  # after which the engine kills it: 137
        process.wait(timeout=10)

    assert process.returncode == 1
    assert pictures(registry) == OLD


def test_what_a_killed_command_leaves_running_is_found_and_ended(
    registry: Registry, engine: docker.DockerClient
) -> None:
    (registry / "data/movie3").mkdir()
    shutil.copy(SAMPLE / "data/movie3/movie.mp4", registry / "data/movie3")
    short = "--source data/movie3/movie.mp4 --destination"
    with extracting(registry, engine) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        at_once = registry.run("video-to-frame", f"{short} data/movie/JPEGImages", check=False)
        meanwhile = pictures(registry)
        (left,) = containers(registry, engine)
        left.stop()
        until(lambda: not containers(registry, engine), 10)
    ended = pictures(registry)
    registry.run("video-to-frame", f"{short} data/movie/JPEGImages")
    again = pictures(registry)
    shutil.rmtree(registry / "data/movie/JPEGImages")
    registry.run("video-to-frame", f"{short} data/movie/JPEGImages")

    assert at_once.returncode == 1
    assert "another run is writing it; wait for it, or stop its container" in at_once.stderr
    assert meanwhile == ended == OLD
    assert again == pictures(registry) != OLD


@pytest.mark.parametrize(("init", "code"), [("--init", 143), ("", 137)])
def test_a_command_that_knows_no_signals_is_stopped_too(
    bare: Registry, engine: docker.DockerClient, init: str, code: int
) -> None:
    """The broken variant: process 1 has no default action, so the engine has to kill it."""
    run = IMAGES["run"].replace("--init", init).replace("--rm ", "")
    image = IMAGES["images"]["video-to-frame"]
    started = bare.sh(f"{run} --entrypoint sleep {image} 600", DOCKER_OPTIONS="--detach")
    container = engine.containers.get(started.stdout.strip())
    container.stop(timeout=2)
    ended = container.wait()["StatusCode"]
    container.remove()

    assert ended == code


@pytest.mark.parametrize(("options", "code"), [("--memory 250m --memory-swap 250m", 1), ("", 0)])
def test_a_lack_of_memory_is_not_called_damage(
    bare: Registry, engine: Any, options: str, code: int
) -> None:
    (bare / "data/movie").mkdir()
    made = ["-f", "lavfi", "-i", "testsrc2=size=3840x2160:duration=0.4", "-c:v", "mpeg4"]
    movie = str(bare / "data/movie/movie.mkv")
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *made, movie], check=True)
    done = bare.run("video-to-frame", EXTRACT, check=False, options=options)

    assert done.returncode == code
    assert "damaged" not in done.stderr
    assert ("memory" in done.stderr) is bool(code)


MEMORY = "--entrypoint python3 {image} -c 'held = b\"1\" * (300 << 20)'"  # bytes, and no more


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--entrypoint sh {image} -c 'exit 0'", 0),
        ("{image}", 2),
        ("{image} --source data/no --destination data/made", 1),
        ("{image} --source data/no --index data/a/b.csv && true", 1),
        ("--entrypoint sh {image} -c 'exit 3'", 3),
        ("--entrypoint sh {image} -c 'kill -TERM $$'", 143),
        ("--entrypoint sh {image} -c 'kill -KILL $$'", 137),
        ("--entrypoint no-such-command {image}", 127),
        (f"--memory 128m {MEMORY}", 137),
        (MEMORY, 0),
    ],
)
def test_the_shell_is_told_how_a_container_ended(
    bare: Registry, engine: Any, command: str, code: int
) -> None:
    image = IMAGES["images"]["video-to-frame"]
    done = bare.sh(f"{IMAGES['run']} {command.format(image=image)}", False, DOCKER_OPTIONS="")

    assert done.returncode == code


def test_dvc_is_told_that_a_stage_failed(clone: Callable[[str], Registry], engine: Any) -> None:
    registry = clone("one")
    registry.sh("dvc repro index-frames@movie2")
    lock = (registry / "dvc.lock").read_bytes()
    (registry / "data/movie2/annotations.xml").write_text("<annotations>")
    failed = registry.sh("dvc repro prepare-annotations@movie2", check=False)

    assert failed.returncode != 0
    assert "error: data/movie2/annotations.xml:1" in failed.stderr
    assert (registry / "dvc.lock").read_bytes() == lock
