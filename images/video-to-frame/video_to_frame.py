"""Extract the frames of a movie as pictures, numbered and named as CVAT does.

Every frame that the movie's first video stream decodes to is counted, from 0, whatever its
time stamp; rotation is applied. The picture of frame 7 is frame_000007.PNG.

  video-to-frame --source data/movie1/movie.mkv --destination data/movie1/JPEGImages
  video-to-frame --source data/movie1/movie.mkv --index data/movie1/frames.csv
"""

import argparse
import re
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import decoder
from stage import cli, frames, outputs, sources
from stage.errors import StageError
from stage.output_checks import Folder, Output, check_outputs
from stage.parameters import load
from stage.progress import show_progress

CONVERT = "scale=flags=bilinear:interl=-1:in_chroma_loc={chroma},format=rgb24"
"""How CVAT (PyAV's VideoFrame.to_image) has libswscale convert colours: equal to the bit."""

TURNS = {0: "null", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
"""Degrees clockwise -> the filter that turns a picture."""

ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    # Level 1 is five times as fast as the default, for the same pixels and a sixth more bytes.
    "png": ("null", {"c:v": "png", "compression_level": 1}),
    # Readers of JPEG files take all of them for BT.601 with full range.
    "jpg": (
        "scale=out_color_matrix=bt601:out_range=full,format=yuvj420p",
        {"c:v": "mjpeg", "qmin": 1},
    ),
}
"""Picture format -> filter of the RGB pictures, and ffmpeg's options of the encoder."""


@dataclass(frozen=True)
class Frames:
    """The section `frames` of params.yaml.

    format: png (exact pixels) or jpg. quality: of jpg, ffmpeg's scale: 1 is best, 31 smallest.
    max-pixels, max-count: what is refused, pictures of more pixels and movies of more frames.
    """

    format: str = "png"
    quality: int = 2
    max_pixels: int = 40_000_000
    max_count: int = 1_000_000


@dataclass(frozen=True)
class Selection:
    """Which frames become pictures: start, start + step, ... up to stop, which is included."""

    start: int = 0
    stop: int | None = None
    step: int = 1

    def __contains__(self, number: int) -> bool:
        """Tell whether a frame becomes a picture."""
        return number in range(
            self.start, number + 1 if self.stop is None else self.stop + 1, self.step
        )

    @property
    def filter(self) -> str:
        """The same as an expression of ffmpeg's filter `select`."""
        if self == Selection():
            return "null"
        upper = "" if self.stop is None else rf"*lte(n\,{self.stop})"
        return rf"select=gte(n\,{self.start}){upper}*not(mod(n-{self.start}\,{self.step}))"


def extract(
    source: Path,
    destination: Path | None,
    index: Path | None,
    settings: Frames,
    selection: Selection,
    prefix: str = frames.PREFIX,
    parameters: Path | None = None,
) -> None:
    """Write pictures of a movie's frames to destination and the index of all frames to index.

    parameters: where the settings are from, which is not to be replaced.
    """
    sources.check_file(source)
    extension = frames.EXTENSIONS[settings.format]
    made = [
        Output("--destination", destination, _own_pictures(prefix)),
        Output("--index", index, frames.KIND),
    ]
    check_outputs(made, [source, parameters] if parameters else [source])
    with outputs.write_whole(destination, index) as aside:
        folder = aside[destination] if destination else None
        # closing: ffmpeg must have ended before what it wrote is cleaned up
        with closing(_decode(source, settings, selection, folder)) as decoded:
            found = [_index_line(n, each, extension, prefix) for n, each in enumerate(decoded)]
        if folder:
            _rename(folder, [frame for frame in found if frame.number in selection], source)
        if index:
            frames.write(found, aside[index])
    cli.say(f"{source}: {len(found)} frames of {found[0].width}x{found[0].height} pixels")


def _own_pictures(prefix: str) -> Folder:
    """Return what tells pictures of an earlier run, those whose names start with prefix."""
    extensions = "|".join(map(re.escape, frames.EXTENSIONS.values()))
    return Folder(re.compile(rf"{re.escape(prefix)}[0-9]{{6,}}({extensions})"))


def _index_line(number: int, each: decoder.Decoded, extension: str, prefix: str) -> frames.Frame:
    """Return a decoded frame's line of the index."""
    name = frames.name(number, extension, prefix)
    return frames.Frame(number, name, each.time, each.width, each.height, each.hash)


def _decode(
    source: Path, settings: Frames, selection: Selection, folder: Path | None
) -> Generator[decoder.Decoded, None, None]:
    """Decode the whole movie and, if there is a folder, encode the selected frames into it."""
    says, limits = decoder.probe(source), (settings.max_pixels, settings.max_count)
    if folder is None:
        return show_progress(decoder.decode(source, says, *limits), source, "frames", says.count)
    folder.mkdir()
    last, encoder = ENCODERS[settings.format]
    pictures = {"filename": "%d", "f": "image2", "start_number": 0, "flags": "bitexact", **encoder}
    # Picture files have no times, but ffmpeg refuses two frames with the same time.
    pictures["bsf:v"] = "setts=ts=N"
    convert = CONVERT.format(chroma=says.chroma)
    pictures["vf"] = ",".join((selection.filter, convert, TURNS[says.turn], last))
    if settings.format == "jpg":
        pictures["q:v"] = settings.quality
    decoded = decoder.decode(source, says, *limits, pictures, folder)
    return show_progress(decoded, source, "frames", says.count)


def _rename(folder: Path, selected: Sequence[frames.Frame], source: Path) -> None:
    """Give the pictures, which are numbered in their order, the names of their frames."""
    made = len(list(folder.iterdir()))
    if made != len(selected):
        raise StageError(f"{source}: {made} pictures were made of {len(selected)} frames")
    if not selected:
        raise StageError(f"{source}: has none of the frames from --start to --stop")
    for place, frame in enumerate(selected):
        (folder / str(place)).rename(folder / frame.name)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("--source", type=Path, required=True, metavar="MOVIE", help="the movie")
    add(
        "--destination",
        type=Path,
        metavar="FOLDER",
        help="where the pictures go; replaced as a whole",
    )
    add(
        "--index", type=Path, metavar="FILE", help="write the frame index, a CSV; alone: no picture"
    )
    add("--parameters", type=Path, metavar="FILE", help="params.yaml, for its section `frames`")
    add("--format", choices=sorted(frames.EXTENSIONS), help="of the pictures (default: png)")
    add("--prefix", default=frames.PREFIX, help="what the names start with (default: %(default)s)")
    add("--start", type=parse_number, default=0, metavar="N", help="the first frame (default: 0)")
    add("--stop", type=parse_number, metavar="N", help="the last frame (default: the movie's last)")
    add("--step", type=parse_number, default=1, metavar="N", help="every Nth frame (default: 1)")
    args = parser.parse_args(argv)
    if not (args.destination or args.index):
        parser.error("give --destination, --index or both")
    if not args.step:
        parser.error("--step must be 1 or more")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", args.prefix):
        parser.error("--prefix may have letters, digits, `.`, `_` and `-`, and starts with no `.`")
    return cli.report(run, args)


def run(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    selection = Selection(args.start, args.stop, args.step)
    settings = read(args.parameters)
    if args.format:
        settings = replace(settings, format=args.format)
    extract(
        args.source,
        args.destination,
        args.index,
        settings,
        selection,
        args.prefix,
        args.parameters,
    )


def read(path: Path | None) -> Frames:
    """Return the section `frames` of a parameter file, checked, or its defaults."""
    if path is None:
        return Frames()
    parameters = load(path)
    settings = parameters.section(Frames, ("frames",))
    if settings.format not in frames.EXTENSIONS:
        raise parameters.error(("frames", "format"), "must be png or jpg")
    if not 1 <= settings.quality <= 31:
        raise parameters.error(("frames", "quality"), "must be 1 (best) to 31 (smallest)")
    if settings.max_pixels < 1 or settings.max_count < 1:
        raise parameters.error(("frames",), "max-pixels and max-count must be 1 or more")
    return settings


def parse_number(text: str) -> int:
    """Return a frame number of the command line: digits alone."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)
