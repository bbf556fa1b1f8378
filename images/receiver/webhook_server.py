"""The server that CVAT posts to. It believes nobody: every request is short, small and signed."""

import io
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

import deliveries
from log_lines import say

LARGEST = 1 << 20
"""Bytes of a body."""

MOST = LARGEST + (1 << 16)
"""Bytes of a request with its head."""

SECONDS = 5
"""How long a request may take to come, to its last byte. CVAT waits 10 s for the answer."""

CONNECTIONS = 16
"""How many requests are read at a time; others wait until one of them is answered."""

QUIET_SECONDS = 60
"""For how long a reason of refusals is not said again: nobody fills the log from outside."""


class RefusedError(Exception):
    """A request that is answered by a status of 400 or more."""

    def __init__(self, status: HTTPStatus) -> None:
        """Keep the status."""
        super().__init__(status)
        self.status = status


class Stream(io.RawIOBase):
    """What a client sends: SECONDS long and MOST bytes at most, however slowly it comes."""

    def __init__(self, connection: socket.socket) -> None:
        """Begin to count the time."""
        self._connection, self._left = connection, MOST
        self._end = time.monotonic() + SECONDS

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes, none after MOST; TimeoutError says that the time is over."""
        if not self._left:
            return 0
        self._connection.settimeout(max(self._end - time.monotonic(), 0.001))
        count = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count


class Handler(BaseHTTPRequestHandler):
    """One request, and then the connection ends."""

    server: "Server"
    default_request_version = "HTTP/1.0"  # to older clients, http.server sends no status

    def setup(self) -> None:
        """Read by a stream that has an end."""
        super().setup()
        self.rfile = io.BufferedReader(Stream(self.connection))

    def do_GET(self) -> None:
        """Say that the server is there."""
        if self.path == "/health":
            self._answer(HTTPStatus.NO_CONTENT)
        else:
            known = self.path == "/"
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Take a delivery: answer at once, then see whether it leads to a call."""
        try:
            body = self._signed_body()
        except RefusedError as refused:
            self._refuse(refused.status)
        except TimeoutError:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            try:
                self._answer(HTTPStatus.NO_CONTENT)
            finally:
                self.server.hear(body)

    def _signed_body(self) -> bytes:
        """Return the body if it is CVAT's; it is read only if its head lets it be."""
        length = self._length()
        signature = self.headers.get_all("X-Signature-256", [])
        if len(signature) != 1 or not deliveries.SIGNATURE.fullmatch(signature[0]):
            raise RefusedError(HTTPStatus.FORBIDDEN)
        body = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(HTTPStatus.BAD_REQUEST)
        if not deliveries.is_signed(body, signature[0], self.server.secret):
            raise RefusedError(HTTPStatus.FORBIDDEN)
        return body

    def _length(self) -> int:
        """Return how long the body is, which the head must say."""
        if self.path != "/":
            known = self.path == "/health"
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED)
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,19}", lengths[0]):
            raise RefusedError(HTTPStatus.BAD_REQUEST)
        if int(lengths[0]) > LARGEST:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return int(lengths[0])

    def send_error(self, code: int, *_: object) -> None:
        """Answer what http.server refuses: it would send the request's own words back."""
        self._refuse(HTTPStatus(code))

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer, then let the client read that: bytes that nobody reads would reset it."""
        self.server.note(status)
        with suppress(OSError):
            self._answer(status)
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(1 << 16):
                pass

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response_only(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers requests, some at a time, each in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], secret: bytes, *, saved: bool, want: Callable[[], None]
    ) -> None:
        """Listen; `serve_forever` answers. want: is called for what leads to a call."""
        super().__init__(address, Handler)
        self.secret, self._saved, self._want = secret, saved, want
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._noted: dict[HTTPStatus, float] = {}

    def hear(self, body: bytes) -> None:
        """Take CVAT's body to be what it is; it is answered already."""
        if deliveries.leads_to_call(body, saved=self._saved):
            self._want()

    def note(self, status: HTTPStatus) -> None:
        """Say that a request was refused, unless that was said just now."""
        now = time.monotonic()
        if now - self._noted.get(status, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._noted[status] = now
            hint = "; is the secret CVAT's?" if status == HTTPStatus.FORBIDDEN else ""
            text = f"refused a request: {status.value} {status.phrase}{hint}"
            say(f"{text} (others like it are not said for {QUIET_SECONDS} s)")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, as soon as there is room for it."""
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, *_: object) -> None:
        """Go on: a client that went away is no reason to end."""
        self.note(HTTPStatus.BAD_REQUEST)
