"""Asks a CVAT plainly, with no library of CVAT's: what other clients get is compared with it."""

import io
import json
import ssl
import urllib.request
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from services.cvat_answers import JSON
from services.cvat_server import CvatServer

EXPORT = "format=CVAT%20for%20video%201.1&save_images=false&location=local"
IMAGES = EXPORT.replace("video", "images")


class Client:
    """Asks a server without any library of CVAT's."""

    def __init__(self, server: CvatServer, slug: str | None = "videoteam", **headers: str) -> None:
        """Ask with the server's token.

        slug: the organization's, None for no such header; headers: others
        """
        self.url = server.url
        self.ca_file: Path | None = None
        self.headers = {"Authorization": f"Bearer {server.token}", **headers}
        if slug is not None:
            self.headers["X-Organization"] = slug

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Message, bytes]:
        """Return status, headers and body of an answer, whatever its status."""
        data = None if body is None else json.dumps(body).encode()
        address = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(  # noqa: S310 - the server's own
            address, data, self.headers, method=method
        )
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=20, context=context
            ) as answer:
                return answer.status, answer.headers, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def get(self, path: str, status: int = 200) -> Any:
        """Return an answer's JSON."""
        got, headers, body = self.ask("GET", path)
        assert (got, headers.get_content_type()) == (status, JSON), body
        return json.loads(body)

    def listed(self, kind: str, **query: Any) -> list[int]:
        """Return the numbers of the entries of a list's first page."""
        filled = {k: v if isinstance(v, str | int) else json.dumps(v) for k, v in query.items()}
        return [one["id"] for one in self.get(f"/api/{kind}?{urlencode(filled)}")["results"]]

    def start(self, number: int = 3, query: str = EXPORT) -> str:
        """Ask for an export; return the request's number."""
        status, _, body = self.ask("POST", f"/api/tasks/{number}/dataset/export?{query}")
        assert status == 202, body
        found = json.loads(body)["rq_id"]
        assert isinstance(found, str)
        return found

    def poll(self, request: str) -> Any:
        """Return what a request says now."""
        return self.get(f"/api/requests/{quote(request)}")

    def wait(self, request: str) -> Any:
        """Poll until a request is done, and return what it says."""
        for _ in range(100):
            if (told := self.poll(request))["status"] in ("finished", "failed"):
                return told
        raise AssertionError(told)

    def export(self, number: int = 3, query: str = EXPORT) -> tuple[Message, bytes]:
        """Return headers and bytes of a new export."""
        url = self.wait(self.start(number, query))["result_url"]
        assert url.startswith(f"{self.url}/api/tasks/{number}/dataset/download?rq_id=action%3D")
        status, headers, body = self.ask("GET", url)
        assert status == 200
        return headers, body

    def annotations(self, number: int = 3, query: str = EXPORT) -> str:
        """Return the annotations.xml of a new export."""
        with zipfile.ZipFile(io.BytesIO(self.export(number, query)[1])) as one:
            return one.read("annotations.xml").decode()
