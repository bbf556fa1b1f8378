"""Hostile zip files, each made when it is asked for: some take long to compress."""

import functools
import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable

from hostile import exports
from hostile.exports import CANARY_PATH, picture, thing

DATE = (2020, 1, 1, 0, 0, 0)
DOS_DATE = 0x5021
"""The same day, as a zip file has it."""

UTF8_NAMES = 0x800
"""The flag of an entry whose name is said to be UTF-8."""

NAME = "annotations.xml"
GOOD = exports.GOOD.encode()
BUS = exports.labelled("Bus").encode()
VOC = picture().encode()
VOC_BUS = picture(objects=thing("Bus")).encode()

Entry = tuple[str, bytes] | tuple[str, bytes, int]
"""Name, content and mode of a file in an archive; a plain file, if no mode is given."""


def archive(*entries: Entry, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these files, with modes as Unix has them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there already
        for name, data, *modes in entries:
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = (modes[0] if modes else stat.S_IFREG | 0o644) << 16
            info.compress_type = method
            info.create_system = 3
            zipped.writestr(info, data)
    return content.getvalue()


def padded(size: int) -> bytes:
    """An XML document with so many blanks in it."""
    return b"<annotations>" + b" " * size + b"</annotations>\n"


def deflated(data: bytes) -> bytes:
    """Data as zip files have it, compressed as well as can be."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def by_hand(
    name: bytes,
    packed: bytes,
    crc: int,
    size: int,
    *,
    flags: int = 0,
    method: int = zipfile.ZIP_DEFLATED,
    times: int = 1,
) -> bytes:
    """An archive as no program writes it.

    packed: the one file in it, compressed by the method
    size: of what it is said to unpack to
    times: how often it is in the list of files
    """
    fields = (flags, method, 0, DOS_DATE, crc, len(packed), size, len(name), 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *fields) + name
    rest = (0, 0, 0, (stat.S_IFREG | 0o644) << 16, 0)
    listed = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0x314, 20, *fields, *rest) + name
    body = local + packed
    end = (b"PK\5\6", 0, 0, times, times, len(listed) * times, len(body), 0)
    return body + listed * times + struct.pack("<4sHHHHIIH", *end)


@functools.cache
def good() -> bytes:
    """An archive that is fine."""
    return archive((NAME, GOOD))


@functools.cache
def flat_bomb() -> bytes:
    """45 kB that unpack to 45 MB of XML."""
    return archive((NAME, padded(45 << 20)))


def overlapping_bomb() -> bytes:
    """30 kB, 400 files of 10 MB each: all are the same bytes of the archive."""
    data = padded((10 << 20) - 30)
    return by_hand(NAME.encode(), deflated(data), zlib.crc32(data), len(data), times=400)


def lying(size: int) -> bytes:
    """5 MB that are said to be of another size."""
    data = padded(5 << 20)
    return by_hand(NAME.encode(), deflated(data), zlib.crc32(data), size)


def damaged() -> bytes:
    """A good archive, one byte of whose data is another."""
    content = bytearray(good())
    content[content.index(NAME.encode()) + len(NAME) + 40] ^= 0x55
    return bytes(content)


def encrypted() -> bytes:
    """A good archive that says that it is encrypted."""
    content = bytearray(good())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def unknown_method() -> bytes:
    """A good archive that says that it is compressed by a method that nobody has."""
    content, method = bytearray(good()), struct.pack("<H", 97)
    content[8:10] = method
    listed = content.index(b"PK\1\2") + 10
    content[listed : listed + 2] = method
    return bytes(content)


def wrong_name() -> bytes:
    """A name that is said to be UTF-8, and is not."""
    return by_hand(
        b"Annotations/caf\xe9_\xff.xml", GOOD, zlib.crc32(GOOD), len(GOOD), flags=UTF8_NAMES,
        method=zipfile.ZIP_STORED,
    )  # fmt: skip


SLIPS = (
    *("../../../../../../tmp/pwned_slip.xml", "/tmp/pwned_abs.xml", "..\\..\\pwned_bs.xml"),  # noqa: S108
    *("a/../../pwned_mid.xml", "C:\\pwned.xml"),
)
ODD_NAMES = (
    *("-rf.xml", "a\nb.xml", "\x1b[2J.xml", " .xml", "x" * 5000 + ".xml", ".git/config.xml"),
    *(".dvc/config.xml", "con.xml", "a\u202elmx.exe.xml", "$(touch pwned).xml"),
    "a;touch pwned;.xml",
)
FRAME = "Annotations/frame_000000.xml"

FILES: dict[str, Callable[[], bytes]] = {
    "z00_good.zip": good,
    "z01_zip_slip.zip": lambda: archive((NAME, GOOD), *((name, GOOD) for name in SLIPS)),
    "z02_symlink_file.zip": lambda: archive((NAME, CANARY_PATH.encode(), stat.S_IFLNK | 0o777)),
    "z03_symlink_dir_then_write.zip": lambda: archive(
        ("link", b"/tmp", stat.S_IFLNK | 0o777),
        ("link/pwned_through_link.xml", GOOD),
        (NAME, GOOD),
    ),
    "z04_device_and_setuid.zip": lambda: archive(
        ("fifo.xml", b"", stat.S_IFIFO | 0o644),
        ("dev.xml", b"", stat.S_IFBLK | 0o644),
        (NAME, GOOD, stat.S_IFREG | stat.S_ISUID | 0o755),
    ),
    "z10_bomb_flat.zip": flat_bomb,
    "z11_bomb_overlap.zip": overlapping_bomb,
    "z12_bomb_nested.zip": lambda: archive(("0.zip", flat_bomb())),
    "z13_billion_laughs_inside.zip": lambda: archive(
        (NAME, exports.FILES["x05_billion_laughs.xml"])
    ),
    "z14_many_entries.zip": lambda: archive(
        *((f"Annotations/{number}.xml", b"") for number in range(3000)), method=zipfile.ZIP_STORED
    ),
    "z15_size_lie_small.zip": lambda: lying(100),
    "z16_size_lie_huge.zip": lambda: lying(2**32 - 2),
    "z20_empty.zip": lambda: b"",
    "z21_text.zip": lambda: b"not a zip\n",
    "z22_truncated.zip": lambda: good()[: len(good()) // 2],
    "z23_bad_crc.zip": damaged,
    "z24_git_lfs_pointer.zip": exports.LFS_POINTER.encode,
    "z25_encrypted_flag.zip": encrypted,
    "z26_unknown_method.zip": unknown_method,
    "z27_empty_archive.zip": lambda: b"PK\5\6" + bytes(18),
    "z28_prefix_junk.zip": lambda: b"#!/bin/sh\nexit 1\n" + good(),
    "z29_gzip_named.zip": lambda: b"\x1f\x8b\x08" + bytes(6) + b"\xff" + zlib.compress(GOOD)[2:-4],
    "z30_no_xml.zip": lambda: archive(("images/frame_000000.PNG", b"\x89PNG\r\n\x1a\n")),
    "z31_duplicate_names.zip": lambda: archive((NAME, GOOD), (NAME, BUS)),
    "z32_two_cvat_xml.zip": lambda: archive((f"a/{NAME}", GOOD), (f"b/{NAME}", BUS)),
    "z33_case_collision.zip": lambda: archive(
        (FRAME, VOC), ("annotations/Frame_000000.XML", VOC_BUS)
    ),
    "z34_file_and_dir_same_name.zip": lambda: archive(("Annotations", b"x"), (FRAME, VOC)),
    "z35_hostile_names.zip": lambda: archive(*((name, GOOD) for name in ODD_NAMES)),
    "z36_non_utf8_name.zip": wrong_name,
    "z37_nfc_nfd_names.zip": lambda: archive(
        ("Annotations/caf\u00e9.xml", VOC), ("Annotations/cafe\u0301.xml", VOC)
    ),
    "z38_voc_duplicate_ids.zip": lambda: archive(
        ("Annotations/s1/frame_000000.xml", VOC), ("Annotations/s2/frame_000000.xml", VOC_BUS)
    ),
    "z39_voc_filename_mismatch.zip": lambda: archive((FRAME, picture("frame_000007.PNG").encode())),
    "z40_voc_traversal_inside.zip": lambda: archive(
        (FRAME, picture(f"../../../..{CANARY_PATH}").encode())
    ),
    "z41_macos_junk_good.zip": lambda: archive(
        (FRAME, VOC),
        ("__MACOSX/Annotations/._frame_000000.xml", b"\0\5\x16\7\0\2\0\0Mac OS X"),
        ("Annotations/.DS_Store", b"\0"),
    ),
}
"""Name -> what makes the content. What each is to be answered with stands in `expected`."""
