"""What a server answers: recorded by a real CVAT, or a fault that a test asks for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from corpora import OWN

FOLDER = OWN / "cvat-server"
JSON = "application/vnd.cvat+json"


@dataclass(frozen=True)
class Answer:
    """A response.

    send: how many bytes of the body are sent before the connection is closed; None sends all
    hang: nothing is sent, and the connection stays open until the server ends
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    send: int | None = None
    hang: bool = False

    def having(self, **headers: str) -> "Answer":
        """Return the answer with headers set; `Content_Type="..."` sets Content-Type."""
        new = {name.replace("_", "-"): value for name, value in headers.items()}
        names = {name.lower() for name in new}
        kept = [(name, value) for name, value in self.headers if name.lower() not in names]
        return replace(self, headers=(*kept, *new.items()))

    def holding(self, value: Any) -> "Answer":
        """Return the answer with another value as JSON."""
        return replace(self, body=as_json(value))


Fault = Answer | Callable[[Answer], Answer]
"""An answer in place of the true one, or what is done to the true one."""

HANG = Answer(200, hang=True)
CLOSE = Answer(200, send=-1)
"""The connection is closed before a byte is sent."""


def refuse(status: int, value: Any = None, **headers: str) -> Answer:
    """Answer with a status, and a JSON value as the body."""
    body = {"detail": HTTPStatus(status).phrase} if value is None else value
    return Answer(status, as_json(body)).having(Content_Type=JSON, **headers)


def html(status: int = 200, text: str = "<html><body>Bad gateway</body></html>") -> Answer:
    """Answer with a page, as a proxy does whose server is away."""
    return Answer(status, text.encode()).having(Content_Type="text/html; charset=utf-8")


def redirect(url: str, status: int = 302) -> Answer:
    """Send the client elsewhere."""
    return Answer(status).having(Location=url)


def cut(count: int) -> Callable[[Answer], Answer]:
    """Send the first bytes of the true body, say in Content-Length that all come, and close."""
    return lambda answer: replace(answer, send=count)


def claim(length: int) -> Callable[[Answer], Answer]:
    """Send the whole true body with a wrong Content-Length."""
    return lambda answer: answer.having(Content_Length=str(length))


def body(content: bytes) -> Callable[[Answer], Answer]:
    """Send the true headers and another body."""
    return lambda answer: replace(answer, body=content)


def change(**values: Any) -> Callable[[Answer], Answer]:
    """Change top-level values of the true JSON body."""
    return lambda answer: answer.holding({**json.loads(answer.body), **values})


def as_json(value: Any) -> bytes:
    """Write JSON as CVAT does: no blanks, no escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@cache
def scenario(name: str) -> dict[str, Any]:
    """Read a recording by its name, without .json, or by the part of it before the first `-`."""
    [path] = [*FOLDER.glob(f"{name}.json"), *FOLDER.glob(f"{name}-*.json")]
    read = json.loads(path.read_text())
    assert isinstance(read, dict)
    return read


def names() -> list[str]:
    """The names of all recordings of exchanges, sorted."""
    found = sorted(path.stem for path in FOLDER.glob("*.json"))
    return [name for name in found if "exchanges" in scenario(name)]


def recorded(name: str, number: int, url: str) -> Answer:
    """Return the answer of a recorded exchange, with the server's address in place of the true."""
    exchange = scenario(name)["exchanges"][number]
    return answer_of(exchange["response"], scenario(name)["base"], url)


def answer_of(response: Mapping[str, Any], base: str, url: str) -> Answer:
    """Make a recorded response an answer; its Content-Length is computed where it is sent."""
    if "file" in response:
        content = (FOLDER / response["file"]).read_bytes()
    elif "json" in response:
        content = as_json(response["json"]).replace(base.encode(), url.encode())
    else:
        content = response.get("text", "").encode().replace(base.encode(), url.encode())
    headers = [
        (name, value)
        for name, values in response["headers"].items()
        if name != "Content-Length"
        for value in (values if isinstance(values, list) else [values])
    ]
    return Answer(response["status"], content, tuple(headers), response["reason"])


def value_of(name: str, number: int, url: str) -> Any:
    """Return the JSON of a recorded answer, to be changed at will."""
    return json.loads(recorded(name, number, url).body)


def export_of(path: str) -> Path:
    """Return where a recorded export is, by its name in files/."""
    return FOLDER / "files" / path
