"""What started a job of GitLab: CVAT itself may have, by a webhook, at every save.

The body of that is not signed for us. It says whether to look, and never at what.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

LARGEST = 1_000_000
"""Bytes of a body that is looked at."""

EVENT = re.compile(r"ping|[a-z]+:[a-z]+(\[[a-z:]+\])?", re.ASCII)
TELLING = {"stage", "state", "status"}
"""What changes when a job is completed, accepted, or opened again."""


def is_idle(when: str) -> bool:
    """Tell whether CVAT started this job though nothing can be due by what it says.

    when: as in params.yaml. What cannot be read, or is no body of CVAT's, tells nothing.
    """
    if when == "saved" or os.environ.get("CI_PIPELINE_SOURCE") != "trigger":
        return False
    body = _read(Path(os.environ.get("TRIGGER_PAYLOAD") or "/nowhere"))
    if not isinstance(body, dict) or not EVENT.fullmatch(str(body.get("event"))):
        return False
    parts = [body.get(key) or {} for key in ("changes", "before_update")]
    return all(isinstance(part, dict) and not part.keys() & TELLING for part in parts)


def _read(path: Path) -> Any:
    """Return the JSON in a file; None if there is none."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            return json.loads(file.read(LARGEST + 1)[:LARGEST])
    except (OSError, ValueError, RecursionError):
        return None
