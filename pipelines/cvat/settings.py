"""The section `cvat` of params.yaml: which CVAT, and when its tasks are taken."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipelines.errors import PipelineError

WHEN = ("accepted", "completed", "saved")
"""A task is taken when all its jobs are accepted, when they are completed, or at once."""

KEYS = ("ca-file", "organization", "url", "when")
URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[\w.~/-]*)?", re.A)
ORGANIZATION = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Cvat:
    """url: without a slash at its end. organization: its short name; none if it is empty.

    when: one of WHEN. ca_file: the file with the certificate that CVAT's own is checked against,
    a path in the registry or a full one; the system's if it is empty.
    """

    url: str
    organization: str = ""
    when: str = "accepted"
    ca_file: str = ""


def parse(values: dict[str, Any]) -> Cvat | None:
    """Read the section; None without a url. A PipelineError says what is wrong with it."""
    for key in sorted(map(str, values.keys() - {*KEYS})):
        raise _error(f".{key}", f"is no parameter; there are {', '.join(KEYS)}")
    texts = {key: values.get(key) for key in KEYS}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise _error(f".{key}", "must be a text")
    known = {key: value for key, value in texts.items() if value}
    if "url" not in known:
        if known:
            raise _error(".url", "is missing; set it, such as https://app.cvat.ai")
        return None
    if known.get("when", Cvat.when) not in WHEN:
        raise _error(".when", f"must be one of {', '.join(WHEN)}")
    if not ORGANIZATION.fullmatch(known.get("organization", "none")):
        raise _error(".organization", "must be its short name: letters, digits, - and _")
    return Cvat(
        _read_url(known["url"]),
        known.get("organization", Cvat.organization),
        known.get("when", Cvat.when),
        known.get("ca-file", Cvat.ca_file),
    )


def _read_url(text: str) -> str:
    """Return the address without a slash at its end; refuse one where the token is not safe."""
    if "@" in text:
        raise _error(".url", "must have no user or password in it; the token is a secret of CI")
    if not URL.fullmatch(text):
        raise _error(".url", "must be an address such as https://app.cvat.ai")
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _error(".url", "has a port that there is not")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise _error(".url", "would send the token readable for all; use https://")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    >>> [_is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "127.0.0.1.nip.io")]
    [True, True, True, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _error(key: str, text: str) -> PipelineError:
    return PipelineError(f"params.yaml: cvat{key}: {text}")
