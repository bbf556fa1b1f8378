"""One run of ffmpeg over one movie, which may be damaged or hostile.

ffmpeg's exit code alone is worth little: it is 0 for a movie that was cut between two clusters.
So every error that its demuxer or decoder logs counts too. The duration and frame rate in the file
are used for progress only, for edit lists make them wrong.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from signal import SIGKILL
from threading import Thread
from typing import Any

import ffmpeg
import imageio_ffmpeg

from stage.errors import StageError

FORMATS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,flv,ogg,asf,mxf"
"""Demuxers of files that hold a movie; none that names other files or hosts (HLS, concat, SDP)."""

SAFELY = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
"""Of an input: nothing but this one file is ever opened."""

THREADS = min(os.cpu_count() or 1, 4)
"""Of decoder and encoder: each holds frames, so with all of many cores memory would run out."""

EVERY_FRAME = {"map": "0:v:0", "fps_mode": "passthrough", "enc_time_base": "demux"}
"""Of an output: each decoded frame of the first video stream once, at the movie's own times."""

REMEDY = "copy it again; if it plays, remux or cut it with ffmpeg before its CVAT task is made"
ENOUGH = 100
"""Errors that are kept of one run."""

ERROR = re.compile(r"(?:\[[^]]*\] )*\[(?:error|fatal)\] (.*)")

CHANGED = re.compile(r"\[info\] Reconfiguring filter graph .* changed to .*?, (\d+)x(\d+)")
STREAM = re.compile(r"^  Stream #", re.M)
LENGTH = re.compile(r"^  Duration: (\d+):(\d+):(\d+\.\d+)", re.M)
CHROMA = re.compile(r", \w+\([^)]*\b(left|center|topleft|top|bottomleft|bottom)\)")
RATE = re.compile(r", ([\d.]+) fps")
TURNED = re.compile(r"^ +display ?matrix: rotation of (-?[\d.]+) degrees", re.M | re.I)
"""How ffmpeg describes a movie; the rotation is counter-clockwise."""


@dataclass(frozen=True)
class Stated:
    """What ffmpeg reports of a movie.

    count: about how many frames it has. turn: the degrees clockwise by which they are rotated to be
    shown: 0, 90, 180 or 270. chroma: the location of its chroma samples.
    """

    count: int | None
    turn: int
    chroma: str = "unknown"


@dataclass(frozen=True)
class Decoded:
    """One decoded frame: seconds from the movie's start, pixels as shown, hash of its content."""

    time: str
    width: int
    height: int
    hash: str


def decode(
    movie: Path,
    says: Stated,
    max_pixels: int,
    max_count: int,
    pictures: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> Iterator[Decoded]:
    """Yield every frame of a movie, its size as turned, in the order in which they are shown.

    pictures are ffmpeg's options for an output more, of files in folder. A picture of more than
    max_pixels, more than max_count frames, and damage of any kind raise StageError.
    """
    with _run_ffmpeg(_build_command(movie, max_pixels, max_count, pictures), folder) as process:
        log = _Log(process.stderr)
        count, frame = 0, Decoded("", 0, 0, "")
        for count, frame in enumerate(_read_frames(process.stdout, says.turn), 1):
            if count > max_count:
                raise StageError(f"{movie}: has more than {max_count} frames; see frames.max-count")
            yield frame
        if process.wait() == -SIGKILL:
            text = 'ran out of memory; allow more: export DOCKER_OPTIONS="--memory 8g"'
            raise StageError(f"{movie}: {text}")
        if process.returncode or log.errors() or not count:
            raise _explain(movie, count, says.count, log.errors())
        _refuse_changes(movie, frame, says, log.sizes(), pictures)


def _refuse_changes(
    movie: Path,
    frame: Decoded,
    says: Stated,
    sizes: set[tuple[int, int]],
    pictures: dict[str, Any] | None,
) -> None:
    """Refuse a stream that changes its size; if frames are chosen, one that changes in any way.

    CVAT knows one size of a movie, and ffmpeg's filters count from 0 again after a change.
    """
    size = (frame.width, frame.height)
    first = size[::-1] if says.turn in (90, 270) else size
    if sizes - {first}:
        width, height = min(sizes - {first})
        text = f"changes its size from {first[0]}x{first[1]} to {width}x{height}"
        raise StageError(f"{movie}: {text}; cut it there into two movies")
    if sizes and pictures and "select=" in pictures["vf"]:
        text = "changes its colour format midway, so frames cannot be chosen"
        raise StageError(f"{movie}: {text}; leave out --start, --stop and --step")


@contextmanager
def _run_ffmpeg(command: Sequence[str], folder: Path | None) -> Iterator[subprocess.Popen[str]]:
    """Start ffmpeg in folder; it is killed when the block ends, however that is."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def probe(movie: Path) -> Stated:
    """Ask ffmpeg about a movie; a rotation that is no multiple of 90 degrees is refused."""
    options = [word for name, value in SAFELY.items() for word in (f"-{name}", value)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "verbose", *options, "-i", _url(movie)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    told = done.stderr.decode("utf-8", "replace")
    first = next((s for s in re.split(STREAM, told)[1:] if ": Video: " in s.partition("\n")[0]), "")
    length, rate, turned = LENGTH.search(told), RATE.search(first), TURNED.search(first)
    turn = -float(turned[1]) % 360 if turned else 0
    if turn % 90:
        raise StageError(
            f"{movie}: is rotated by {turn} degrees, no multiple of 90; rotate it first"
        )
    chroma = placed[1] if (placed := CHROMA.search(first)) else "unknown"
    if not length or not rate:
        return Stated(None, int(turn), chroma)
    seconds = int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3])
    return Stated(round(seconds * float(rate[1])) or None, int(turn), chroma)


def _url(movie: Path) -> str:
    """Return a movie's name as ffmpeg takes it for a file's, even if it is `concat:a` or `-i`."""
    return f"file:{movie.absolute()}"


def _build_command(
    movie: Path, max_pixels: int, max_count: int, pictures: dict[str, Any] | None
) -> Sequence[str]:
    """Return ffmpeg's command line: hashes of the frames to stdout, and the pictures."""
    source = ffmpeg.input(
        _url(movie),
        **SAFELY,
        noautorotate=None,  # it would rotate before it converts colours; CVAT does it after that
        err_detect="explode",
        threads=THREADS,
        apply_cropping="codec",  # CVAT ignores the cropping in the container, too
        max_pixels=max_pixels,
    )
    options = {**EVERY_FRAME, "frames:v": max_count + 1, "threads": THREADS}
    # CVAT takes time stamps that go back; ffmpeg checks only DTS, which are replaced here.
    order = {"bsf:v": "setts=dts=N-1000000000"}
    outputs = [ffmpeg.output(source, "pipe:1", f="framehash", hash="murmur3", **options, **order)]
    if pictures:
        outputs.append(ffmpeg.output(source, **{**options, **pictures}))
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-xerror")
    merged = ffmpeg.merge_outputs(*outputs).global_args(*quiet)
    command: list[str] = ffmpeg.compile(merged, cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return command


def _read_frames(stream: Iterable[str] | None, turn: int) -> Iterator[Decoded]:
    """Read ffmpeg's framehash output: `#`-lines with the time base and size, then a line a frame.

    The columns are stream, dts, pts, duration, size in bytes, hash (ffmpeg-formats, framehash).
    """
    base, width, height = Fraction(1), 0, 0
    for line in stream or ():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split()[-1])
        elif line.startswith("#dimensions 0:"):
            width, height = map(int, line.split()[-1].split("x"))
            if turn in (90, 270):
                width, height = height, width
        elif not line.startswith("#"):
            columns = [column.strip() for column in line.split(",")]
            yield Decoded(f"{float(int(columns[2]) * base):.6f}", width, height, columns[5])


class _Log:
    """What ffmpeg logs, read in a thread of its own so that ffmpeg never waits."""

    def __init__(self, stream: Iterable[str] | None) -> None:
        self._errors: list[str] = []
        self._sizes: set[tuple[int, int]] = set()
        self._thread = Thread(target=self._read, args=(stream or (),), daemon=True)
        self._thread.start()

    def errors(self) -> list[str]:
        """Return the errors once ffmpeg has ended."""
        self._thread.join()
        return self._errors

    def sizes(self) -> set[tuple[int, int]]:
        """Return the sizes, as stored, of frames from which on something of the stream changed."""
        self._thread.join()
        return self._sizes

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            if (error := ERROR.match(line)) and len(self._errors) < ENOUGH:
                self._errors.append(error[1])
            elif (changed := CHANGED.search(line)) and len(self._sizes) < ENOUGH:
                self._sizes.add((int(changed[1]), int(changed[2])))


def _explain(movie: Path, count: int, stated: int | None, errors: Sequence[str]) -> StageError:
    """Return the error that says why a movie is refused, with what ffmpeg found in brackets."""
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
    of = f" of about {stated}" if stated and stated > count else ""
    return StageError(f"{movie}: is damaged after {count}{of} frames ({words}); {REMEDY}")
