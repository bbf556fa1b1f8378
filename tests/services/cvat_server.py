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
import ssl
import subprocess
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from services.cvat_answers import Answer, Fault
from services.cvat_api import Api
from services.cvat_replay import Replay, Request, identity
from services.cvat_state import Task


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


class CvatServer:
    """A CVAT on a free port of 127.0.0.1, from when it is made until it is closed.

    url: its address, without a slash at its end
    requests: what was asked, in the order it came
    unexpected: those of them that nothing here answers; they got 599
    """

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        """Start it.

        tls: certificate and key of an https server, as `self_signed` makes them
        """
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads, self._http.block_on_close = True, False
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_port}"
        self.api = Api(self.url)
        self.requests: list[Request] = []
        self.unexpected: list[Request] = []
        self.ended = Event()
        self._lock = RLock()
        self._replay: Replay | None = None
        self._disturbances: list[Disturbance] = []
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; clients that hang are let go."""
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def token(self) -> str:
        """The one token that it takes."""
        return self.api.token

    def play(self, *scenarios: str, polls: int | None = None) -> None:
        """Answer from recordings from now on, by their names or numbers; from tasks, if none.

        polls: how often at most an answer is repeated that was recorded several times in a row
        """
        self._replay = Replay(scenarios, self.url, polls) if scenarios else None

    def add_task(self, number: int, name: str = "bikes day 1", **values: Any) -> Task:
        """Add a task; see Api.add_task."""
        with self._lock:
            return self.api.add_task(number, name, **values)

    def remove_task(self, number: int) -> None:
        """Delete a task."""
        del self.api.tasks[number]

    def forbid(self, number: int) -> None:
        """Let the token's user not see a task any more."""
        self.api.tasks[number].forbidden = True

    def drop_cache(self) -> None:
        """Clean up all exported files: what was finished cannot be downloaded any more."""
        with self._lock:
            self.api.drop_cache()

    def hold_exports(self) -> None:
        """Pause the worker: exports stay queued."""
        self.api.held = True

    def release_exports(self) -> None:
        """Let the worker go on."""
        self.api.held = False

    def fail_exports(self, times: int) -> None:
        """Let the next exports fail."""
        self.api.failures = times

    def disturb(self, match: str, fault: Fault, times: int | None = None, after: int = 0) -> None:
        """Disturb requests.

        match: a regular expression, searched in "GET /api/tasks/3?page=1", decoded
        fault: an answer in place of the true one, or a function of the true one
        times: how many requests; all, if None
        after: how many requests that match are left alone before
        """
        self._disturbances.append(Disturbance(match, fault, times, after))

    def calm(self) -> None:
        """End all disturbances."""
        self._disturbances.clear()

    def asked(self, method: str, match: str) -> int:
        """Count the requests of a method whose decoded path matches a regular expression."""
        return sum(
            one.method == method and bool(re.search(match, one.where)) for one in self.requests
        )

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request, and write down that it came."""
        with self._lock:
            self.requests.append(request)
            faults = [one.fault for one in self._disturbances if one.applies(request)]
            if faults and isinstance(faults[0], Answer):
                return faults[0]
            answer = self._true(request)
            return faults[0](answer) if faults and not isinstance(faults[0], Answer) else answer

    def _true(self, request: Request) -> Answer:
        if self._replay:
            answer = self._replay.answer(request, self._who(request))
        else:
            answer = self.api.answer(request)
        if answer is None:
            self.unexpected.append(request)
            said = f"nothing here answers {request.method} {request.where} {request.query}"
            return Answer(599, said.encode(), (("Content-Type", "text/plain"),), "Not Played")
        return answer

    def _who(self, request: Request) -> str:
        """Name who asks, as recordings do."""
        who = identity(request.headers)
        if who == f"Bearer {self.token}":
            return "Bearer {read-only token}" if self.api.read_only else "Bearer {writing token}"
        return "Bearer {wrong token}" if who.startswith("Bearer ") else who


def _handler(server: CvatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(OSError):  # the client is gone, or does not trust the certificate
                super().handle()

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                self.headers,
                self.rfile.read(length),
            )
            self.send(server.respond(request))

        def send(self, answer: Answer) -> None:
            if answer.hang:
                server.ended.wait()
            if answer.hang or answer.send == -1:
                self.close_connection = True
                return
            named = {name.lower() for name, _ in answer.headers}
            if "content-length" not in named:
                answer = answer.having(Content_Length=str(len(answer.body)))
            self.send_response_only(answer.status, answer.reason or None)
            if answer.send is not None or "content-length" in named:
                answer = replace(answer.having(Connection="close"))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.send])
            self.wfile.flush()

        def log_message(self, *words: object) -> None:
            """Say nothing: tests read `requests`."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


def self_signed(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for an address that nobody has signed; return it and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{name}"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key
