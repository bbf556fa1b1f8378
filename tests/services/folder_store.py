"""A folder as a remote for DVC, with what tests ask of a container: quick, and with no server."""

from dataclasses import dataclass
from pathlib import Path

from services.azurite import Blob


@dataclass(frozen=True)
class FolderStore:
    """A folder that keeps objects, seen as its owner sees it.

    name: of the registry on its git server.
    """

    name: str
    folder: Path

    @property
    def url(self) -> str:
        """The address that DVC is to use."""
        return str(self.folder / "dvc")

    def blobs(self) -> list[Blob]:
        """List all objects, by name."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(
            Blob(path.relative_to(self.folder).as_posix(), path.stat().st_size) for path in files
        )

    def read(self, name: str) -> bytes:
        """Read an object."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def delete(self, name: str) -> None:
        """Delete an object."""
        (self.folder / name).unlink()
