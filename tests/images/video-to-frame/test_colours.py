"""Pictures have the very colours that CVAT shows, whatever the pixel format and its tags.

Both convert with libswscale, so they can be equal bit by bit: the colour matrix, the range, the
place of the chroma samples and the way in which they are spread must be chosen as PyAV does.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from registries import picture

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]
Make = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def encoder(name: str, pixels: str, *more: str) -> tuple[str, ...]:
    return ("-c:v", name, "-pix_fmt", pixels, *more)


def tagged(**tags: str) -> tuple[str, ...]:
    """Options that only say what the colours mean; which pixels there are is left as it is."""
    words = ":".join(f"{name}={value}" for name, value in tags.items())
    return ("-vf", f"setparams={words}")


H264 = ("libx264", "yuv420p")
MOVIES: dict[str, tuple[str, ...]] = {
    "untagged.mp4": encoder(*H264),
    "bt709.mp4": encoder(*H264, *tagged(colorspace="bt709", range="tv")),
    "bt709-full-range.mp4": encoder(*H264, *tagged(colorspace="bt709", range="pc")),
    "bt601.mp4": encoder(*H264, *tagged(colorspace="smpte170m")),
    "pal.mp4": encoder(*H264, *tagged(colorspace="bt470bg")),
    "bt2020.mp4": encoder(*H264, *tagged(colorspace="bt2020nc", color_trc="smpte2084")),
    "full-range.mp4": encoder(*H264, *tagged(range="pc")),
    "motion-jpeg.avi": encoder("mjpeg", "yuvj422p"),
    "yuv422.mp4": encoder("libx264", "yuv422p"),
    "yuv444.mp4": encoder("libx264", "yuv444p"),
    "gray.mp4": encoder("libx264", "gray"),
    "rgb.mkv": encoder("ffv1", "bgr0"),
    "transparent.webm": encoder("libvpx", "yuva420p", "-auto-alt-ref", "0"),
    "palette.avi": encoder("rawvideo", "pal8"),
    "mpeg2.ts": encoder("mpeg2video", "yuv420p"),
    "mpeg4.avi": encoder("mpeg4", "yuv420p"),
    "vp9.webm": encoder("libvpx-vp9", "yuv420p"),
    "interlaced.mp4": encoder(*H264, "-flags", "+ildct+ilme", "-x264-params", "tff=1"),
    "interlaced-mpeg2.ts": encoder("mpeg2video", "yuv420p", "-flags", "+ildct+ilme"),
    "h264-10-bit.mp4": encoder("libx264", "yuv420p10le"),
    "h264-422-10-bit.mp4": encoder("libx264", "yuv422p10le"),
    "hevc-10-bit.mp4": encoder("libx265", "yuv420p10le", "-x265-params", "log-level=none"),
    "hevc-top-left.mp4": encoder(
        "libx265", "yuv420p10le", "-x265-params", "log-level=none:chromaloc=2"
    ),
    "ffv1-10-bit.mkv": encoder("ffv1", "yuv420p10le"),
    "vp9-10-bit.webm": encoder("libvpx-vp9", "yuv420p10le"),
    "prores.mov": encoder("prores_ks", "yuv422p10le"),
    "yuv444-10-bit.mp4": encoder("libx264", "yuv444p10le"),
}

SIZES = ("95x63", "96x51", "33x64", "2x2")
"""Odd sizes: the last column or row of chroma is for one pixel alone."""


def source(size: str = "96x64", frames: int = 4) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:d={frames / 10}")


def assert_equal_to(shown: Iterator[NDArray[np.uint8]], folder: Path) -> None:
    paths = sorted(folder.iterdir())
    for path, frame in zip(paths, shown, strict=True):
        made = picture(path)
        assert made.shape == frame.shape
        difference = np.abs(made.astype(int) - frame)
        assert not difference.any(), f"{path.name}: differs by {difference.max()}"


@pytest.mark.parametrize("name", MOVIES)
def test_pixels_are_those_of_cvat(
    name: str, tmp_path: Path, ffmpeg: Make, cvat: Decode, run: Run
) -> None:
    movie = ffmpeg(*source(), *MOVIES[name], name)

    assert run("--source", movie, "--destination", tmp_path / "J")[0] == 0
    assert_equal_to(cvat(movie), tmp_path / "J")


@pytest.mark.parametrize("size", SIZES)
def test_odd_sizes_lose_nothing(
    size: str, tmp_path: Path, ffmpeg: Make, cvat: Decode, run: Run
) -> None:
    movie = ffmpeg(*source(size), "-c:v", "ffv1", "-pix_fmt", "yuv420p", "odd.mkv")

    assert run("--source", movie, "--destination", tmp_path / "J")[0] == 0
    assert_equal_to(cvat(movie), tmp_path / "J")


@pytest.mark.parametrize(
    "tags", [{}, {"colorspace": "bt709", "range": "tv"}], ids=["untagged", "bt709"]
)
@pytest.mark.parametrize("colour", ["0xB43228", "0x28783C", "0x3C46B4"])
def test_jpeg_has_the_colours_of_png(
    colour: str, tags: dict[str, str], tmp_path: Path, ffmpeg: Make, run: Run
) -> None:
    """Readers of JPEG files know BT.601 with full range alone, so that is what must be in them."""
    flat = ("-f", "lavfi", "-i", f"color={colour}:size=64x64:rate=10:d=0.1")
    options = encoder(*H264, *(tagged(**tags) if tags else ()))
    movie = ffmpeg(*flat, *options, "-crf", "1", "flat.mp4")
    run("--source", movie, "--destination", tmp_path / "png")
    run("--source", movie, "--destination", tmp_path / "jpg", "--format", "jpg")
    exact = picture(tmp_path / "png/frame_000000.PNG").astype(int)
    lossy = picture(tmp_path / "jpg/frame_000000.jpg")

    assert np.abs(exact - lossy).max() <= 4
