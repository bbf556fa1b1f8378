"""Movies that lost something, and limits: all frames or none, never some of them."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from stage import frames

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
FORMATS = {
    "movie.mkv": H264,
    "movie.mp4": H264,
    "to-stream.mp4": (*H264, "-movflags", "+faststart"),
    "movie.mov": (*H264, "-movflags", "+faststart"),
    "movie.webm": ("-c:v", "libvpx", "-deadline", "realtime"),
    "movie.avi": ("-c:v", "mpeg4"),
    "motion-jpeg.avi": ("-c:v", "mjpeg"),
}
"""Formats that say how long a movie is. A transport stream does not: its first half is a whole
movie, and only CVAT's number of frames can tell."""

FRAMES = 200
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", params=FORMATS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie of 20 seconds in some format."""
    movie = tmp_path_factory.mktemp("whole") / str(request.param)
    source = ("-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=10:d={FRAMES / 10}", "-g", "20")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *FORMATS[movie.name]]
    subprocess.run([*command, movie], check=True)
    return movie


@pytest.mark.parametrize("percent", [*range(10, 100, 10), 99])
def test_a_cut_movie_gives_all_frames_or_none(
    percent: int, whole: Path, tmp_path: Path, run: Run
) -> None:
    content = whole.read_bytes()
    cut, index = tmp_path / whole.name, tmp_path / "frames.csv"
    cut.write_bytes(content[: len(content) * percent // 100])
    code, _, said = run("--source", cut, "--index", index)

    if code == 0:
        assert len(frames.read(index)) == FRAMES
    else:
        assert code == 1
        assert said.startswith(f"error: {cut}: is ")
        assert said.count("\n") == 1
        assert not index.exists()


def test_the_whole_movie_is_accepted(whole: Path, tmp_path: Path, run: Run) -> None:
    assert run("--source", whole, "--index", tmp_path / "frames.csv")[0] == 0
    assert len(frames.read(tmp_path / "frames.csv")) == FRAMES


@pytest.mark.parametrize("seed", range(25))
def test_bit_rot_gives_all_frames_or_none(seed: int, movie: Path, tmp_path: Path, run: Run) -> None:
    content, dice = bytearray(movie.read_bytes()), random.Random(seed)
    for _ in range(dice.choice([1, 5, 40])):
        content[dice.randrange(600, len(content))] ^= 1 << dice.randrange(8)
    movie.write_bytes(content)
    code, _, said = run("--source", movie, "--destination", tmp_path / "JPEGImages")

    assert code in (0, 1)
    assert code == 1 or len(list((tmp_path / "JPEGImages").iterdir())) == 20
    assert code == 0 or said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} - {"JPEGImages"} == {"movie.mkv"}


@pytest.mark.parametrize(
    ("key", "limit", "code", "words"),
    [
        ("max-count", 20, 0, ""),
        ("max-count", 19, 1, "more than 19 frames; see frames.max-count"),
        ("max-count", 1, 1, "more than 1 frames; see frames.max-count"),
        # decoders round 96 up to 128 before they compare
        ("max-pixels", 128 * 64, 0, ""),
        ("max-pixels", 96 * 64 - 1, 1, "see frames.max-pixels"),
    ],
)
def test_more_than_is_allowed_is_refused(
    key: str, limit: int, code: int, words: str, movie: Path, tmp_path: Path, run: Run
) -> None:
    parameters = tmp_path / "params.yaml"
    parameters.write_text(f"frames: {{{key}: {limit}}}\n", "utf-8")
    done = run("--source", movie, "--parameters", parameters, "--destination", tmp_path / "J")

    assert done[0] == code
    assert (tmp_path / "J").exists() == (code == 0)
    assert words in done[2]
