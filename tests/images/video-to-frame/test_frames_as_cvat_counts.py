"""Odd but sound movies: as many frames as CVAT counts, and the same ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from registries import picture
from stage import frames

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]
Make = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def shown(size: str = "96x64", kind: str = "testsrc2") -> tuple[str, ...]:
    """20 frames, each unlike the others."""
    return ("-f", "lavfi", "-i", f"{kind}=size={size}:rate=10:d=2")


SOUND = ("-f", "lavfi", "-i", "sine=d=2")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
B_FRAMES = (*H264, "-bf", "3", "-g", "8", "-b_strategy", "0")
GAP = ("-vf", r"settb=1/1000,setpts=100*if(lt(N\,10)\,N\,N+36000)", "-fps_mode", "passthrough")
TWO = ("-map", "0", "-map", "1", *H264)

MADE: dict[str, tuple[int, tuple[str, ...]]] = {
    "plain.mp4": (20, (*shown(), *H264)),
    "b-frames.mp4": (20, (*shown(), *B_FRAMES)),
    "b-frames.ts": (20, (*shown(), *B_FRAMES)),
    "b-frames.avi": (20, (*shown(), *B_FRAMES)),
    "packed-b-frames.avi": (20, (*shown(), "-c:v", "mpeg4", "-bf", "2")),
    "open-gop.mp4": (20, (*shown(), *B_FRAMES, "-x264-params", "open-gop=1")),
    "fragmented.mp4": (20, (*shown(), *H264, "-movflags", "frag_keyframe+empty_moov")),
    "gap-of-an-hour.mkv": (20, (*shown(), *GAP, *H264)),
    "gap-of-an-hour.mp4": (20, (*shown(), *GAP, *H264)),
    "same-time-stamps.mkv": (20, (*shown()[:3], "testsrc2=size=96x64:rate=2000:d=0.01",
                                  "-fps_mode", "passthrough", "-c:v", "ffv1")),
    "starts-at-5.mkv": (20, (*shown(), *H264, "-output_ts_offset", "5")),
    "negative-times.mp4": (10, (*shown(), *H264, "-output_ts_offset", "-1")),
    "sound-first.mp4": (20, ("-itsoffset", "0.7", *shown(), *SOUND, *B_FRAMES)),
    "sound-first.mkv": (20, ("-itsoffset", "0.7", *shown(), *SOUND, *B_FRAMES)),
    "counter-wraps.ts": (20, (*shown(), *B_FRAMES, "-output_ts_offset", "95442.7")),
    "two-movies.mkv": (20, (*shown(), *shown("128x96", "testsrc"), *TWO)),
    "two-movies-the-second-is-default.mkv": (20, (
        *shown(), *shown("128x96", "testsrc"), *TWO, "-disposition:0", "0", "-disposition:1",
        "default")),
    "not-square.mp4": (20, (*shown(), *H264, "-vf", "setsar=4/3")),
    "hevc.mp4": (20, (*shown(), "-c:v", "libx265", "-x265-params", "log-level=none:bframes=4")),
    "mpeg2.mpg": (50, (*shown(), "-c:v", "mpeg2video", "-r", "25")),
    "theora.ogg": (20, (*shown(), "-c:v", "libtheora")),
    "windows.wmv": (20, (*shown(), "-c:v", "wmv2")),
    "flash.flv": (20, (*shown(), *H264)),
}  # fmt: skip
"""How many frames CVAT counts, and how ffmpeg makes the movie."""


@pytest.fixture
def check(tmp_path: Path, cvat: Decode, run: Run) -> Callable[[Path, int], None]:
    """Assert that a movie gives so many frames, the pixels of each those that CVAT shows."""

    def compare(movie: Path, count: int) -> None:
        folder, index = tmp_path / "made/JPEGImages", tmp_path / "made/frames.csv"
        code, _, said = run("--source", movie, "--destination", folder, "--index", index)
        assert code == 0, said
        names = [f"frame_{number:06d}.PNG" for number in range(count)]
        assert sorted(path.name for path in folder.iterdir()) == names
        found = frames.read(index)
        assert [frame.name for frame in found] == names
        for frame, seen in zip(found, cvat(movie), strict=True):
            assert (frame.height, frame.width) == seen.shape[:2]
            assert np.array_equal(picture(folder / frame.name), seen), frame
        at = [float(frame.time) for frame in found]
        assert at == sorted(at)

    return compare


@pytest.mark.parametrize("name", MADE)
def test_every_frame_once(name: str, ffmpeg: Make, check: Callable[[Path, int], None]) -> None:
    count, how = MADE[name]
    check(ffmpeg(*how, name), count)


@pytest.mark.parametrize("name", ["b-frames.mp4", "open-gop.mp4", "hevc.mp4"])
def test_frames_cut_off_by_an_edit_list_are_not_there(
    name: str, ffmpeg: Make, cvat: Decode, check: Callable[[Path, int], None]
) -> None:
    """The cut movie still holds frames before the cut: others are decoded from them."""
    movie = ffmpeg(*MADE[name][1], name)
    cut = ffmpeg("-ss", "1.15", "-i", str(movie), "-c", "copy", f"cut-{name}")
    count = len(list(cvat(cut)))

    assert count < 20
    check(cut, count)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("angle", ["90", "180", "270"])
@pytest.mark.parametrize("size", ["96x64", "95x63"])
def test_rotation_is_applied(
    size: str, angle: str, pixels: str, ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    movie = ffmpeg(*shown(size), "-c:v", "mjpeg", "-color_range", "pc", "-pix_fmt", pixels, "a.mov")
    check(ffmpeg("-display_rotation", angle, "-i", str(movie), "-c", "copy", "turned.mov"), 20)


@pytest.mark.parametrize("how", ["hflip", "vflip", "rotation=90 hflip"])
def test_a_mirrored_movie_is_shown_as_cvat_shows_it(
    how: str, ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    """CVAT asks the display matrix for its angle alone, and so do we, for the boxes to fit."""
    movie = ffmpeg(*shown(), *H264, "a.mp4")
    words = [f"-display_{word}".split("=") for word in how.split()]
    options = [word for pair in words for word in pair]
    check(ffmpeg(*options, "-i", str(movie), "-c", "copy", "mirrored.mp4"), 20)


@pytest.mark.parametrize("angle", ["90", "180"])
@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p10le"])
def test_ten_bits_are_converted_before_they_are_turned(
    pixels: str, angle: str, ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    movie = ffmpeg(*shown(), "-c:v", "libx264", "-pix_fmt", pixels, "a.mp4")
    check(ffmpeg("-display_rotation", angle, "-i", str(movie), "-c", "copy", "turned.mp4"), 20)


def test_a_slanting_movie_is_refused(ffmpeg: Make, tmp_path: Path, run: Run) -> None:
    movie = ffmpeg(*shown(), *H264, "a.mp4")
    slanting = ffmpeg("-display_rotation", "45", "-i", str(movie), "-c", "copy", "slanting.mp4")
    code, _, said = run("--source", slanting, "--index", tmp_path / "frames.csv")

    assert code == 1
    assert said.startswith(f"error: {slanting}: is rotated by ")
    assert not (tmp_path / "frames.csv").exists()


@pytest.mark.parametrize("title", ["a: Video: b", "displaymatrix: rotation of 180.00 degrees"])
@pytest.mark.parametrize("where", ["title", "name"])
def test_what_the_movie_is_called_turns_nothing(
    where: str, title: str, ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    movie = ffmpeg(*shown(), *H264, "a.mp4")
    called = ("-metadata", f"title={title}", "-metadata:s", f"handler_name={title}")
    words = (*(called if where == "title" else ()), "-c", "copy")
    name = f"{title}.mp4" if where == "name" else "b.mp4"
    check(ffmpeg("-display_rotation", "90", "-i", str(movie), *words, f"file:{name}"), 20)


def test_a_cover_is_a_video_stream_to_cvat_too(
    ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    cover = ffmpeg(*shown(kind="testsrc"), "-frames:v", "1", "cover.png")
    options = ("-map", "0", "-map", "1", *H264, "-c:v:1", "png", "-disposition:v:1", "attached_pic")
    check(ffmpeg(*shown(), "-i", str(cover), *options, "album.mp4"), 20)


def test_what_the_container_would_crop_stays(
    ffmpeg: Make, check: Callable[[Path, int], None]
) -> None:
    """PyAV knows nothing of Matroska's PixelCrop and MP4's `clap`; ffmpeg applies them."""
    movie = ffmpeg(*shown(), *H264, "-vf", "setsar=2,setdar=2", "a.mkv")
    content = movie.read_bytes()
    height, crop_bottom_by_8 = b"\x54\xba\x81\x01", b"\x54\xaa\x81\x08"
    assert content.count(height) == 1
    movie.write_bytes(content.replace(height, crop_bottom_by_8))

    check(movie, 20)


def test_times_that_go_back_are_no_damage(
    tmp_path: Path, ffmpeg: Make, cvat: Decode, run: Run
) -> None:
    movie = ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:d=2", "-c:v", "libx264"),
        *("-output_ts_offset", "-1", "-avoid_negative_ts", "disabled", "back.mkv"),
    )
    code, _, said = run("--source", movie, "--index", tmp_path / "frames.csv")

    assert code == 0, said
    assert len(frames.read(tmp_path / "frames.csv")) == len(list(cvat(movie))) == 20
