"""Streams that change on their way, as those joined from parts do: all frames alike, or none."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from registries import picture
from stage import frames

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]
Run = Callable[..., tuple[int, str, str]]

BT601, BT709 = "smpte170m", "bt709"


@pytest.fixture
def join(tmp_path: Path, ffmpeg: Callable[..., Path]) -> Callable[..., Path]:
    """Make a movie of parts of 20 frames each, given as (size, matrix of their colours)."""

    def make(*parts: tuple[str, str]) -> Path:
        stream = tmp_path / "stream.h264"
        for size, matrix in parts:
            source = ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:d=2")
            tags = ("-vf", f"setparams=colorspace={matrix}:range=tv")
            h264 = ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p")
            part = ffmpeg(*source, *tags, *h264, "part.h264")
            with stream.open("ab") as file:
                file.write(part.read_bytes())
        times = ("-c", "copy", "-bsf:v", "setts=ts=N/10/TB")
        return ffmpeg("-r", "10", "-i", str(stream), *times, "joined.mp4")

    return make


def test_colours_may_change(
    tmp_path: Path, join: Callable[..., Path], cvat: Decode, run: Run
) -> None:
    movie = join(("96x64", BT709), ("96x64", BT601))
    outputs = ("--destination", tmp_path / "J", "--index", tmp_path / "frames.csv")
    code, _, said = run("--source", movie, *outputs)

    assert code == 0, said
    names = [frame.name for frame in frames.read(tmp_path / "frames.csv")]
    assert len(names) == 40
    for name, shown in zip(names, cvat(movie), strict=True):
        assert np.array_equal(picture(tmp_path / "J" / name), shown), name


def test_frames_may_not_be_chosen_where_ffmpeg_would_miscount_them(
    tmp_path: Path, join: Callable[..., Path], run: Run
) -> None:
    """ffmpeg's filters begin to count anew where the stream changes."""
    movie = join(("96x64", BT709), ("96x64", BT601))
    code, _, said = run("--source", movie, "--destination", tmp_path / "J", "--start", "10")

    assert code == 1
    assert "leave out --start, --stop and --step" in said
    assert not (tmp_path / "J").exists()


@pytest.mark.parametrize("output", [("--index", "frames.csv"), ("--destination", "J")])
@pytest.mark.parametrize("second", ["64x48", "128x96", "64x96"])
def test_sizes_may_not(
    second: str, output: tuple[str, str], tmp_path: Path, join: Callable[..., Path], run: Run
) -> None:
    """CVAT knows one size of a movie: where its boxes lie in the other part, nobody can tell."""
    movie = join(("96x64", BT709), (second, BT709))
    code, _, said = run("--source", movie, output[0], tmp_path / output[1])

    assert code == 1
    assert said.startswith(f"error: {movie}: ")
    assert not (tmp_path / output[1]).exists()
