"""Movies from cameras: the image makes of each the very frames that CVAT counts and shows."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import numpy as np
import pytest
from numpy.typing import NDArray

from registries import Registry, picture
from stage import frames

FOOTAGE = {
    "bigbuckbunny": (132, 1280, 720),
    "bikes": (250, 640, 272),
    "carphone_pristine": (120, 176, 144),
}
"""Frames, width and height as the corpus states them."""

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]


@pytest.fixture(params=FOOTAGE)
def footage(request: pytest.FixtureRequest, corpus: Path, bare: Registry) -> Path:
    """A movie of the corpus, in a registry."""
    (bare / "data/movie1").mkdir()
    name = f"{request.param}.mp4"
    return Path(shutil.copy(corpus / "video" / name, bare / "data/movie1"))


def expected(footage: Path) -> tuple[int, int, int]:
    return FOOTAGE[footage.stem]


def test_no_footage_of_the_corpus_is_left_out(corpus: Path) -> None:
    assert {path.stem for path in (corpus / "video").glob("*.mp4")} == set(FOOTAGE)


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
