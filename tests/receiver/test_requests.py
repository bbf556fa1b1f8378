"""What the receiver answers to good, odd and hostile clients; none of them ends it."""

import threading
from collections.abc import Callable

import pytest

from receiver.played import WAITS, Forge, Receiver, progress, signature, status
from webhook_server import CONNECTIONS, LARGEST

Start = Callable[..., Receiver]


def head(method: str = "POST", path: str = "/", **headers: str) -> bytes:
    """The head of a request."""
    lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: receiver\r\n{lines}\r\n".encode()


SIGNED = {"X_Signature_256": signature(progress())}
LENGTH = {"Content_Length": str(len(progress()))}


@pytest.mark.parametrize(
    ("request_bytes", "answered"),
    [
        (head("GET", "/health"), 204),
        (head("GET", "/"), 405),
        (head("GET", "/other"), 404),
        (head("GET", "/health?x"), 404),
        (head("PUT", "/", **SIGNED, **LENGTH) + progress(), 501),
        (head("POST", "/health", **SIGNED, **LENGTH) + progress(), 405),
        (head("POST", "/hook", **SIGNED, **LENGTH) + progress(), 404),
        (head("POST", "/?x=1", **SIGNED, **LENGTH) + progress(), 404),
        (head("POST", "http://127.0.0.1/", **SIGNED, **LENGTH) + progress(), 404),
        (head(**SIGNED), 411),
        (head(**SIGNED, Transfer_Encoding="chunked") + b"0\r\n\r\n", 411),
        (head(**SIGNED, **LENGTH, Transfer_Encoding="chunked") + b"0\r\n\r\n", 411),
        (head(**SIGNED, Content_Length="-1"), 400),
        (head(**SIGNED, Content_Length="+5"), 400),
        (head(**SIGNED, Content_Length="1_0"), 400),
        (head(**SIGNED, Content_Length="0x10"), 400),
        (head(**SIGNED, Content_Length="9" * 5000), 400),
        (head(**SIGNED, Content_Length=str(LARGEST + 1)), 413),
        (head(**SIGNED, Content_Length="9" * 19), 413),
        (b"\r\n", 0),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /\r\n\r\n", 400),
        (b"POST / HTTP/9.9\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    ],
    ids=range(26),
)
def test_requests_are_answered_and_the_next_one_too(
    start: Start, forge: Forge, request_bytes: bytes, answered: int
) -> None:
    one = start()

    assert one.send(request_bytes) == answered
    assert one.hears_one(forge)


def test_a_second_length_is_refused(start: Start) -> None:
    line = b"Content-Length: 0\r\n\r\n"

    assert start().send(head(**SIGNED, **LENGTH)[:-2] + line + progress()) == 400


def padded(size: int) -> bytes:
    """A body that leads to a call, of so many bytes."""
    return progress()[:-1] + b" " * (size - len(progress())) + b"}"


def test_the_largest_body_is_taken_and_one_byte_more_is_not(start: Start, forge: Forge) -> None:
    one = start()

    assert one.post(padded(LARGEST + 1)) == 413
    assert one.post(padded(LARGEST)) == 204
    one.wait(lambda: "(deliveries: 1)" in one.text())
    assert WAITS not in one.end()


def test_a_large_body_is_refused_before_it_comes(start: Start) -> None:
    """The answer is there while nothing but the head was sent."""
    with start().connect() as client:
        client.sendall(head(**SIGNED, Content_Length=str(1 << 40)))

        assert b" 413 " in client.recv(1 << 16)


def test_a_body_that_ends_too_early_is_refused(start: Start, forge: Forge) -> None:
    one = start()
    with one.connect() as client:
        client.sendall(head(**SIGNED, **LENGTH) + progress()[:-1])
        client.shutdown(1)

        assert status(client) == 400
    assert one.hears_one(forge)


def test_who_sends_slowly_is_answered_by_a_timeout_however_often_a_byte_comes(
    start: Start,
) -> None:
    """A limit of silence alone would not end it."""
    one = start()
    with one.connect() as client:
        client.sendall(head(**SIGNED, Content_Length=str(LARGEST)))
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.2):
                try:
                    client.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        answered = status(client)
        over.set()
        thread.join()

    assert answered == 408


def test_slow_clients_do_not_keep_others_away(start: Start, forge: Forge) -> None:
    one = start()
    slow = [one.connect() for _ in range(CONNECTIONS + 5)]
    for client in slow:
        client.sendall(b"POST / HTTP/1.1\r\nX: ")

    assert one.hears_one(forge)
    for client in slow:
        client.close()


def test_clients_that_go_away_at_once_do_no_harm(start: Start, forge: Forge) -> None:
    one = start()
    for request in (b"", b"POST", head(**SIGNED, **LENGTH), head(**SIGNED, **LENGTH) + b"x"):
        one.connect().close()
        with one.connect() as client:
            client.sendall(request)

    assert one.hears_one(forge)


def test_the_log_is_not_filled_from_outside(start: Start) -> None:
    one = start()
    for number in range(50):
        assert one.post(progress(number), X_Signature_256="x") == 403
        assert one.send(head("GET", f"/\x1b[31m{number}")) == 404
    said = one.end().splitlines()

    assert [line for line in said if "refused a request: 403" in line] == said[1:2]
    assert [line for line in said if "refused a request: 404" in line] == said[2:3]
    assert len(said) == 4
    assert "\x1b" not in "".join(said)
