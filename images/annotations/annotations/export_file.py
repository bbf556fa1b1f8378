"""A file that CVAT exported, before anybody knows its format, and what of it is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

from stage.archive import Archive


@dataclass(frozen=True)
class Choice:
    """What to take of an export: the task, by id or name, and the subset, of a project.

    expected: the id of the only task that the export may be of. interpolate: whether an export
    with keyframes only is completed.
    """

    task: str = ""
    subset: str = ""
    expected: str = ""
    interpolate: bool = False


ANY = Choice()


@dataclass(frozen=True)
class ExportFile:
    """An export that is open: a zip file, or one bare file.

    file: the file itself. archive: its content if it is a zip file, else None.
    """

    path: Path
    file: IO[bytes]
    archive: Archive | None = None
    _members: dict[str, IO[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """The names of the files in the archive, sorted; none if it is a bare file."""
        return self.archive.names if self.archive else ()

    @property
    def xml_names(self) -> list[str]:
        """Those of XML files."""
        return [name for name in self.names if name.lower().endswith(".xml")]

    def place(self, name: str) -> str:
        """Return what errors call a file of the archive, or the bare file, whose name is ""."""
        return f"{self.path}/{name}" if name else str(self.path)

    def open(self, name: str) -> IO[bytes]:
        """Return a file of the archive, or the bare file for "", from its beginning.

        It is unpacked once, for several formats may look at it.
        """
        if self.archive is None:
            stream = self.file
        elif name in self._members:
            stream = self._members[name]
        else:
            stream = self._members[name] = BytesIO(self.archive.read(name))
        stream.seek(0)
        return stream
