"""What the remote holds, seen from its side: neither DVC's cache nor its exit codes are believed.

`dvc push` ends with 0 though data is nowhere, and believes that a folder's files are there if its
listing is. So each object is looked up: is it there, as long as it should be, and does it hash to
its name? Azure states the hash of most blobs. What a commit newly names is read, whatever is
stated.

The looking up is a process of its own, for a storage that hangs can only be ended with it.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import commands
from pipelines.errors import PipelineError, Transient
from pipelines.storage.dvc_files import Named

AWAY, REFUSED = 4, 5
"""With what the process ends when the remote does not answer, or refuses."""

REFUSALS = re.compile(
    r"Authenti|Authoriz|credential|connection.?string|Forbidden|AccessDenied|Permission"
    r"|SigningError|No such container|NoSuchBucket|ContainerNotFound",
    re.I,
)
"""What errors say, of whatever storage, that trying again does not mend."""

MISTAKES = (ValueError, TypeError, LookupError, AttributeError)
"""What clients of storages raise for credentials and addresses that make no sense to them."""

RIGHTS = {"read": "read and list (SAS: rl)", "written to": "create and write, too (SAS: rlcw)"}
"""What is done with a remote -> what its credentials must allow."""

READERS = 16
"""How many objects are read at once."""


def refused(act: str, why: str) -> str:
    """Say that the remote refuses to be read or written to, and what to look at; act: of RIGHTS."""
    secret = "its credentials (Azure: AZURE_STORAGE_CONNECTION_STRING)"  # noqa: S105  # a name
    return f"the remote cannot be {act}: {why}; check {secret}: they must allow to {RIGHTS[act]}"


def lacking(
    folder: Path,
    wanted: Iterable[Named],
    *,
    known: Iterable[str] | None = None,
    repair: bool = False,
    seconds: float = 1800,
) -> dict[str, str]:
    """Return what the remotes of the registry in folder lack of what is wanted: path -> why.

    known: md5s that were named before; all others, and those of a folder's files, are read. None:
    nothing is read but listings. repair: what lacks is sent again from the cache, if that has it.
    Transient says that the remote does not answer.
    """
    listed = sorted(set(wanted))
    if not listed:
        return {}
    asked = {
        "wanted": listed,
        "known": None if known is None else sorted(known),
        "repair": repair,
    }
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
        done = commands.module(
            "pipelines.storage.remote", stdin=stdin, folder=folder, timeout=seconds
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
        raise commands.failed(done, "looking at the remote")
    return json.loads(done.stdout.splitlines()[-1])


class Away(Exception):  # noqa: N818  # it says what, not that
    """The remote does not answer."""


class Refused(Exception):  # noqa: N818
    """The remote, or its configuration, is not as it must be."""


@contextmanager
def _doing(act: str) -> Iterator[None]:
    """Turn what a storage raises into Away or Refused; act: what is done, of RIGHTS."""
    try:
        yield
    except (Away, Refused):
        raise
    except Exception as error:  # each storage has its own
        said = f"{type(error).__name__}: {error}"
        text = " ".join(re.split("RequestId|Content: <", said, maxsplit=1)[0].split())[:200]
        if REFUSALS.search(said) or isinstance(error, MISTAKES):
            raise Refused(refused(act, text)) from None
        raise Away(f"the remote cannot be {act}: {text}") from None


@dataclass
class Store:
    """A remote's objects, as one listing of it says, and what was read of them.

    new: whether an object is read for the first time. hashes: of what was read, md5 -> md5.
    """

    odb: Any
    held: dict[str, dict[str, Any]]
    new: Callable[[str], bool]
    hashes: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)

    def read(self, wanted: Iterable[Named]) -> None:
        """Read the listings of folders, and whatever is new."""
        names = {each.md5 for each in wanted}
        folders = [md5 for md5 in names if md5.endswith(".dir") and md5 in self.held]
        files = names - {*folders}
        with ThreadPoolExecutor(READERS) as pool, _doing("read"):
            for md5, content in zip(folders, pool.map(self._content, folders), strict=True):
                self.hashes[md5] = hashlib.md5(content, usedforsecurity=False).hexdigest()
                if self.hashes[md5] == md5.removesuffix(".dir"):
                    self.children[md5] = list_files(content)
                    files.update(self.children[md5])
            fresh = sorted(md5 for md5 in files if md5 in self.held and self.new(md5))
            self.hashes.update(zip(fresh, pool.map(self._hashed, fresh), strict=True))

    def wrong(self, named: Named) -> list[tuple[str, str]]:
        """Return what is wrong with an object and, of a folder, its files: md5 and why."""
        folder = named.md5.endswith(".dir")
        if why := self._why(named.md5, None if folder else named.size):
            return [(named.md5, why)]
        if not folder:
            return []
        children = self.children[named.md5]
        found = [(md5, why) for md5 in children if (why := self._why(md5, None))]
        size = sum(self.held[md5]["size"] for md5 in children if md5 in self.held)
        if not found and named.size not in (None, size):
            found.append((named.md5, f"has {size} bytes in its files, not {named.size}"))
        if named.files not in (None, len(children)):
            found.append((named.md5, f"lists {len(children)} files, not {named.files}"))
        return found

    def _why(self, md5: str, size: int | None) -> str:
        info = self.held.get(md5)
        if info is None:
            return "is not there"
        if size is not None and info["size"] != size:
            return f"has {info['size']} bytes, not {size}"
        stated = (info.get("content_settings") or {}).get("content_md5")
        actual = self.hashes.get(md5) or (bytes(stated).hex() if stated else "")
        return f"hashes to {actual}" if actual and actual != md5.removesuffix(".dir") else ""

    def _content(self, md5: str) -> bytes:
        content: bytes = self.odb.fs.cat_file(self.odb.oid_to_path(md5))
        return content

    def _hashed(self, md5: str) -> str:
        whole = hashlib.md5(usedforsecurity=False)
        with self.odb.fs.open(self.odb.oid_to_path(md5), "rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
        return whole.hexdigest()


def list_files(listing: bytes) -> list[str]:
    """Return the md5s that a folder's listing, a `.dir` object, names."""
    return [str(each["md5"]) for each in json.loads(listing)]


def _listed(odb: Any) -> dict[str, dict[str, Any]]:
    """List the remote: md5 -> what it says of the object."""
    files = odb.fs.fs
    with _doing("read"):
        try:
            found = files.find(odb.path, detail=True)
        except FileNotFoundError:
            found = {}
        if not found:
            _check_container(odb)
        if not isinstance(found, dict):  # of a folder, DVC itself lists the paths alone
            found = {path: files.info(path) for path in found if not path.endswith(".tmp")}
    return {"".join(path.rsplit("/", 2)[-2:]): info for path, info in found.items()}


def _check_container(odb: Any) -> None:
    """Refuse a container of Azure that is not there: listing it says that it is empty."""
    if odb.fs.protocol != "azure":
        return
    name = odb.path.partition("/")[0]
    try:
        odb.fs.fs.ls(name)
    except FileNotFoundError:
        raise Refused(
            f"the remote cannot be read: there is no container {name!r}; create it, or correct "
            "the remote's url in .dvc/config"
        ) from None


def _new(odb: Any, held: Mapping[str, Any], known: list[str] | None, wanted: set[str]) -> Any:
    """Return the function that tells whether an object is to be read.

    The files of a folder that was named before, and is replaced, were read then.
    """
    if known is None:
        return lambda _: False
    seen = set(known)
    for md5 in seen - wanted:
        if md5.endswith(".dir") and md5 in held:
            with _doing("read"):
                content = odb.fs.cat_file(odb.oid_to_path(md5))
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if digest == md5.removesuffix(".dir"):
                seen = seen | {*list_files(content)}
    return lambda md5: md5 not in seen


def _repaired(odb: Any, cache: Any, md5s: Iterable[str]) -> bool:
    """Send objects of the cache whose content is right; tell whether there was one.

    Listings go last: DVC believes that a folder's files are there if its listing is.
    """
    sent = False
    for md5 in sorted(md5s, key=lambda each: (each.endswith(".dir"), each)):
        path = Path(cache.oid_to_path(md5))
        if path.is_file() and hash_file(path) == md5.removesuffix(".dir"):
            target = odb.oid_to_path(md5)
            with _doing("written to"):
                odb.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                odb.fs.put_file(str(path), target)
            sent = True
    return sent


def hash_file(path: Path) -> str:
    """Return the md5 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _open(repo: Any, name: str) -> Any:
    """Return the object store of a remote; name: none for the default one."""
    # DVC takes a second to load
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc.fs import AuthError, ConfigError, RemoteMissingDepsError  # noqa: PLC0415

    try:
        odb = repo.cloud.get_remote_odb(name or None)
        assert odb.fs.fs  # connects, where a storage needs packages and credentials for it
    except (ImportError, RemoteMissingDepsError):
        own = repo.config["remote"][name or repo.config["core"]["remote"]]
        kind = own["url"].partition(":")[0]
        text = f"{kind} needs more packages of DVC; run `pip install 'dvc[{kind}]'` in .venv"
        raise Refused(f"the remote cannot be used: {text}") from None
    except (DvcException, AuthError, ConfigError) as error:
        said = " ".join(str(error).split())[:300]
        text = "check .dvc/config and its credentials (Azure: AZURE_STORAGE_CONNECTION_STRING)"
        raise Refused(f"the remote cannot be used: {said}; {text}") from None
    return odb


def _looked_up(asked: dict[str, Any]) -> dict[str, str]:
    from dvc.repo import Repo  # noqa: PLC0415  # it takes a second

    found: dict[str, str] = {}
    wanted = [Named(*each) for each in asked["wanted"]]
    with Repo() as repo:
        for name in sorted({each.remote for each in wanted}):
            own = [each for each in wanted if each.remote == name]
            with _doing("read"):
                odb = _open(repo, name)
            found |= _looked_up_in(odb, repo.cache.local, own, asked)
    return found


def _looked_up_in(
    odb: Any, cache: Any, wanted: list[Named], asked: dict[str, Any]
) -> dict[str, str]:
    """Look objects up in one remote; send again what is wrong if that is asked.

    Up to twice: the files of a folder are looked up once its listing is right.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for last in (False, False, True):
        held = _listed(odb)
        store = Store(odb, held, _new(odb, held, asked["known"], {each.md5 for each in wanted}))
        store.read(wanted)
        found = {each.path: wrong for each in wanted if (wrong := store.wrong(each))}
        lost = {md5 for wrong in found.values() for md5, _ in wrong}
        if last or not asked["repair"] or not _repaired(odb, cache, lost):
            break
    return {path: f"{wrong[0][0]} {wrong[0][1]}" for path, wrong in found.items()}


def _probed(name: str) -> dict[str, str]:
    """Try to read, write and delete."""
    from dvc.repo import Repo  # noqa: PLC0415  # it takes a second

    with Repo() as repo, _doing("read"):
        odb = _open(repo, "")
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
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return ""


def main() -> int:
    """Answer what is asked on standard input."""
    try:
        asked = json.load(sys.stdin)
        print(json.dumps(_probed(asked["probe"]) if "probe" in asked else _looked_up(asked)))
    except (Away, Refused) as error:
        print(error, file=sys.stderr)
        return REFUSED if isinstance(error, Refused) else AWAY
    return 0


if __name__ == "__main__":
    sys.exit(main())
