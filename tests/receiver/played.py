"""A forge that is played, a receiver that runs as a process, and CVAT's deliveries to it."""

import hashlib
import hmac
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import corpora
from registries import PROJECT
from services.processes import Server

PROGRAM = PROJECT / "images/receiver/receiver"
SECRET = "webhook-secret-1"  # noqa: S105  # what the recordings are signed with
TRIGGER_TOKEN = "glptt-canary-of-the-trigger"  # noqa: S105
BEARER = "github_pat_canary_of_the_token"
WAITS = "a call that was wanted is left"
"""What is said at the end if a delivery still waits for a call."""

RECORDED: list[dict[str, Any]] = json.loads(
    (corpora.OWN / "cvat-server/webhook-deliveries.json").read_text("utf-8")
)["deliveries"]
"""What a real CVAT posted: the body as text, and headers with its signature."""


@dataclass(frozen=True)
class Asked:
    """A request that the forge got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Forge:
    """A forge: what it was asked, and what it answers; `answer` may wait."""

    answer: Callable[[int], int] = lambda _: 201
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def take(self, asked: Asked) -> int:
        """Note a request and return the status to answer."""
        with self.changed:
            self.asked.append(asked)
            number = len(self.asked)
            self.changed.notify_all()
        return self.answer(number)

    def wait(self, count: int) -> None:
        """Wait until it was asked so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, 60)


@contextmanager
def played(forge: Forge, certificate: Path | None = None, port: int = 0) -> Iterator[Forge]:
    """Serve as a forge; certificate: a PEM file with the key, for https."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = forge.take(Asked(self.path, dict(self.headers), body))
            self.send_response(status)
            for name, value in forge.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            forge.take(Asked(self.path, dict(self.headers), b""))

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", port), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        forge.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        yield forge
        server.shutdown()
        thread.join()


def gitlab(forge: Forge) -> dict[str, str]:
    """The settings for a forge that is a GitLab."""
    return {
        "GITLAB_URL": forge.url,
        "GITLAB_PROJECT": "team/registry",
        "GITLAB_REF": "main",
        "GITLAB_TRIGGER_TOKEN": TRIGGER_TOKEN,
    }


def github(forge: Forge) -> dict[str, str]:
    """The settings for a forge that is GitHub."""
    return {
        "GITHUB_API_URL": forge.url,
        "GITHUB_REPOSITORY": "team/registry",
        "GITHUB_REF": "main",
        "GITHUB_TOKEN": BEARER,
    }


class Receiver(Server):
    """A receiver that runs."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """Start it with these settings and nothing else of this environment."""
        env = {"LISTEN": "127.0.0.1:0", "CVAT_WEBHOOK_SECRET": SECRET, **settings}
        folder.mkdir(exist_ok=True)
        super().__init__([sys.executable, PROGRAM], folder, env)
        self.wait(lambda: "listens on " in self.text())
        (self.port,) = map(int, re.findall(r"listens on 127\.0\.0\.1:(\d+);", self.text()))

    def connect(self) -> socket.socket:
        """Connect to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, request: bytes) -> int:
        """Send a request; its status, or 0. Whatever it leads to is wanted when this returns:
        the receiver ends the connection after that."""
        with self.connect() as one:
            one.sendall(request)
            return status(one)

    def post(self, body: bytes, **headers: str) -> int:
        """Deliver a body; headers: with _ for each hyphen; an empty one is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = {
            "Host": "receiver",
            "X-Signature-256": signature(body),
            "Content-Length": str(len(body)),
        } | named
        lines = "".join(f"{name}: {value}\r\n" for name, value in wanted.items() if value)
        return self.send(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body)

    def end(self) -> str:
        """End it as Docker does; what it has said."""
        os.kill(self.pid, signal.SIGTERM)
        assert self.process.wait(60) == 0
        assert "Traceback" not in self.text()
        return self.text()

    def hears_one(self, forge: Forge) -> bool:
        """Deliver one that leads to a call; whether it is the only one that does. Ends it."""
        assert self.post(progress()) == 204
        self.wait(lambda: "it answered 201" in self.text())
        alone = "(deliveries: 1)" in self.text() and len(forge.asked) == 1
        return WAITS not in self.end() and alone


def status(connection: socket.socket) -> int:
    """Read what is answered, to its end; the status, or 0 if there is none."""
    answer = b""
    while more := connection.recv(1 << 16):
        answer += more
    return int(answer.split(b" ", 2)[1]) if answer else 0


def signature(body: bytes, secret: str = SECRET) -> str:
    """What CVAT signs a body with."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def progress(number: int = 0) -> bytes:
    """A body that leads to a call, each number another one."""
    said = {"event": "update:job", "job": {"id": number}, "before_update": {"state": "new"}}
    return json.dumps(said).encode()
