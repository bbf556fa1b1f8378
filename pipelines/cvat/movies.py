"""The movie of a task, out of the backup that CVAT makes of the task.

CVAT gives an uploaded file in no other way. What it does was read in the source of CVAT and of
cvat-sdk (`Task.download_backup`); no backup of a movie was recorded.
"""

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from pipelines import messages
from pipelines.cvat import backups, exports
from pipelines.cvat.exports import Failed, Patience
from pipelines.cvat.http import Refused, Server, TooLarge
from pipelines.errors import PipelineError, Transient

LARGEST = 64_000_000_000
"""Bytes of a backup."""

TRIES = 2
"""How often a backup is asked for: its file may be gone before it is downloaded."""

REMEDY = "give the movie by --movie FILE"

STEP = 100_000_000
"""Bytes after which it is said how many came; a twentieth of them all, if that is more."""


def download_movie(
    server: Server, number: int, name: str, target: Path, patience: Patience
) -> None:
    """Write the movie of a task to where nothing is yet; a PipelineError says why it is not had.

    name: what CVAT calls the movie. The backup is in a file without a name, in the folder of
    target: whatever ends this process, it is gone.
    """
    with tempfile.TemporaryFile(dir=target.parent) as file:
        _download_backup(server, number, file, _find_room(target.parent), patience)
        try:
            backups.unpack_movie(file, name, target)
        except PipelineError as error:
            raise PipelineError(f"its backup {error}; {REMEDY}") from None


def _find_room(folder: Path) -> int:
    """Return how many bytes a backup may have: beside it, there must be room for the movie."""
    return min(LARGEST, shutil.disk_usage(folder).free // 2)


def _download_backup(
    server: Server, number: int, file: BinaryIO, room: int, patience: Patience
) -> None:
    try:
        for _ in range(TRIES):
            patience.renew()
            if _try_download(server, number, file, room, patience):
                return
    except Refused as error:
        raise _explain(error) from None
    except Failed:
        text = "CVAT could not make its backup; CVAT's page Requests says why"
        raise PipelineError(f"{text}, or {REMEDY}") from None
    except TooLarge:
        text = f"its backup has more than {room} bytes, and that is the room here for it"
        raise PipelineError(f"{text}; make more, or {REMEDY}") from None
    raise Transient("its backup was gone before it could be downloaded")


def _try_download(
    server: Server, number: int, file: BinaryIO, room: int, patience: Patience
) -> bool:
    """Ask for a backup and download it; tell whether it was still there.

    `lightweight=false`: CVAT is to put the movie in, wherever it keeps it.
    """
    query = {"location": "local", "lightweight": "false"}
    target = server.join(f"/api/tasks/{number}/backup/export", query)
    messages.tell(f"task {number}: wait for its backup, which has the movie")
    where = exports.wait_for(server, exports.ask_for(server, target), patience)
    if where is None:
        return False
    try:
        server.download(where, file, room, Progress(f"task {number}: its backup").watch)
    except Refused as error:
        if error.status == 404:
            return False
        raise
    return True


def _explain(error: Refused) -> PipelineError:
    """Say in words of people why CVAT makes no backup of a task that it shows."""
    known = {403: "the token may not back it up", 404: "CVAT makes no backup of it"}
    return PipelineError(f"{known.get(error.status) or error}; {REMEDY}")


class Progress:
    """Says how many bytes of a file came, now and then."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._last = self._next = 0

    def watch(self, count: int, told: int) -> None:
        """Say it if that is due. told: of all; 0 if that is not known."""
        if count < self._last:  # it comes from its beginning again
            self._next = 0
        self._last = count
        if count >= self._next:
            whole = f" of {told / 1e6:.1f}" if told else ""
            messages.tell_passing(f"{self.what}: {count / 1e6:.1f}{whole} MB")
            self._next = min(count + max(STEP, told // 20), max(told, count + 1))
