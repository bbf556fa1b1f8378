"""Zip files from outside: members are read by name, never extracted to a path the zip chooses."""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from stage import sources
from stage.errors import StageError

MEMBERS = 200_000
TOTAL = 1 << 30
RATIO, RATIO_FROM = 200, 10 << 20
"""What a real export stays below: entries, bytes in all, and how far bytes shrink past 10 MB."""

BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError,
    ValueError, OSError, lzma.LZMAError,
)  # fmt: skip
"""What zipfile raises on a damaged, encrypted or otherwise unreadable file."""


class Archive:
    """A zip file whose listing was checked: plain files, inside, one of each name, no bomb."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile, times: int = 1) -> None:
        """Check the listing; the names of all files, without folders and macOS's junk."""
        self.path = path
        self._times = times
        self._zip = zipped
        self._members = {
            info.filename: info
            for info in self._listed()
            if not info.is_dir() and not _junk(info.filename)
        }
        for name in self._members:
            if any(str(parent) in self._members for parent in PurePosixPath(name).parents):
                raise self._error(name, "lies in what is a file, too")

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        info = self._members[name]
        try:
            with self._zip.open(info) as file:
                content = file.read(info.file_size + 1)
        except BROKEN as error:
            raise StageError(f"{self.path}/{name}: is damaged ({error}); export again") from None
        if len(content) != info.file_size:
            raise StageError(f"{self.path}/{name}: is not as long as it says; export again")
        return content

    def _listed(self) -> Iterator[zipfile.ZipInfo]:
        infos, seen, total, end = self._zip.infolist(), set[str](), 0, 0
        if len(infos) > MEMBERS * self._times:
            raise self._error("", f"has more than {MEMBERS} entries")
        for info in sorted(infos, key=lambda info: info.header_offset):
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self._error(info.filename, "is not a regular file")
            _check_name(self.path, info)
            name = info.filename.rstrip("/").casefold()
            if name in seen:
                raise self._error(info.filename, "is in it twice")
            seen.add(name)
            if info.header_offset < end:
                raise self._error(info.filename, "overlaps another entry")
            end = info.header_offset + info.compress_size
            total += info.file_size
            packed = max(info.compress_size, 1)
            bomb = info.file_size > RATIO_FROM and info.file_size > RATIO * packed
            if bomb or total > TOTAL * self._times:
                raise self._error(info.filename, "unpacks to more than an export can hold")
            yield info

    def _error(self, name: str, text: str) -> StageError:
        return StageError(f"{self.path}{'/' if name else ''}{name}: {text}; export again from CVAT")


@contextmanager
def opened(path: Path, times: int = 1) -> Iterator[Archive]:
    """Open a zip file; a StageError says why it is none.

    times: by how much it may have more entries and bytes than an export.
    """
    try:
        zipped = zipfile.ZipFile(sources.file(path))
    except BROKEN as error:
        raise StageError(f"{path}: is not a zip file, or damaged ({error}); export again") from None
    with zipped:
        yield Archive(path, zipped, times)


def is_zip(path: Path) -> bool:
    """Tell whether a file begins as zip files do."""
    with sources.file(path).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _check_name(path: Path, info: zipfile.ZipInfo) -> None:
    r"""Refuse a name that leaves the archive, or that some system would take for another path."""
    name = info.filename
    parts = name.rstrip("/").split("/")
    strange = "\\" in name or not name.isprintable() or len(name) > 500 or name[1:2] == ":"
    if strange or any(p in ("", ".", "..") or p.startswith("-") for p in parts):
        raise StageError(f"{path}/{name[:500]}: is no name of an export's file; export again")


def _junk(name: str) -> bool:
    """Tell whether macOS added the file: __MACOSX/ and names with a leading dot."""
    return any(part == "__MACOSX" or part.startswith(".") for part in name.split("/"))
