"""One run of ffmpeg over one movie, which may be damaged or hostile.

ffmpeg's exit code alone is worth little: it is 0 for a movie that was cut between two clusters.
So every error that its demuxer or decoder logs counts too. What the file states (duration, number
of frames) counts for nothing: edit lists make it lie.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from stage.errors import StageError

FORMATS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,flv,ogg,asf,mxf"
"""Demuxers of files that hold a movie; none that names other files or hosts (HLS, concat, SDP)."""

EVERY_FRAME = {"map": "0:v:0", "fps_mode": "passthrough", "enc_time_base": "demux"}
"""Of an output: each decoded frame of the first video stream once, at the movie's own times."""

ERROR = re.compile(r"(?:\[[^]]*\] )*\[(?:error|fatal)\] (.*)")


@dataclass(frozen=True)
class Decoded:
    """One decoded frame: seconds from the movie's start, pixels as shown, hash of its content."""

    time: str
    width: int
    height: int
    hash: str


def decode(
    movie: Path,
    max_pixels: int,
    max_count: int,
    pictures: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> Iterator[Decoded]:
    """Yield every frame of a movie, rotation applied, in the order in which they are shown.

    pictures are ffmpeg's options for an output more, of files in folder. A picture of more than
    max_pixels, more than max_count frames, and damage of any kind raise StageError.
    """
    command = _command(movie, max_pixels, max_count, pictures)
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout
        assert process.stderr
        log = _Log(process.stderr)
        try:
            count = 0
            for count, frame in enumerate(_frames(process.stdout), 1):
                if count > max_count:
                    raise StageError(
                        f"{movie}: has more than {max_count} frames; allow more by frames.max-count"
                    )
                yield frame
            log.thread.join()
            if process.wait() or log.errors or not count:
                raise _refusal(movie, count, log.errors)
        finally:
            process.kill()


def _command(
    movie: Path, max_pixels: int, max_count: int, pictures: dict[str, Any] | None
) -> Sequence[str]:
    """Return ffmpeg's command line: hashes of the frames to stdout, and the pictures."""
    source = ffmpeg.input(
        f"file:{movie.absolute()}",  # a name like `concat:a` or `-i` stays a file's name
        protocol_whitelist="file",
        format_whitelist=FORMATS,
        err_detect="explode",
        max_pixels=max_pixels,
    )
    options = {**EVERY_FRAME, "frames:v": max_count + 1}
    outputs = [ffmpeg.output(source, "pipe:1", f="framehash", hash="murmur3", **options)]
    if pictures:
        outputs.append(ffmpeg.output(source, **{**options, **pictures}))
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+error", "-xerror")
    merged = ffmpeg.merge_outputs(*outputs).global_args(*quiet)
    command: list[str] = ffmpeg.compile(merged, cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return command


def _frames(stream: IO[str]) -> Iterator[Decoded]:
    """Read ffmpeg's framehash output: `#`-lines with the time base and size, then a line a frame.

    The columns are stream, dts, pts, duration, size in bytes, hash (ffmpeg-formats, framehash).
    """
    base, width, height = Fraction(1), 0, 0
    for line in stream:
        if line.startswith("#tb 0:"):
            base = Fraction(line.split()[-1])
        elif line.startswith("#dimensions 0:"):
            width, height = map(int, line.split()[-1].split("x"))
        elif not line.startswith("#"):
            columns = [column.strip() for column in line.split(",")]
            yield Decoded(f"{float(int(columns[2]) * base):.6f}", width, height, columns[5])


class _Log:
    """What ffmpeg logs, read in a thread of its own so that ffmpeg never waits for us."""

    def __init__(self, stream: Iterable[str]) -> None:
        self.errors: list[str] = []
        self.thread = Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream: Iterable[str]) -> None:
        found = (ERROR.match(line) for line in stream)
        self.errors += (error[1] for error in found if error)


def _refusal(movie: Path, count: int, errors: Sequence[str]) -> StageError:
    """Say in the user's words why a movie is refused, and in ffmpeg's what it found."""
    words = errors[0].strip() if errors else "no frame"
    if "max pixel count" in words:
        return StageError(f"{movie}: its pictures are too large ({words}); see frames.max-pixels")
    if "matches no streams" in words:
        return StageError(f"{movie}: has sound but no picture; give the file with the video stream")
    if "No space left" in words:
        return StageError(f"{movie}: no space left on the device for its pictures; make room")
    if count == 0:
        return StageError(
            f"{movie}: is not a movie, or damaged at its start ({words}); copy it again"
        )
    return StageError(
        f"{movie}: is damaged: ffmpeg gave up after {count} frames ({words}); copy it again, or "
        "cut it with ffmpeg before it is annotated"
    )
