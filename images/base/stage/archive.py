"""Zip files from outside: members are read by name, never extracted to a path the zip chooses."""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from stage import sources
from stage.errors import StageError

MEMBERS = 200_000
TOTAL = 1 << 30
RATIO, RATIO_FROM = 200, 10 << 20
"""Limits that a real export keeps: the number of entries, the bytes of all files together, and the
compression ratio, which counts for files of more than RATIO_FROM bytes."""

BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, UnicodeError, ValueError,
    OSError, OverflowError,
)  # fmt: skip
"""What a damaged, encrypted or otherwise unreadable file raises."""

LOCAL = struct.Struct("<4s2xHH16xHH")
"""A local file header: signature, flags, method, lengths of the name and of the extra field."""

LONGEST = 1024
"""Bytes of a file's name that are read; a name of more than 500 characters is refused."""

ENCRYPTED, UTF8, RAW = 1 << 0, 1 << 11, -15


class Archive:
    """A zip file whose directory was checked: regular files, of unique names and modest sizes."""

    def __init__(self, path: Path, file: IO[bytes], times: int = 1) -> None:
        """Check the directory; folders and what macOS adds are left out."""
        self.path = path
        self._times = times
        self._file = file.fileno()
        self._infos = zipfile.ZipFile(file).infolist()
        self._members = {
            info.filename: info
            for info in self._check_entries()
            if not info.is_dir() and not _junk(info.filename)
        }
        folders = {name.rpartition("/")[0] for name in self._members}
        for folder in folders:
            for each in (folder, *map(str, PurePosixPath(folder).parents)):
                if each in self._members:
                    raise self._error(each, "is a file and a folder in it")

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        info = self._members[name]
        try:
            content = self._content(info)
        except BROKEN as error:
            raise StageError(f"{self.path}/{name}: is damaged ({error}); export again") from None
        if len(content) != info.file_size:
            raise StageError(f"{self.path}/{name}: is not as long as it says; export again")
        return content

    def _content(self, info: zipfile.ZipInfo) -> bytes:
        """Read a file without seeking, for forked processes share the position in the archive."""
        start = os.pread(self._file, LOCAL.size + LONGEST, info.header_offset)
        signature, flags, method, name, extra = LOCAL.unpack_from(start)
        if signature != b"PK\3\4" or start[LOCAL.size :][:name] != info.orig_filename.encode(
            "utf-8" if flags & UTF8 else "cp437"
        ):
            raise zipfile.BadZipFile("its header is of another file")
        if flags & ENCRYPTED:
            raise zipfile.BadZipFile("it is encrypted")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile("its compression method is not read")
        if info.compress_size > os.fstat(self._file).st_size:  # so no buffer is larger
            raise zipfile.BadZipFile("it goes on after the archive's end")
        packed = os.pread(
            self._file, info.compress_size, info.header_offset + LOCAL.size + name + extra
        )
        if method == zipfile.ZIP_DEFLATED:
            packed = zlib.decompressobj(RAW).decompress(packed, info.file_size + 1)
        if zlib.crc32(packed) != info.CRC:
            raise zipfile.BadZipFile("its checksum is wrong")
        return packed

    def _check_entries(self) -> Iterator[zipfile.ZipInfo]:
        infos, seen, total, end = self._infos, set[str](), 0, 0
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
def open_archive(path: Path, times: int = 1) -> Iterator[Archive]:
    """Open a zip file; a StageError says why it cannot be read.

    times: a factor on the limits, for archives that may be larger than an export.
    """
    with sources.check_file(path).open("rb") as file:
        try:
            archive = Archive(path, file, times)
        except BROKEN as error:
            text = f"is not a zip file, or damaged ({error}); export again"
            raise StageError(f"{path}: {text}") from None
        yield archive


def is_zip(path: Path) -> bool:
    """Tell whether a file begins as zip files do."""
    with sources.check_file(path).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


HEADER = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
BIG_END = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
VERSION, NEW_YEAR_1980, UNIX_FILE = 20, (1 << 5) | 1, (3 << 8 | 20, 0o100644 << 16)
NEW_YEAR = (1980, 1, 1, 0, 0, 0)
BIG = 45
"""What a program must know of zip to read an archive of more than 65,534 files."""


def write(path: Path, files: Iterable[tuple[str, bytes, int]]) -> None:
    """Write a zip file of names, contents and their CRC-32.

    The same files give the same bytes: one date and mode for all, and nothing is compressed, for
    what comes out of that depends on the build of zlib. The format is that of PKWARE's
    APPNOTE.TXT, 4.3, with zip64 for the number of files only.
    """
    directory: list[bytes] = []
    with path.open("xb") as file:
        for name, content, crc in files:
            encoded, at = name.encode(), file.tell()
            shared = (
                UTF8 if len(encoded) > len(name) else 0, zipfile.ZIP_STORED, 0, NEW_YEAR_1980,
                crc, len(content), len(content), len(encoded), 0,
            )  # fmt: skip
            system, mode = UNIX_FILE
            entry = ENTRY.pack(b"PK\1\2", system, VERSION, *shared, 0, 0, 0, mode, at)
            directory.append(entry + encoded)
            file.write(HEADER.pack(b"PK\3\4", VERSION, *shared) + encoded + content)
        start, count = file.tell(), len(directory)
        file.write(b"".join(directory))
        size, end = file.tell() - start, file.tell()
        if count >= 0xFFFF:
            file.write(BIG_END.pack(b"PK\6\6", 44, BIG, BIG, 0, 0, count, count, size, start))
            file.write(LOCATOR.pack(b"PK\6\7", 0, end, 1))
        few = min(count, 0xFFFF)
        file.write(END.pack(b"PK\5\6", 0, 0, few, few, size, start, 0))


def is_own(path: Path, suffix: str) -> bool:
    """Tell whether a zip file was made by `write`, of files that all have the suffix."""
    try:
        with zipfile.ZipFile(path) as zipped:
            infos = zipped.infolist()
    except BROKEN:
        return False
    return all(
        info.filename.endswith(suffix)
        and info.compress_type == zipfile.ZIP_STORED
        and info.date_time == NEW_YEAR
        and info.external_attr == UNIX_FILE[1]
        for info in infos
    )


def _check_name(path: Path, info: zipfile.ZipInfo) -> None:
    r"""Refuse a name that leads out of a folder, or that some system takes for another path."""
    name = info.filename
    parts = name.rstrip("/").split("/")
    strange = "\\" in name or not name.isprintable() or len(name) > 500 or name[1:2] == ":"
    if strange or any(p in ("", ".", "..") or p.startswith("-") for p in parts):
        raise StageError(f"{path}/{name[:500]}: is no name of an export's file; export again")


def _junk(name: str) -> bool:
    """Tell whether macOS added the file: __MACOSX/ and names with a leading dot."""
    return any(part == "__MACOSX" or part.startswith(".") for part in name.split("/"))
