"""Asking the forge: one call that is always the same, at most once in so many seconds."""

import http.client
import json
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from log_lines import say

TIMEOUT = 10
"""Seconds that the forge may be silent."""

LATER = (408, 429)
"""What a forge answers that wants to be asked later, as it does by 500 and above."""

MOST_DOUBLINGS = 4
"""How often the wait is doubled for a forge that is away: with 60 s, it is asked every 16 min."""


@dataclass(frozen=True)
class Call:
    """A POST to a forge: nothing in it depends on what CVAT sent."""

    forge: str
    what: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    remedy: str


class Answer(NamedTuple):
    """What came of a call: whether the forge has judged it, and what to say."""

    settled: bool
    said: str


def gitlab(url: str, project: str, ref: str, token: str) -> Call:
    """Return the call that starts a pipeline by a trigger token, which can do nothing else.

    project: its number, or its path with %2F for each slash.
    """
    return Call(
        "GitLab",
        f"a pipeline of {ref}",
        f"{url}/api/v4/projects/{project}/trigger/pipeline",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode({"token": token, "ref": ref}).encode(),
        "check GITLAB_PROJECT, GITLAB_REF, the trigger token, and who may set pipeline variables",
    )


def github(url: str, repository: str, workflow: str, ref: str, token: str) -> Call:
    """Return the call that runs one workflow.

    repository_dispatch would take a token that may write the repository's contents; this one
    takes Actions: write.
    """
    return Call(
        "GitHub",
        f"a run of {workflow} on {ref}",
        f"{url}/repos/{repository}/actions/workflows/{workflow}/dispatches",
        {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "data-registry-receiver",
        },
        json.dumps({"ref": ref}).encode(),
        "check GITHUB_REPOSITORY, GITHUB_WORKFLOW, GITHUB_REF, and the token (Actions: write)",
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Go nowhere else with the token."""

    def redirect_request(self, *_: object) -> None:
        """Return no request to follow."""


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses: without redirects, by a proxy for https alone."""
    proxies = {name: url for name, url in urllib.request.getproxies().items() if name == "https"}
    return urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler(proxies))


def ask(call: Call) -> Answer:
    """Make a call; a forge that is away has not judged it. What it answers is not read."""
    request = urllib.request.Request(call.url, call.body, call.headers, method="POST")  # noqa: S310
    try:
        with _opener().open(request, timeout=TIMEOUT) as answer:
            return Answer(True, f"asked {call.forge} for {call.what}, it answered {answer.status}")
    except HTTPError as error:
        error.close()
        return _judge(call, error.code, later="Retry-After" in error.headers)
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        return Answer(False, f"{call.forge} is away ({type(cause).__name__}: {_plain(cause)})")


def _judge(call: Call, code: int, *, later: bool) -> Answer:
    """Return what an answer that is no success means; later: it says when to ask again."""
    if later or code in LATER or code >= 500:
        return Answer(False, f"{call.forge} cannot now, it answered {code}")
    if code < 400:
        return Answer(True, f"{call.forge} answered {code}, a redirect, which is not followed: "
                            f"set the final address; {call.remedy}")  # fmt: skip
    return Answer(True, f"{call.forge} refused, it answered {code}: {call.remedy}")


def _plain(error: object) -> str:
    """Return the beginning of an error's text on one line, of printable characters."""
    line = " ".join(str(error).split())[:200]
    return "".join(c if c.isprintable() else "?" for c in line)


class Caller:
    """Asks the forge when it is wanted: at once, then at most once in so many seconds.

    What is wanted meanwhile leads to one more call at the end of the wait; a forge that is away
    is asked again, less and less often. So nothing that was wanted is lost while this runs.
    """

    def __init__(self, call: Call, seconds: float) -> None:
        """Make one; `run` does the work."""
        self._call, self._seconds = call, seconds
        self._changed = threading.Condition()
        self.waiting = 0
        """How many deliveries wait for a call, or for its end."""

    def want(self) -> None:
        """Say that a delivery leads to a call; return at once."""
        with self._changed:
            self.waiting += 1
            self._changed.notify()

    def run(self) -> None:
        """Ask for ever."""
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.waiting)
                asked = self.waiting
            settled, said = ask(self._call)
            failures = 0 if settled else failures + 1
            wait = self._seconds * 2 ** min(failures, MOST_DOUBLINGS)
            if settled:
                with self._changed:
                    self.waiting -= asked
            say(f"{said} (deliveries: {asked}{'' if settled else f'; again in {wait:g} s'})")
            time.sleep(wait)
