"""A task's backup, the zip that CVAT makes of it: the movie in it, read with care.

    data/bikes.mp4         as it was uploaded, perhaps in folders
    data/manifest.jsonl    CVAT's index of its frames
    task.json
    annotations.json

Folders and files of a guide for annotators may be there, too. Nothing is unpacked but the movie.
"""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from pipelines.cvat.archives import DAMAGED, KINDS
from pipelines.errors import PipelineError

TASK, DATA = "task.json", "data/"
INDEXES = ("data/manifest.jsonl", "data/index.json")
"""Files of DATA that CVAT itself wrote: older versions have the second one, too."""

LIST = 1_000_000
"""Bytes of a zip's list of files; a movie's backup has a handful."""

RATIO = 10
"""How much smaller than unpacked a movie may be; CVAT packs nothing."""

BLOCK = 1 << 18


class _Careful(io.BufferedReader):
    """A file of which no more is read into memory at once than a list may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LIST:
            raise zipfile.BadZipFile
        return super().read(size)


def unpack_movie(file: BinaryIO, name: str, target: Path) -> None:
    """Write the one movie of a backup to where nothing is yet.

    name: what CVAT calls the movie. A PipelineError says why it is not had; its subject is
    the backup.
    """
    careful = _Careful(io.FileIO(file.fileno(), closefd=False))
    with closing(_open(careful)) as archive:
        entry = _find_movie(archive.infolist(), name)
        _refuse_size(entry, shutil.disk_usage(target.parent).free)
        with target.open("xb") as out:
            for block in _read(archive, entry):
                out.write(block)  # its errors are those of a disk, not of the zip
        if target.stat().st_size != entry.file_size:
            raise PipelineError("is damaged: its movie has another size than it says")


def _open(file: BinaryIO) -> ZipFile:
    try:
        return ZipFile(file)
    except DAMAGED as error:
        raise _damaged(error) from None


def _read(archive: ZipFile, entry: ZipInfo) -> Iterator[bytes]:
    """Yield a file of a zip; its checksum is compared at the end."""
    try:
        with archive.open(entry) as file:
            while block := file.read(BLOCK):
                yield block
    except DAMAGED as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> PipelineError:
    return PipelineError(f"is no whole zip ({type(error).__name__})")


def _find_movie(entries: Sequence[ZipInfo], name: str) -> ZipInfo:
    """Return the one file that somebody uploaded; refuse what is no backup of a movie's task."""
    names = [each.filename for each in entries]
    if wrong := [each for each in names if not _is_plain(each)]:
        raise PipelineError(f"has a file with the name {_show(wrong[0])}, which no backup has")
    if TASK not in names:
        raise PipelineError(f"has no {TASK}; it is no backup of a task")
    files = [each for each in entries if each.filename.startswith(DATA) and not each.is_dir()]
    media = [each for each in files if each.filename not in INDEXES]
    if len(media) != 1:
        raise PipelineError(f"has {len(media)} files of data, not one movie")
    if (found := media[0].filename.rpartition("/")[2]) != name:
        raise PipelineError(f"has {_show(found)}, but its movie is {_show(name)}")
    return media[0]


def _is_plain(name: str) -> bool:
    """Tell whether a path stays where it is unpacked.

    >>> [_is_plain(name) for name in ("data/a.mp4", "data/", "/etc/x", "data/../x", "..")]
    [True, True, False, False, False]
    """
    return not {"", ".", ".."} & {*name.removesuffix("/").split("/")}


def _refuse_size(entry: ZipInfo, free: int) -> None:
    if entry.compress_type not in KINDS:
        raise PipelineError("has a movie that is packed in an unusual way")
    if entry.file_size > RATIO * entry.compress_size:
        raise PipelineError(f"has a movie that is packed to less than 1/{RATIO} of its size")
    if entry.file_size > free:
        text = f"has a movie of {entry.file_size} bytes, and {free} are free here"
        raise PipelineError(text)


def _show(name: str) -> str:
    """Return a name as one short line of ASCII."""
    return re.sub(r"\s", "?", ascii(name))[:80]
