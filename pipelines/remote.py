"""What the remote holds, seen from its side: neither DVC's cache nor its exit codes are believed.

`dvc push` ends with 0 though data is nowhere, and believes that a folder's files are there if its
listing is. So each object is looked up: is it there, as long as it should be, and does it hash to
its name? Azure says the hash of each blob; from other remotes, what is new is read and hashed.

The looking up is a process of its own, for a storage that hangs can only be ended with it.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import commands
from pipelines.errors import PipelineError, Transient
from pipelines.objects import Named

UNREADABLE, FORBIDDEN = 4, 5
"""With what the process ends when the remote does not answer, or does not let us in."""

REFUSALS = re.compile(r"Auth|credential|connection.?string|Forbidden|AccessDenied|Permission", re.I)
"""What errors say, of whatever storage, that trying again does not mend."""


def lacking(
    folder: Path,
    wanted: Iterable[Named],
    *,
    fresh: Iterable[str] = (),
    repair: bool = False,
    seconds: float = 1800,
) -> dict[str, str]:
    """Return what the remote of the registry in folder lacks of what is wanted: path -> why.

    fresh: md5s whose content, a folder's files too, is read if the remote does not state its hash.
    repair: what lacks is sent again from the cache, if that has it. Transient says that the remote
    does not answer.
    """
    listed = sorted(set(wanted))
    if not listed:
        return {}
    asked = {"wanted": listed, "fresh": sorted(fresh), "repair": repair}
    found: dict[str, str] = _asked(folder, asked, seconds)
    return found


def probed(folder: Path, seconds: float = 60) -> dict[str, str]:
    """Return what is wrong with reading and writing the remote, and if it is deletable, so.

    What it writes stays there where it may not delete: one empty object, the same each time.
    """
    found: dict[str, str] = _asked(folder, {"probe": "data-registry-doctor"}, seconds)
    return found


def _asked(folder: Path, asked: Mapping[str, Any], seconds: float) -> Any:
    stdin = json.dumps(asked).encode()
    try:
        done = commands.module("pipelines.remote", stdin=stdin, folder=folder, timeout=seconds)
    except Transient:
        text = f"the remote cannot be read: no answer within {seconds:.0f} s"
        raise Transient(text) from None
    if done.returncode == UNREADABLE:
        raise Transient(done.stderr.strip().splitlines()[-1])
    if done.returncode == FORBIDDEN:
        said = done.stderr.strip().splitlines()[-1]
        raise PipelineError(f"{said}; check the secret (AZURE_STORAGE_CONNECTION_STRING)")
    if done.returncode:
        raise commands.failed(done, "looking at the remote")
    return json.loads(done.stdout.splitlines()[-1])


@dataclass
class Store:
    """A remote's objects, as one listing of it says."""

    odb: Any
    held: dict[str, dict[str, Any]]
    fresh: set[str]

    def wrong(self, named: Named) -> list[tuple[str, str]]:
        """Return what is wrong with an object and, of a folder, its files: md5 and why."""
        folder = named.md5.endswith(".dir")
        new = named.md5 in self.fresh
        if why := self._why(named.md5, None if folder else named.size, new):
            return [(named.md5, why)]
        if not folder:
            return []
        listed = json.loads(self.odb.fs.cat_file(self.odb.oid_to_path(named.md5)))
        children = [str(each["md5"]) for each in listed]
        found = [(md5, why) for md5 in children if (why := self._why(md5, None, new))]
        size = sum(self.held[md5]["size"] for md5 in children if md5 in self.held)
        if not found and named.size not in (None, size):
            found.append((named.md5, f"has {size} bytes in its files, not {named.size}"))
        if named.files not in (None, len(children)):
            found.append((named.md5, f"lists {len(children)} files, not {named.files}"))
        return found

    def _why(self, md5: str, size: int | None, new: bool) -> str:
        info = self.held.get(md5)
        if info is None:
            return "is not there"
        if size is not None and info["size"] != size:
            return f"has {info['size']} bytes, not {size}"
        stated = (info.get("content_settings") or {}).get("content_md5")
        if stated:
            actual = bytes(stated).hex()
        elif new or md5.endswith(".dir"):
            actual = self._hashed(md5)
        else:
            return ""
        return "" if actual == md5.removesuffix(".dir") else f"hashes to {actual}"

    def _hashed(self, md5: str) -> str:
        whole = hashlib.md5(usedforsecurity=False)
        with self.odb.fs.open(self.odb.oid_to_path(md5), "rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
        return whole.hexdigest()


def _listed(odb: Any) -> dict[str, dict[str, Any]]:
    """List the remote: md5 -> what it says of the object."""
    files = odb.fs.fs
    try:
        found = files.find(odb.path, detail=True)
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):  # of a folder, DVC itself lists the paths alone
        found = {path: files.info(path) for path in found if not path.endswith(".tmp")}
    return {"".join(path.rsplit("/", 2)[-2:]): info for path, info in found.items()}


def _repaired(odb: Any, cache: Any, md5s: Iterable[str]) -> bool:
    """Send objects of the cache whose content is right; tell whether there was one."""
    sent = False
    for md5 in md5s:
        path = Path(cache.oid_to_path(md5))
        if path.is_file():
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            if digest == md5.removesuffix(".dir"):
                target = odb.oid_to_path(md5)
                odb.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                odb.fs.put_file(str(path), target)
                sent = True
    return sent


def _looked_up(asked: dict[str, Any]) -> dict[str, str]:
    from dvc.repo import Repo  # noqa: PLC0415  # it takes a second

    with Repo() as repo:
        odb, fresh = repo.cloud.get_remote_odb(), set(asked["fresh"])
        wanted = [Named(*each) for each in asked["wanted"]]
        for again in (False, True):
            store = Store(odb, _listed(odb), fresh)
            found = {each.path: wrong for each in wanted if (wrong := store.wrong(each))}
            lost = {md5 for wrong in found.values() for md5, _ in wrong}
            if again or not asked["repair"] or not _repaired(odb, repo.cache.local, lost):
                break
    return {path: f"{wrong[0][0]} {wrong[0][1]}" for path, wrong in found.items()}


def _probed(name: str) -> dict[str, str]:
    """Try to read, write and delete."""
    from dvc.repo import Repo  # noqa: PLC0415  # it takes a second

    with Repo() as repo:
        odb = repo.cloud.get_remote_odb()
        path = f"{odb.path.rpartition('/files/')[0]}/{name}"

        def write() -> None:
            odb.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            odb.fs.pipe_file(path, b"")

        tries = {
            "read": lambda: odb.fs.exists(path),
            "write": write,
            "deletable": lambda: odb.fs.fs.rm_file(path),
        }
        said = {what: _error(work) for what, work in tries.items()}
    return {**said, "deletable": "" if said["deletable"] else "yes"}


def _error(work: Callable[[], object]) -> str:
    """Do work and return its error; nothing if there was none."""
    try:
        work()
    except Exception as error:  # each storage has its own
        return commands.redacted(" ".join(f"{type(error).__name__}: {error}".split())[:200])
    return ""


def main() -> int:
    """Answer what is asked on standard input."""
    try:
        asked = json.load(sys.stdin)
        print(json.dumps(_probed(asked["probe"]) if "probe" in asked else _looked_up(asked)))
    except Exception as error:  # each storage has its own
        said = f"{type(error).__name__}: {error}"
        text = " ".join(said.split("RequestId", maxsplit=1)[0].split())[:200]
        print(commands.redacted(f"the remote cannot be read: {text}"), file=sys.stderr)
        return FORBIDDEN if REFUSALS.search(said) else UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
