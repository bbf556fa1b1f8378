"""Movies that others encoded: the image makes the very frames that CVAT counts and shows."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import numpy as np
import pytest
from numpy.typing import NDArray

import corpora
from registries import Registry, picture
from stage import frames

FOOTAGE = {
    "video/bigbuckbunny_start.mp4": (25, 1280, 720),
    "video/bigbuckbunny.mp4": (132, 1280, 720),
    "video/bikes.mp4": (250, 640, 272),
    "video/carphone_pristine.mp4": (120, 176, 144),
}
"""Frames, width and height, as README.md of each set of foreign data states them."""

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]


@pytest.fixture(params=[name for name in FOOTAGE if corpora.has(name)])
def footage(request: pytest.FixtureRequest, bare: Registry) -> Path:
    """A movie, in a registry."""
    (bare / "data/movie1").mkdir()
    return Path(shutil.copy(corpora.path(request.param), bare / "data/movie1"))


def expected(footage: Path) -> tuple[int, int, int]:
    return FOOTAGE[f"video/{footage.name}"]


def test_no_footage_is_left_out() -> None:
    found = corpora.names("video/*.mp4")

    assert set(found) <= set(FOOTAGE)
    assert "video/bigbuckbunny_start.mp4" in found


def test_pictures_are_the_frames_that_cvat_shows(
    engine: docker.DockerClient, bare: Registry, footage: Path, cvat: Decode
) -> None:
    source, folder = f"data/movie1/{footage.name}", "data/movie1/JPEGImages"
    done = bare.run("video-to-frame", f"--source {source} --destination {folder}")
    names = sorted(path.name for path in (bare / folder).iterdir())
    count, width, height = expected(footage)

    assert done.stdout == f"{source}: {count} frames of {width}x{height} pixels\n"
    assert names == [f"frame_{number:06d}.PNG" for number in range(count)]
    for name, shown in zip(names, cvat(footage), strict=True):
        assert np.array_equal(picture(bare / folder / name), shown), name


def test_index_lists_the_frames_that_cvat_counts(
    engine: docker.DockerClient,
    bare: Registry,
    footage: Path,
    times: Callable[[Path], list[float]],
) -> None:
    source = f"data/movie1/{footage.name}"
    bare.run("video-to-frame", f"--source {source} --index data/movie1/frames.csv")
    found = frames.read(bare / "data/movie1/frames.csv")
    count, width, height = expected(footage)

    assert [frame.number for frame in found] == list(range(count))
    assert [frame.name for frame in found] == [f"frame_{n:06d}.PNG" for n in range(count)]
    assert {(frame.width, frame.height) for frame in found} == {(width, height)}
    assert [float(f.time) for f in found] == pytest.approx(times(footage), abs=1e-6)
    assert all(re.fullmatch(r"\d+\.\d{6}", frame.time) for frame in found)
    assert all(re.fullmatch("[0-9a-f]{32}", frame.hash) for frame in found)
    assert len({frame.hash for frame in found}) > count * 0.9
    assert not (bare / "data/movie1/JPEGImages").exists()
