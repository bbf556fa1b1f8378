"""`add` with a task of CVAT, and backups of tasks as a CVAT that means harm could send them."""

import io
import re
import zipfile

from registries import SAMPLE
from services.cvat_server import CvatServer

MOVIE = SAMPLE / "data/movie2/movie.mp4"
NAME = "bikes day 1.MP4"
"""What the movie of task 3 is called in CVAT."""

ADD = "add lake --cvat-task 3 --split training"

EXPORT = ["POST dataset/export", "GET dataset/download"]
BACKUP = ["POST backup/export", "GET backup/download"]

RIGHT = (f"data/{NAME}", b"a movie")


def asked(cvat: CvatServer) -> list[str]:
    """What CVAT was asked to make, and what was downloaded of it."""
    found = [one for one in cvat.requests if re.search("export$|download$", one.where)]
    return [f"{one.method} {one.where.removeprefix('/api/tasks/3/')}" for one in found]


def pack(*files: tuple[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Make a zip of files, with task.json, as a backup has it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as one:
        for name, content in (*files, ("task.json", b"{}")):
            one.writestr(name, content)
    return made.getvalue()


def claim_sizes(content: bytes, size: int) -> bytes:
    """Let the list of a zip say another size of its first file, packed and unpacked."""
    at = content.index(b"PK\1\2") + 20
    return content[:at] + size.to_bytes(4, "little") * 2 + content[at + 8 :]
