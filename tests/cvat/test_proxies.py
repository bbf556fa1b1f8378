"""CVAT behind a company's proxy: asked through a tunnel, in which the proxy reads nothing."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.cvat.http import Server
from pipelines.cvat.settings import Cvat
from pipelines.errors import PipelineError, Transient
from services.cvat_server import CvatServer, self_signed


@contextmanager
def proxy(status: str = "200 OK") -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a proxy that makes tunnels, and all bytes that it is sent."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, status, seen), daemon=True).start()
        yield listener.getsockname()[1], seen
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, status: str, seen: list[bytes]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_tunnel, args=(client, status, seen), daemon=True).start()


def _tunnel(client: socket.socket, status: str, seen: list[bytes]) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    seen.append(head)
    client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
    if not status.startswith("200"):
        client.close()
        return
    host, _, port = head.split()[1].decode().rpartition(":")
    with client, socket.create_connection((host, int(port))) as server:
        threading.Thread(target=_copy, args=(server, client, []), daemon=True).start()
        _copy(client, server, seen)


def _copy(source: socket.socket, target: socket.socket, seen: list[bytes]) -> None:
    try:
        while block := source.recv(65536):
            seen.append(block)
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other end has gone


@pytest.fixture
def cvat(tmp_path: Path) -> Iterator[tuple[CvatServer, str]]:
    """A CVAT with https, and its certificate."""
    certificate, key = self_signed(tmp_path)
    with CvatServer(tls=(certificate, key)) as server:
        yield server, certificate.read_text()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def ask(cvat: tuple[CvatServer, str]) -> str:
    """Ask who we are."""
    server, certificate = cvat
    client = Server(Cvat(server.url), server.token, certificate)
    return str(client.read_json("/api/users/self")["username"])


def test_the_proxy_makes_a_tunnel_and_sees_no_token(
    cvat: tuple[CvatServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (port, seen):
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:pass@127.0.0.1:{port}")
        assert ask(cvat) == cvat[0].user

    host = cvat[0].url.removeprefix("https://")
    assert seen[0].startswith(f"CONNECT {host} HTTP/1.".encode())
    assert base64.b64encode(b"us@er:pass") in seen[0]
    assert cvat[0].token.encode() not in b"".join(seen)
    assert len(cvat[0].requests) == 1


def test_no_proxy_is_asked_for_a_host_that_is_excepted(
    cvat: tuple[CvatServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (port, seen):
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
        assert ask(cvat) == cvat[0].user

    assert seen == []


def test_a_proxy_that_refuses_is_for_later(
    cvat: tuple[CvatServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.cvat.http.WAITS", ())
    with proxy("407 Proxy Authentication Required") as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(Transient, match=r"the proxy of HTTPS_PROXY answers with 407") as caught:
            ask(cvat)

    assert cvat[0].token not in str(caught.value)


@pytest.mark.parametrize("address", ["socks5://proxy:1", "http://", "http://proxy:x"])
def test_what_is_no_proxy_is_named(
    cvat: tuple[CvatServer, str], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)

    with pytest.raises(PipelineError, match=r"^HTTPS_PROXY: is no address of a proxy"):
        ask(cvat)
