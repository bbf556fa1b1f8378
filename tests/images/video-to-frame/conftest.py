"""Movies made on the fly, what CVAT shows of a movie, and the command run in this process."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

import video_to_frame

Picture = NDArray[np.uint8]


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Callable[..., Path]:
    """Run ffmpeg in the test's folder; the last word is the file that it makes there."""

    def make(*words: str) -> Path:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *words]
        subprocess.run(command, cwd=tmp_path, check=True)
        return tmp_path / words[-1].removeprefix("file:")

    return make


@pytest.fixture
def movie(ffmpeg: Callable[..., Path]) -> Path:
    """A movie of 20 frames."""
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:d=2")
    return ffmpeg(*source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "movie.mkv")


@pytest.fixture(scope="session")
def cvat() -> Callable[[Path], Iterator[Picture]]:
    """Decode a movie as CVAT does (VideoReader.iterate_frames in its media_extractors.py): each
    frame that PyAV gives of the first video stream, turned by the rotation that is tagged to it.

    CVAT itself turns with OpenCV about the corner between pixels, which moves the picture by one
    pixel and leaves a black line; what it means is this.
    """

    def decode(movie: Path) -> Iterator[Picture]:
        with av.open(movie) as container:
            for packet in container.demux(container.streams.video[0]):
                for frame in packet.decode():
                    turns = round(frame.rotation / 90)
                    yield np.rot90(frame.to_ndarray(format="rgb24"), turns)

    return decode


@pytest.fixture(scope="session")
def times() -> Callable[[Path], list[float]]:
    """When the frames of a movie are shown, in seconds from the first time stamp in the file, be
    it of sound: `pts * time_base - start_time`, which is when a player shows them."""

    def read(movie: Path) -> list[float]:
        with av.open(movie) as container:
            stream = container.streams.video[0]
            pts = [frame.pts for frame in container.decode(stream)]
            return [float(p * stream.time_base) - container.start_time / 1e6 for p in pts]

    return read


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; the exit code and what it said on stdout and stderr."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        before = signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        try:
            code = video_to_frame.main([str(word) for word in words])
        finally:
            signal.signal(signal.SIGTERM, before)
        return code, *capsys.readouterr()

    return command
