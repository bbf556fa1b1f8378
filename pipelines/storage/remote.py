"""What the remote holds, seen from its side: neither DVC's cache nor its exit codes are believed.

`dvc push` ends with 0 though data is nowhere, and believes that a folder's files are there if its
listing is. So each object is looked up: is it there, as long as it should be, and does it hash to
its name? Azure states the hash of most blobs. What a commit newly names is read, whatever is
stated.

`remote_objects` does that as a process of its own: a storage that hangs can only be ended with it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines import commands
from pipelines.errors import PipelineError, Transient
from pipelines.storage.dvc_files import Named

AWAY, REFUSED = 4, 5
"""Exit codes of the process when the remote does not answer, and when it refuses."""

REFUSALS = re.compile(
    r"Authenti|Authoriz|credential|connection.?string|Forbidden|AccessDenied|Permission"
    r"|SigningError|No such container|NoSuchBucket|ContainerNotFound",
    re.I,
)
"""What errors say, of whatever storage, that trying again does not mend."""

RIGHTS = {"read": "read and list (SAS: rl)", "written to": "create and write, too (SAS: rlcw)"}
"""What is done with a remote -> what its credentials must allow."""


class Unsent(NamedTuple):
    """How much a remote lacks: files, each folder's listing included, and their bytes."""

    objects: int
    bytes: int


def describe_refusal(act: str, why: str) -> str:
    """Say that the remote refuses to be read or written to, and what to check; act: of RIGHTS."""
    secret = "its credentials (Azure: AZURE_STORAGE_CONNECTION_STRING)"  # noqa: S105  # a name
    return f"the remote cannot be {act}: {why}; check {secret}: they must allow to {RIGHTS[act]}"


def find_lacking(
    folder: Path,
    wanted: Iterable[Named],
    *,
    known: Iterable[str] | None = None,
    repair: bool = False,
    seconds: float = 1800,
) -> dict[str, str]:
    """Return what the remotes of the registry in folder lack of what is wanted: path -> why.

    known: md5s that were named before; all others, and those of a folder's files, are read. None:
    nothing is read but listings. repair: what the remote lacks is sent again from the cache, if
    that has it. Transient says that the remote does not answer.
    """
    listed = sorted(set(wanted))
    if not listed:
        return {}
    question = {
        "act": "find_lacking",
        "wanted": listed,
        "known": None if known is None else sorted(known),
        "repair": repair,
    }
    found: dict[str, str] = _ask(folder, question, seconds)
    return found


def count_unsent(folder: Path, wanted: Iterable[Named], seconds: float = 1800) -> Unsent:
    """Count what the remotes lack of what is wanted, which the cache of folder has."""
    listed = sorted(set(wanted))
    if not listed:
        return Unsent(0, 0)
    return Unsent(*_ask(folder, {"act": "count_unsent", "wanted": listed}, seconds))


def probe(folder: Path, seconds: float = 60) -> dict[str, str]:
    """Return the errors of reading and writing the remote, `read` and `write`, empty if none.

    `deletable` is `yes` if objects can be deleted. Where they cannot, what was written stays: one
    empty object, the same each time.
    """
    found: dict[str, str] = _ask(folder, {"act": "probe", "name": "data-registry-doctor"}, seconds)
    return found


def _ask(folder: Path, question: Mapping[str, Any], seconds: float) -> Any:
    """Return what remote_objects answers to a question."""
    stdin = json.dumps(question).encode()
    try:
        done = commands.module(
            "pipelines.storage.remote_objects", stdin=stdin, folder=folder, timeout=seconds
        )
    except Transient:
        text = f"the remote cannot be read: no answer within {seconds:.0f} s"
        raise Transient(text) from None
    said = done.stderr.strip().rpartition("\n")[2]
    if done.returncode == AWAY:
        raise Transient(said)
    if done.returncode == REFUSED:
        raise PipelineError(said)
    if done.returncode:
        raise commands.failure(done, "looking at the remote")
    return json.loads(done.stdout.splitlines()[-1])
