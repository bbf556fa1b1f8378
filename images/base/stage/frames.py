"""Frames and the names of their pictures, as CVAT counts and names them.

A video task names the picture of frame N `frame_%06d.PNG`, N counted from 0 over every frame that
the movie's first video stream decodes to (cvat-ai/cvat, dataset_manager/bindings.py:
`"frame_{:06d}".format`, and media_io/frame_provider.py for the upper-case extension).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stage import output_checks, sources
from stage.errors import StageError

PREFIX = "frame_"
EXTENSIONS = {"png": ".PNG", "jpg": ".jpg"}
"""Picture format -> the extension of its files: CVAT's own for png."""

INDEX = "frames.csv"
"""The frame index of a dataset, beside its pictures."""


class Frame(NamedTuple):
    """One decoded frame: a line of the index.

    number: absolute, from 0. name: of its picture, relative to JPEGImages. time: seconds from the
    movie's first time stamp, with 6 decimals, empty for a picture. width, height: of the picture
    as shown, in pixels; 0 if unknown. hash: murmur3 of the decoded picture, as ffmpeg's framehash
    gives it; empty if unknown.
    """

    number: int
    name: str
    time: str = ""
    width: int = 0
    height: int = 0
    hash: str = ""


NUMBERS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9}){2}", re.ASCII)

USUAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{,99}", re.ASCII)
"""What most names of pictures look like; these need no closer look."""

LONGEST = 240
"""Bytes of a file's name, so that the dataset's can be put before it."""

HEADER = Frame._fields

KIND = output_checks.File("frame index", output_checks.starts_with(",".join(HEADER) + "\n"))


def name(number: int, extension: str, prefix: str = PREFIX) -> str:
    """Return the name of a frame's picture.

    >>> name(7, ".PNG")
    'frame_000007.PNG'
    """
    return f"{prefix}{number:06d}{extension}"


def write(frames: Iterable[Frame], path: Path) -> None:
    """Write the frame index: CSV with a header, one line a frame, LF."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(frames)


def read(path: Path) -> list[Frame]:
    """Read a frame index; a StageError names the line that is not one."""
    lines = sources.read_text(path).splitlines()
    try:
        rows = list(csv.reader(lines))
    except csv.Error:
        rows = [[]]
    if tuple(rows[0]) != HEADER:
        raise StageError(f"{path}:1: is no frame index; make it with video-to-frame --index")
    return [_parse_line(row, path, line) for line, row in enumerate(rows[1:], 2)]


def _parse_line(row: list[str], path: Path, line: int) -> Frame:
    if len(row) == len(HEADER):
        number, name, time, width, height, digest = row
        if NUMBERS.fullmatch(f"{number},{width},{height}") and inside(name):
            return Frame(int(number), name, time, int(width), int(height), digest)
    text = "is no line of a frame index; make it again with video-to-frame --index"
    raise StageError(f"{path}:{line}: {text}")


def inside(name: str) -> bool:
    r"""Tell whether a name is one of a file below JPEGImages, and no option or hidden file.

    >>> inside("sub/a b.png"), inside("../a.png"), inside("-rf"), inside("a\\b.png")
    (True, False, False, False)
    """
    if USUAL.fullmatch(name):
        return True
    parts = name.split("/")
    plain = all(part and part[0] not in ".-" and len(part.encode()) <= LONGEST for part in parts)
    whole = name.isprintable() and len(name) <= 2 * LONGEST and "__MACOSX" not in parts
    return plain and whole and "\\" not in name and name[1:2] != ":"


class Pictures:
    """The pictures of a dataset, found by the number of their frame or by name.

    Names are compared as paths without extension and without case, for exporters write
    `frame_000000.PNG`, `frame_000000` and `frame_000000.png` for one picture.
    """

    def __init__(self, frames: Iterable[Frame], source: Path, *, complete: bool) -> None:
        """Hold frames read from source; complete: whether these are all frames of the movie."""
        self.source = source
        self.complete = complete
        self._numbers: dict[int, Frame] = {}
        self._stems: dict[str, Frame] = {}
        for frame in frames:
            own = stem(frame.name)
            if frame.number in self._numbers or own in self._stems:
                raise StageError(
                    f"{source}: has two pictures called {frame.name}, whatever the extension and "
                    "case; rename one"
                )
            self._numbers[frame.number] = self._stems[own] = frame

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._numbers)

    def __iter__(self) -> Iterator[Frame]:
        """Go through the pictures in the order of their numbers."""
        return iter(sorted(self._numbers.values(), key=lambda frame: frame.number))

    def numbered(self, number: int) -> Frame | None:
        """Return the picture of a frame."""
        return self._numbers.get(number)

    def named(self, name: str) -> Frame | None:
        """Return the picture that an exporter calls name."""
        return self._stems.get(stem(name))


def identifier(name: str) -> str:
    """Return a picture's name without extension, by which Pascal VOC calls it.

    >>> identifier("sub.d/Frame.v2.PNG"), identifier("sub.d/frame_000001")
    ('sub.d/Frame.v2', 'sub.d/frame_000001')
    """
    return name.rpartition(".")[0] if name.lower().endswith(sources.PICTURES) else name


def stem(name: str) -> str:
    """Return a picture's name as it is compared: no extension, no case.

    >>> stem("sub/Frame_000001.PNG") == stem("sub/frame_000001")
    True
    """
    lower = name.casefold()
    return lower.rpartition(".")[0] if lower.endswith(sources.PICTURES) else lower


def find_pictures(root: Path) -> Pictures:
    """Return the pictures of the dataset in folder root: of its frame index, else JPEGImages."""
    index, folder = root / INDEX, root / "JPEGImages"
    if index.exists():
        return Pictures(read(index), index, complete=True)
    if folder.is_dir():
        return Pictures(_list_pictures(folder), folder, complete=False)
    raise StageError(
        f"{sources.check_folder(root)}: has neither {INDEX} nor JPEGImages to check annotations "
        "against; run video-to-frame first (--index, or --destination .../JPEGImages)"
    )


def _list_pictures(folder: Path) -> Iterator[Frame]:
    """Yield the pictures of a folder, numbered as CVAT named them, else as sorted."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in sources.PICTURES)
    names = sorted(path.relative_to(folder).as_posix() for path in files if path.is_file())
    found = [re.fullmatch(rf"{PREFIX}([0-9]{{6,9}})\.\w+", name, re.ASCII) for name in names]
    for place, (name, frame) in enumerate(zip(names, found, strict=True)):
        yield Frame(int(frame[1]) if frame and all(found) else place, name)
