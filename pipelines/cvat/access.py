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
    whole = Path(file).is_absolute()
    if not (text := read_file(Path(), file) if whole else read(file)):
        wrong = "is empty, or cannot be read" if whole else "is not in the registry"
        raise PipelineError(f"{file}: {wrong}; look at cvat.ca-file")
    return text


def read_file(folder: Path, path: str) -> str | None:
    """Return the text of a file, by its path from a folder or its full path; None without one."""
    try:
        return (folder / path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
