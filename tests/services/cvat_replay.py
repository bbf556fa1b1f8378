"""Answers requests from recordings, each question in its recorded order."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, NamedTuple
from urllib.parse import unquote

from services.cvat_answers import Answer, answer_of, scenario

DECISIVE = ("format", "rq_id", "task_id", "action", "page")
"""Parts of a query that must be the recorded ones; the others only decide between candidates."""

ABOUT = "/api/server/about"


class Request(NamedTuple):
    """What a client asked; its path is as it came, percent-encoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes = b""

    @property
    def where(self) -> str:
        """The path, decoded: a request's number has `=` and `&` in it."""
        return unquote(self.path)


@dataclass
class Exchange:
    """A recorded question and its answer, which is given so many times more."""

    request: Mapping[str, Any]
    answer: Answer
    left: int

    @property
    def who(self) -> str:
        return identity(self.request["headers"])

    def fits(self, request: Request, who: str) -> bool:
        """Tell whether the question is this one, in all that decides."""
        path = unquote(self.request["path"])
        if (self.request["method"], path) != (request.method, request.where):
            return False
        if self.who != who and path != ABOUT:
            return False
        mine, theirs = self.request.get("query", {}), request.query
        if any(mine.get(name, "1") != theirs.get(name, "1") for name in DECISIVE):
            return False
        return same_body(self.request.get("json"), request.body)

    def likeness(self, request: Request) -> tuple[int, int]:
        """How much of what does not decide is the same, too: the query, the organization."""
        mine, theirs = self.request.get("query", {}), request.query
        same = sum(mine.get(name) == value for name, value in theirs.items())
        slug = self.request["headers"].get("X-Organization")
        return same - len(mine.keys() - theirs.keys()), slug == request.headers.get(
            "X-Organization"
        )


class Replay:
    """Some recordings, in the order that they are played in."""

    def __init__(self, names: tuple[str, ...], url: str, polls: int | None) -> None:
        """Read the recordings.

        polls: how often at most an answer is given that was recorded several times in a row
        """
        self.exchanges = [one for name in names for one in read(name, url, polls)]

    def answer(self, request: Request, who: str) -> Answer | None:
        """Return the next recorded answer to a question, None if nobody asked it.

        Asked more often than recorded, it gets the last answer again.
        """
        fitting = [one for one in self.exchanges if one.fits(request, who)]
        if not fitting:
            return None
        best = max(one.likeness(request) for one in fitting)
        asked = [one for one in fitting if one.likeness(request) == best]
        one = next((one for one in asked if one.left > 0), asked[-1])
        one.left -= 1
        return one.answer


def read(name: str, url: str, polls: int | None) -> Iterator[Exchange]:
    """Yield the exchanges of a recording."""
    recording = scenario(name)
    for exchange in recording["exchanges"]:
        answer = answer_of(exchange["response"], recording["base"], url)
        times = exchange.get("repeated", 1)
        yield Exchange(exchange["request"], answer, times if polls is None else min(times, polls))


def identity(headers: Mapping[str, str] | Message) -> str:
    """Who asks, as recordings write it: a token's name, `session`, or nothing."""
    if token := headers.get("Authorization", ""):
        return token
    return "session" if "sessionid=" in headers.get("Cookie", "") else ""


def same_body(recorded: Any, sent: bytes) -> bool:
    """Tell whether a body is the recorded JSON; what was a secret may be anything."""
    if recorded is None:
        return True
    try:
        value = json.loads(sent)
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and value.keys() == recorded.keys()
        and all(
            value[key] == known or str(known).startswith("{") for key, known in recorded.items()
        )
    )
