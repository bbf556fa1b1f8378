"""A server that plays CVAT: it answers from recordings, or from tasks that a test makes.

with CvatServer() as server:
    task = server.add_task(3, "bikes day 1", status="completed", deleted=[3], step=2)
    ...                                    # a client asks at server.url, with server.token
    task.save(other_annotations)
    server.disturb("/dataset/download", cut(100), times=1)
    ...
    server.play("a-bridge-first-run")      # from now on what a real CVAT answered
    assert server.asked("POST", "/dataset/export") == 1
    assert server.unexpected == []
"""

import re
import socket
import ssl
import struct
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.cvat_answers import Answer, Fault
from services.cvat_api import Api
from services.cvat_replay import Replay, Request, identity


class Disturbance:
    """A fault for some requests, so many times, or for all."""

    def __init__(self, match: str, fault: Fault, times: int | None, after: int) -> None:
        self.match, self.fault, self.times, self.after = match, fault, times, after

    def applies(self, request: Request) -> bool:
        """Tell whether a request is to be disturbed, and count it."""
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        if not re.search(self.match, f"{request.method} {request.where}?{query}"):
            return False
        self.after -= 1
        if self.after >= 0 or self.times == 0:
            return False
        self.times = self.times and self.times - 1
        return True


class CvatServer(Api):
    """A CVAT on a free port of 127.0.0.1, from when it is made until it is closed.

    url: its address, without a slash at its end
    requests: what was asked, in the order it came
    unexpected: those of them that nothing here answers; they got 599
    """

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        """Start it.

        tls: certificate and key of an https server, as `self_signed` makes them
        """
        self.requests: list[Request] = []
        self.unexpected: list[Request] = []
        self.ended = Event()
        self._lock = RLock()
        self._replay: Replay | None = None
        self._disturbances: list[Disturbance] = []
        self._http = Http(self)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        super().__init__(f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_port}")
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; clients that hang are let go. A second time does nothing."""
        if not self.ended.is_set():
            self.ended.set()
            self._http.shutdown()
            self._http.server_close()

    def play(self, *scenarios: str, polls: int | None = None) -> None:
        """Answer from recordings from now on, by their names or numbers; from tasks, if none.

        What a client says differently from the one that was recorded, such as a filter, is let
        pass: the exchange that is the most alike answers. See cvat_replay for what decides.
        polls: how often at most an answer is repeated that was recorded several times in a row
        """
        self._replay = Replay(scenarios, self.url, polls) if scenarios else None

    def disturb(self, match: str, fault: Fault, times: int | None = None, after: int = 0) -> None:
        """Disturb requests.

        match: a regular expression, searched in "GET /api/tasks/3?page=1", which is decoded
        fault: an answer in place of the true one, or a function of the true one
        times: how many requests; all, if None
        after: how many requests that match are left alone before
        """
        self._disturbances.append(Disturbance(match, fault, times, after))

    def calm(self) -> None:
        """End all disturbances."""
        self._disturbances.clear()

    def asked(self, method: str, match: str) -> int:
        """Count the requests of a method whose decoded path has a regular expression in it."""
        return sum(
            one.method == method and bool(re.search(match, one.where)) for one in self.requests
        )

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request, and keep that it came."""
        with self._lock:
            self.requests.append(request)
            fault = next((one.fault for one in self._disturbances if one.applies(request)), None)
            if isinstance(fault, Answer):
                return fault
            answer = self._answer_undisturbed(request)
            return fault(answer) if fault else answer

    def _answer_undisturbed(self, request: Request) -> Answer:
        if self._replay:
            answer = self._replay.answer(request, self._who(request))
        else:
            answer = self.answer(request)
        if answer is None:
            self.unexpected.append(request)
            said = f"nothing here answers {request.method} {request.where} {request.query}"
            return Answer(599, said.encode(), (("Content-Type", "text/plain"),), "Not Played")
        return answer

    def _who(self, request: Request) -> str:
        """Name who asks, as recordings do."""
        who = identity(request.headers)
        if who == f"Bearer {self.token}":
            return "Bearer {read-only token}" if self.read_only else "Bearer {writing token}"
        return "Bearer {wrong token}" if who.startswith("Bearer ") else who


class Http(ThreadingHTTPServer):
    """The part that knows HTTP."""

    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self, cvat: CvatServer) -> None:
        self.cvat = cvat
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that is gone or does not trust the certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads requests from a connection, and sends the answers."""

    protocol_version = "HTTP/1.1"
    server: Http

    def do_GET(self) -> None:
        """Read a request and answer it."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, parts.path, query, self.headers, content)
        answer = self.server.cvat.respond(request)
        if answer.instead:
            self._fail(answer.instead)
        else:
            self._send(answer)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def _fail(self, how: str) -> None:
        """Let the connection end without an answer."""
        self.close_connection = True
        if how == "hang":
            self.server.cvat.ended.wait()
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _send(self, answer: Answer) -> None:
        claimed = any(name.lower() == "content-length" for name, _ in answer.headers)
        if not claimed:
            answer = answer.having(Content_Length=str(len(answer.body)))
        if claimed or answer.send is not None:
            self.close_connection = True
        self.send_response_only(answer.status, answer.reason or None)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer.body[: answer.send], answer.pause)

    def _send_body(self, content: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(content)
            return
        for number in range(len(content)):
            if self.server.cvat.ended.wait(pause):
                return
            self.wfile.write(content[number : number + 1])

    def log_message(self, *words: object) -> None:
        """Say nothing: tests read `requests`."""


def self_signed(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for an address that nobody has signed; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret.write_bytes(key.private_bytes(*form))
    return certificate, secret
