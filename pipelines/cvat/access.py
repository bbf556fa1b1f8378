"""How CVAT is reached: the token of the environment, and the certificate of the registry."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.cvat.http import SECRET, Refused, Server
from pipelines.cvat.settings import Cvat
from pipelines.errors import PipelineError


def open_server(settings: Cvat, read: Callable[[str], str | None]) -> Server:
    """Return the server; read: returns the text of a file of the registry, None without one."""
    if not (token := os.environ.get(SECRET, "")):
        text = "is not set; make a read-only token in CVAT and set it as docs/cvat.md says"
        raise PipelineError(f"{SECRET}: {text}")
    return Server(settings, token, _read_authority(settings.ca_file, read))


def describe_token(server: Server) -> dict[str, Any] | None:
    """Return what CVAT says of the token; None if it does not say that."""
    try:
        token = server.read_json("/api/auth/access_tokens/self")
    except Refused:
        return None
    return token if isinstance(token, dict) else {}


def _read_authority(file: str, read: Callable[[str], str | None]) -> str:
    """Return the certificate of who signed CVAT's own; empty for those that the system knows."""
    if not file:
        return ""
    if not Path(file).is_absolute():
        if not (text := read(file)):
            raise PipelineError(f"{file}: is not in the registry; look at cvat.ca-file")
        return text
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise PipelineError(f"{file}: cannot be read; look at cvat.ca-file") from None
