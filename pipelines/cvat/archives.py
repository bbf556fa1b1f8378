"""The zip of an export, which has one file: read with care, and written the same each time."""

import io
import lzma
import struct
import zipfile
import zlib

from pipelines.errors import PipelineError

ENTRY = "annotations.xml"

KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

DAMAGED = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the library raises on a zip that is damaged, encrypted or made to harm."""

OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time of what is in a zip, which must not tell when it was written."""


def read_entry(content: bytes, limit: int) -> bytes:
    """Return the one file in a zip. limit: the most bytes that it may have, unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = [each.filename for each in entries]
            if names != [ENTRY]:
                shown = ascii(names[0])[:80] if names else "nothing"
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise PipelineError(f"the export has {shown}{more}, not {ENTRY} alone")
            if entries[0].compress_type not in KINDS:
                raise PipelineError(f"the export's {ENTRY} is packed in an unusual way")
            with archive.open(entries[0]) as file:
                found = file.read(limit + 1)
                complete = not file.read(1)  # at the end, what was read is checked
    except DAMAGED as error:
        text = f"the export is no whole zip ({type(error).__name__})"
        raise PipelineError(f"{text}; run again") from None
    if len(found) > limit or not complete:
        raise PipelineError(f"the export has more than {limit} bytes; raise publish.max-size")
    return found


def write_zip(content: bytes) -> bytes:
    """Return a zip with one file, not packed: the same bytes for the same content."""
    made = io.BytesIO()
    entry = zipfile.ZipInfo(ENTRY, OLDEST)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, content)
    return made.getvalue()
