"""The settings of the receiver: environment variables, secrets also from files.

No message shows a value: it could be a secret that was written into the wrong variable.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import forge_calls
from forge_calls import Call

GITLAB = ("GITLAB_URL", "GITLAB_PROJECT", "GITLAB_REF", "GITLAB_TRIGGER_TOKEN")
GITHUB = ("GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_TOKEN", "GITHUB_WORKFLOW", "GITHUB_API_URL")
"""The settings of each forge; a token can be in a file, too: `<name>_FILE` is its path."""

WHEN = ("accepted", "completed", "saved")
LONGEST = 86400
"""Seconds between two calls at most: a day."""

WORD = r"[\w.-]+"
BRANCH = r"[^\s\x00-\x1f\x7f~^:?*\[\\]+"
TOKEN = re.compile(r"[!-~]+")
"""What stands in a header, where a line end would begin another one."""


class SettingError(Exception):
    """A setting that is missing or wrong: `NAME: what is wrong, and what to do`, one line."""


@dataclass(frozen=True)
class Settings:
    """What the receiver is told: CVAT's secret, whom it asks, how often, and where it listens."""

    secret: bytes = field(repr=False)
    saved: bool
    call: Call
    seconds: float
    address: tuple[str, int]


Environment = Mapping[str, str]


def read(environment: Environment) -> Settings:
    """Return the settings that an environment has; an empty variable counts as missing."""
    return Settings(
        secret=_secret(environment, "CVAT_WEBHOOK_SECRET").encode("utf-8", "surrogateescape"),
        saved=_when(environment) == "saved",
        call=_call(environment),
        seconds=_seconds(environment),
        address=address(environment),
    )


def address(environment: Environment) -> tuple[str, int]:
    """Return host and port to listen on."""
    text = _text(environment, "LISTEN", r"[\w.-]+:\d{1,5}", "0.0.0.0:8080")  # in a container
    host, _, port = text.partition(":")
    if int(port) >= 1 << 16:
        raise SettingError("LISTEN: is not HOST:PORT; a port is below 65536")
    return host, int(port)


def _when(environment: Environment) -> str:
    found = environment.get("CVAT_WHEN") or WHEN[0]
    if found not in WHEN:
        raise SettingError(f"CVAT_WHEN: is none of {', '.join(WHEN)}; take that of params.yaml")
    return found


def _seconds(environment: Environment) -> float:
    text = _text(environment, "SECONDS_BETWEEN_CALLS", r"\d{1,6}(\.\d{1,6})?", "60")
    if not 0 < (seconds := float(text)) <= LONGEST:
        raise SettingError(f"SECONDS_BETWEEN_CALLS: is not above 0 and at most {LONGEST}")
    return seconds


def _call(environment: Environment) -> Call:
    """Return whom to ask: one forge, and all that it takes."""
    chosen = [
        names
        for names in (GITLAB, GITHUB)
        if any(environment.get(name) or environment.get(f"{name}_FILE") for name in names)
    ]
    if len(chosen) > 1:
        raise SettingError(f"{GITLAB[1]}, {GITHUB[0]}: settings of both forges; keep those of one")
    if not chosen:
        raise SettingError(
            f"{GITLAB[1]}, {GITHUB[0]}: no forge is set; set {', '.join(GITLAB)}, or "
            f"{', '.join(GITHUB[:3])}"
        )
    return _gitlab(environment) if chosen[0] == GITLAB else _github(environment)


def _gitlab(environment: Environment) -> Call:
    url, project, ref, token = GITLAB
    return forge_calls.gitlab(
        _url(environment, url),
        quote(_text(environment, project, rf"\d+|{WORD}(/{WORD})+"), safe=""),
        _text(environment, ref, BRANCH),
        _token(environment, token),
    )


def _github(environment: Environment) -> Call:
    repository, ref, token, workflow, url = GITHUB
    return forge_calls.github(
        _url(environment, url, "https://api.github.com"),
        _text(environment, repository, f"{WORD}/{WORD}"),
        _text(environment, workflow, rf"{WORD}\.ya?ml", "publish.yml"),
        _text(environment, ref, BRANCH),
        _token(environment, token),
    )


def _text(environment: Environment, name: str, pattern: str, default: str = "") -> str:
    """Return a setting that matches a pattern."""
    found = environment.get(name) or default
    if not found:
        raise SettingError(f"{name}: is missing; set it")
    if not re.fullmatch(pattern, found, re.ASCII) or {".", ".."} & set(found.split("/")):
        raise SettingError(f"{name}: has not the form that it must have; see --help")
    return found


def _secret(environment: Environment, name: str) -> str:
    """Return a secret, from its variable or from the file that `<name>_FILE` names."""
    given, file = environment.get(name), environment.get(f"{name}_FILE")
    if given and file:
        raise SettingError(f"{name}, {name}_FILE: are both set; keep one")
    if file:
        try:
            given = Path(file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "is not text"
            raise SettingError(
                f"{name}_FILE: cannot be read ({why}); name a file that user 65534 may read"
            ) from None
    if not given:
        raise SettingError(f"{name}: is missing or empty; set it, or {name}_FILE")
    return given


def _token(environment: Environment, name: str) -> str:
    """Return a secret that can stand in a header."""
    if not TOKEN.fullmatch(found := _secret(environment, name)):
        raise SettingError(f"{name}: has blanks or characters beyond ASCII; write it anew")
    return found


def _url(environment: Environment, name: str, default: str = "") -> str:
    """Return an address without a slash at its end: https, or http on this machine."""
    text = _text(environment, name, r"[!-~]+", default)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise SettingError(f"{name}: is not https://HOST[:PORT][/PATH]; write it so")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise SettingError(f"{name}: is not https; the token would be readable on its way")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    >>> _is_loopback("127.0.0.1"), _is_loopback("::1"), _is_loopback("127.0.0.1.example.org")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
