"""One CVAT server, asked over HTTP.

No redirect is followed, no answer and no wait is endless, and the token goes to that server alone:
it is in no message, no error and no command line.
"""

import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from time import sleep
from typing import Any, BinaryIO, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pipelines.cvat import proxies
from pipelines.cvat.settings import Cvat
from pipelines.errors import PipelineError, Transient

SECRET = "CVAT_ACCESS_TOKEN"  # noqa: S105  # its name

SILENCE = 60
"""Seconds that the server may say nothing."""

LONGEST = 600
"""Seconds that one answer may take, however it trickles."""

DAY = 86_400
"""Seconds that one answer may take that is written into a file: it may be a movie."""

WAITS = (1, 2, 4)
"""Seconds before a question that failed is asked again: as often as there are waits."""

PATIENCE = 60
"""Seconds that the server may ask us to wait, by Retry-After, before one question."""

LARGEST = 16_000_000
"""Bytes of an answer in JSON: 500 tasks have one million."""

TOKEN = re.compile(r"[!-~]{8,4096}")

Made = TypeVar("Made")

Watch = Callable[[int, int], None]
"""What is told how many bytes came, and how many are to come: 0 if the server does not say."""


class Refused(PipelineError):  # noqa: N818  # it says what the server did
    """The server does not give what was asked for; status: of HTTP, 400 to 499."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class TooLarge(PipelineError):  # noqa: N818  # it says what the answer is
    """The server answers with more bytes than are wanted."""


class Busy(Transient):
    """The server cannot answer now; rest: seconds that it wants to be left alone, 0 if unsaid."""

    def __init__(self, text: str, rest: int) -> None:
        super().__init__(text)
        self.rest = rest


class Answer(NamedTuple):
    """What the server answered; headers: by names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def find_header(self, name: str) -> str:
        """Return a header's value, empty if there is none."""
        return self.headers.get(name.lower(), "")


class Server:
    """A CVAT; several threads may ask it."""

    def __init__(self, settings: Cvat, token: str, authority: str = "") -> None:
        """Take the token; authority: the certificate to check against, PEM, or the system's."""
        if not TOKEN.fullmatch(token):
            text = "is no token: it has blanks, a line's end or fewer than 8 characters"
            raise PipelineError(f"{SECRET}: {text}; copy it again from CVAT")
        parts = urlsplit(settings.url)
        self.url, self.origin = settings.url, (parts.scheme, parts.hostname, parts.port)
        self._path = parts.path
        self._headers = {
            "Accept": "*/*",  # to `application/json` it answers 406
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {token}",
            "User-Agent": "data-registry",
        }
        if settings.organization:
            self._headers["X-Organization"] = settings.organization
        self._tls = _make_tls(authority, settings.ca_file) if parts.scheme == "https" else None

    def read_json(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """GET what is below the address, and return it."""
        return self.read_target(self.join(path, query))

    def read_target(self, target: str) -> Any:
        """GET a target that `join` or `localize` made, and return it."""
        return _parse(self.ask("GET", target), self.url)

    def post(self, target: str, *, also: tuple[int, ...] = ()) -> Any:
        """POST nothing to a target and return what is answered."""
        return _parse(self.ask("POST", target, also=also), self.url)

    def join(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return the target of a request: a path below the address, and a query."""
        asked = f"?{urlencode(query, quote_via=quote, safe=',')}" if query else ""
        return f"{self._path}{path}{asked}"

    def localize(self, url: Any) -> str:
        """Return the target of an address that the server gave: it must be the server's own."""
        try:
            parts = urlsplit(url if isinstance(url, str) else "")
            origin = (parts.scheme, parts.hostname, parts.port)
        except ValueError:
            raise PipelineError(f"{self.url}: gave an address that cannot be read") from None
        if _fill(origin) != _fill(self.origin) or not parts.path.startswith(f"{self._path}/api/"):
            shown = _show(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
            text = f"calls itself {shown}, where the token does not go; set cvat.url to its address"
            raise PipelineError(f"{self.url}: {text}")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def ask(
        self, method: str, target: str, *, also: tuple[int, ...] = (), limit: int = LARGEST
    ) -> Answer:
        """Ask, again if the server is busy or away; return an answer of 2xx or one of also.

        limit: bytes of the answer. Refused says that the server has or gives no such thing,
        Transient that it does not answer in bounded time.
        """
        return self._persist(lambda: self._judge(self._ask_once(method, target, limit), also))

    def download(self, target: str, file: BinaryIO, limit: int, watch: Watch) -> None:
        """GET a target into a file, from the file's beginning again if that is cut off.

        limit: bytes of the answer; one that says that it has more is refused before it is read.
        """
        self._persist(partial(self._download_once, target, file, limit, watch))

    def _persist(self, ask: Callable[[], Made]) -> Made:
        """Ask, again if the server is busy or away, so many times."""
        for wait in WAITS:
            try:
                return ask()
            except Busy as busy:
                if busy.rest > PATIENCE:
                    raise
                sleep(max(wait, busy.rest))
            except Transient:
                sleep(wait)
        return ask()

    def _judge(self, answer: Answer, also: tuple[int, ...]) -> Answer:
        """Return an answer that is one, or say why it is none."""
        status = answer.status
        if 200 <= status < 300 or status in also:
            return answer
        if status == 429 or status >= 500:
            said = answer.find_header("Retry-After")
            rest = int(said) if re.fullmatch(r"[0-9]{1,9}", said, re.ASCII) else 0
            more = f" and wants to be left alone for {rest} s" if rest else ""
            raise Busy(f"{self.url}: answers with {status}{more}", rest)
        if 300 <= status < 400:
            where = _show(answer.find_header("Location")) or "nowhere"
            text = f"leads elsewhere, to {where}, where the token does not go"
            raise PipelineError(f"{self.url}: {text}; set cvat.url to the final address")
        if status == 401:
            raise PipelineError(f"{SECRET}: is wrong, revoked or expired; make a new one in CVAT")
        raise Refused(f"{self.url}: answers with {status}", status)

    def _ask_once(self, method: str, target: str, limit: int) -> Answer:
        with self._connected(LONGEST) as connection:
            connection.request(method, target, headers=self._headers)
            return self._read(connection.getresponse(), limit)

    def _download_once(self, target: str, file: BinaryIO, limit: int, watch: Watch) -> None:
        file.seek(0)
        file.truncate()
        count = 0
        with closing(self._stream(target, limit)) as blocks:
            for block, told in blocks:
                file.write(block)  # its errors are those of a disk, not of the server
                count += len(block)
                watch(count, told)
        file.flush()

    def _stream(self, target: str, limit: int) -> Generator[tuple[bytes, int], None, None]:
        """GET a target and yield what is answered, in blocks, each with the bytes of all."""
        with self._connected(DAY) as connection:
            connection.request("GET", target, headers=self._headers)
            response = connection.getresponse()
            if response.status != 200:
                self._judge(self._read(response, LARGEST), ())
                raise PipelineError(f"{self.url}: answers with {response.status}, without a file")
            told = response.length or 0
            for block in self._read_blocks(response, limit):
                yield block, told

    @contextmanager
    def _connected(self, longest: float) -> Iterator[http.client.HTTPConnection]:
        """Yield a connection for one question, which is cut when that takes too long.

        What goes wrong with it is a PipelineError.
        """
        scheme, host, port = self.origin
        assert host
        connection = proxies.connect(scheme, host, port, SILENCE, self._tls)
        cut = threading.Timer(longest, _cut, (connection,))
        cut.daemon = True
        cut.start()
        try:
            yield connection
        except ssl.SSLCertVerificationError as error:
            text = f"has a certificate that is not trusted: {error.verify_message}"
            remedy = "set cvat.ca-file to the certificate of who signed it"
            raise PipelineError(f"{self.url}: {text}; {remedy}") from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Transient(f"{self.url}: does not answer as it should: {_name(error)}") from None
        finally:
            cut.cancel()
            connection.close()

    def _read(self, response: http.client.HTTPResponse, limit: int) -> Answer:
        """Read an answer whole."""
        body = b"".join(self._read_blocks(response, limit))
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, body)

    def _read_blocks(self, response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
        """Yield an answer; one that is longer than the limit or shorter than it says is refused."""
        told, count = response.length, 0
        while (told or 0) <= limit and (block := response.read1(1 << 16)):
            count += len(block)
            if count > limit:
                break
            yield block
        if max(told or 0, count) > limit:
            raise TooLarge(f"{self.url}: answers with more than {limit} bytes")
        if told is not None and count != told:
            raise http.client.IncompleteRead(b"", told - count)


def _make_tls(authority: str, file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError):
        raise PipelineError(f"{file}: is no certificate in PEM; look at cvat.ca-file") from None


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection that another thread is reading."""
    try:
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has just ended


def _parse(answer: Answer, url: str) -> Any:
    """Read JSON, which a page of HTML is not."""
    kind = answer.find_header("Content-Type").partition(";")[0].strip()
    try:
        if kind.endswith("json"):
            return json.loads(answer.body)
    except (ValueError, RecursionError):
        kind = "what looks like JSON"
    shown = _show(kind) or "something else"
    text = f"answers with {shown}, not with JSON; does cvat.url lead to CVAT?"
    raise PipelineError(f"{url}: {text}")


def _fill(origin: tuple[str, str | None, int | None]) -> tuple[str, str | None, int | None]:
    """Return an origin with its port."""
    scheme, host, port = origin
    return scheme, host, port or {"http": 80, "https": 443}.get(scheme)


def _name(error: Exception) -> str:
    """Say in a few words what went wrong: of what the server sent, nothing is repeated."""
    if isinstance(error, TimeoutError):
        return f"silence of {SILENCE} s"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer was cut off"
    if tunnel := re.match(r"Tunnel connection failed: ([0-9]{3})", str(error)):
        return f"the proxy of HTTPS_PROXY answers with {tunnel[1]}"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    return type(error).__name__


def _show(text: str) -> str:
    """Return text of the server as one short line of ASCII."""
    return re.sub(r"[^!-~]+", "?", text)[:200]
