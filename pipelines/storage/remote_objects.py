"""Looks up objects of the remotes: the process that `remote` asks, on standard input, as JSON."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pipelines.storage.dvc_files import Named
from pipelines.storage.remote import AWAY, REFUSALS, REFUSED, Unsent, describe_refusal

MISTAKES = (ValueError, TypeError, LookupError, AttributeError)
"""What clients of storages raise for credentials and addresses that make no sense to them."""

READERS = 16
"""How many objects are read at once."""


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
            raise Refused(describe_refusal(act, text)) from None
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
                self.hashes[md5] = hash_bytes(content)
                if self.hashes[md5] == md5.removesuffix(".dir"):
                    self.children[md5] = list_files(content)
                    files.update(self.children[md5])
            fresh = sorted(md5 for md5 in files if md5 in self.held and self.new(md5))
            self.hashes.update(zip(fresh, pool.map(self._hash, fresh), strict=True))

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

    def _hash(self, md5: str) -> str:
        with self.odb.fs.open(self.odb.oid_to_path(md5), "rb") as file:
            return hash_stream(file)


def hash_bytes(content: bytes) -> str:
    """Return the md5 of bytes, as DVC names objects."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def hash_stream(file: IO[bytes]) -> str:
    """Return the md5 of what is left to read of a file."""
    whole = hashlib.md5(usedforsecurity=False)
    while block := file.read(1 << 20):
        whole.update(block)
    return whole.hexdigest()


def hash_file(path: Path) -> str:
    """Return the md5 of a file."""
    with path.open("rb") as file:
        return hash_stream(file)


def list_files(listing: bytes) -> list[str]:
    """Return the md5s that a folder's listing, a `.dir` object, names."""
    return [str(each["md5"]) for each in json.loads(listing)]


def _list_objects(odb: Any) -> dict[str, dict[str, Any]]:
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


def _judge_new(odb: Any, held: Mapping[str, Any], known: list[str] | None, wanted: set[str]) -> Any:
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
            if hash_bytes(content) == md5.removesuffix(".dir"):
                seen = seen | {*list_files(content)}
    return lambda md5: md5 not in seen


def _repair(odb: Any, cache: Any, md5s: Iterable[str]) -> bool:
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


def _find_lacking(repo: Any, question: Mapping[str, Any]) -> dict[str, str]:
    """Look up what is wanted in the remote that is to hold it; return path -> why it lacks it."""
    found: dict[str, str] = {}
    for odb, wanted in _remotes(repo, question):
        found |= _find_lacking_in(odb, repo.cache.local, wanted, question)
    return found


def _remotes(repo: Any, question: Mapping[str, Any]) -> Iterator[tuple[Any, list[Named]]]:
    """Yield each remote, opened, with what it is to hold."""
    wanted = [Named(*each) for each in question["wanted"]]
    for name in sorted({each.remote for each in wanted}):
        with _doing("read"):
            odb = _open(repo, name)
        yield odb, [each for each in wanted if each.remote == name]


def _find_lacking_in(
    odb: Any, cache: Any, wanted: list[Named], question: Mapping[str, Any]
) -> dict[str, str]:
    """Look objects up in one remote; send again what is wrong if that is asked.

    Up to twice: the files of a folder are looked up once its listing is right.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for last in (False, False, True):
        held = _list_objects(odb)
        is_new = _judge_new(odb, held, question["known"], {each.md5 for each in wanted})
        store = Store(odb, held, is_new)
        store.read(wanted)
        found = {each.path: wrong for each in wanted if (wrong := store.wrong(each))}
        lost = {md5 for wrong in found.values() for md5, _ in wrong}
        if last or not question["repair"] or not _repair(odb, cache, lost):
            break
    return {path: f"{wrong[0][0]} {wrong[0][1]}" for path, wrong in found.items()}


def _count_unsent(repo: Any, question: Mapping[str, Any]) -> Unsent:
    """Count the files that a remote lacks and the cache has, and their bytes."""
    count = size = 0
    for odb, wanted in _remotes(repo, question):
        cache = repo.cache.local
        lost = {*_cached_files(cache, wanted)} - _list_objects(odb).keys()
        count += len(lost)
        size += sum(Path(cache.oid_to_path(md5)).stat().st_size for md5 in lost)
    return Unsent(count, size)


def _cached_files(cache: Any, wanted: Iterable[Named]) -> Iterator[str]:
    """Yield the md5s of what is wanted, and of the files of folders, if the cache has them."""
    for md5 in {each.md5 for each in wanted}:
        path = Path(cache.oid_to_path(md5))
        if path.is_file():
            yield md5
            yield from list_files(path.read_bytes()) if md5.endswith(".dir") else ()


def _probe(repo: Any, question: Mapping[str, Any]) -> dict[str, str]:
    """Try to read, write and delete."""
    with _doing("read"):
        odb = _open(repo, "")
        path = f"{odb.path.rpartition('/files/')[0]}/{question['name']}"

        def write() -> None:
            odb.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            odb.fs.pipe_file(path, b"")

        tries = {
            "read": lambda: odb.fs.exists(path),
            "write": write,
            "deletable": lambda: odb.fs.fs.rm_file(path),
        }
        said = {what: _describe_error(work) for what, work in tries.items()}
    return {**said, "deletable": "" if said["deletable"] else "yes"}


def _describe_error(work: Callable[[], object]) -> str:
    """Do work and return its error; nothing if there was none."""
    try:
        work()
    except Exception as error:  # each storage has its own
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return ""


ACTS: dict[str, Callable[[Any, Mapping[str, Any]], object]] = {
    "find_lacking": _find_lacking,
    "count_unsent": _count_unsent,
    "probe": _probe,
}
"""What can be asked -> the function that answers."""


def main() -> int:
    """Answer the question on standard input."""
    from dvc.exceptions import DvcException  # noqa: PLC0415  # it takes a second
    from dvc.repo import Repo  # noqa: PLC0415

    question = json.load(sys.stdin)
    try:
        with Repo() as repo:
            print(json.dumps(ACTS[question["act"]](repo, question)))
    except (Away, Refused) as error:
        print(error, file=sys.stderr)
        return REFUSED if isinstance(error, Refused) else AWAY
    except DvcException as error:  # no registry, or a configuration that cannot be read
        print("DVC:", " ".join(str(error).split())[:300], file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
