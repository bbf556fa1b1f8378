"""The folder in .git where a publish works: cleared each time, held by one process at a time.

Git is asked and told everything in a repository of its own there, which borrows the objects of
the clone. So a publish that is killed inside any command of git leaves the clone as it was, and
what it leaves in this folder is thrown away by the next.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import messages
from pipelines.errors import PipelineError, Transient
from pipelines.storage.git import Git

NAME = "data-registry"
LOCK = "lock"
KEPT = re.compile(
    r"remote\.|url\.|http\.|credential\.|user\.|protocol\.|ssh\."
    r"|core\.(sshcommand|askpass|gitproxy)$|extensions\.(objectformat|partialclone)$",
    re.I,
)
"""Settings of the clone that say where its server is, how to get in, and who commits."""


@contextmanager
def hold(clone: Git) -> Iterator[Path]:
    """Yield the folder, held by this process alone; Transient if another one has it."""
    place = _git_folder(clone) / NAME
    if not place.is_dir() or place.is_symlink():
        remove(place)
        place.mkdir()
    if (place / LOCK).is_dir() or (place / LOCK).is_symlink():
        remove(place / LOCK)
    with (place / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Transient("another publish is at work in this clone; wait for it") from None
        try:
            yield place
        finally:
            clear(place)


def connect(clone: Git, place: Path) -> Git:
    """Return the repository, with the default branch and CVAT's branches as the server has them."""
    git = make_repository(clone, place)
    messages.tell("fetch the default branch and CVAT's branches from origin")
    git.fetch()
    return git


def make_repository(clone: Git, place: Path) -> Git:
    """Clear the folder and make the repository: the clone's objects and server, no branches."""
    clear(place)
    if clone("rev-parse", "--is-shallow-repository") == "true":
        clone.server("fetch", "--quiet", "--no-tags", "--unshallow", "origin")
    objects = clone("rev-parse", "--path-format=absolute", "--git-path", "objects")
    name = clone("rev-parse", "--show-object-format")
    made = Git(place / "repository", clone.seconds)
    clone("init", "--quiet", "--bare", f"--object-format={name}", str(made.folder))
    (made.folder / "objects/info/alternates").write_text(f"{objects}\n", "utf-8")
    _copy_settings(clone, made)
    return made


def _copy_settings(clone: Git, made: Git) -> None:
    """Give the repository what the clone's own configuration says of its server."""
    listed = clone("config", "--local", "--includes", "--list", "--null")
    for entry in filter(None, listed.split("\0")):
        key, given, value = entry.partition("\n")
        value = value if given else "true"
        if key.endswith(("url", "pushurl")) and key.startswith("remote."):
            value = _make_absolute(value, clone.folder)
        if KEPT.match(key):
            made.set(key, value)


def _make_absolute(url: str, folder: Path) -> str:
    """Return the address of a server; a relative path is one from the clone's folder."""
    return str((folder / url).resolve()) if (folder / url).exists() else url


def _git_folder(clone: Git) -> Path:
    try:
        return Path(clone("rev-parse", "--path-format=absolute", "--git-common-dir"))
    except PipelineError as error:  # not one, or another user's
        why = str(error).partition("fatal: ")[2] or str(error)
        raise PipelineError(f"{clone.folder}: is no clone of a registry: {why}") from None


def clear(place: Path) -> None:
    """Remove all that is in the folder, and what earlier versions left outside it."""
    for path in place.iterdir():
        if path.name != LOCK:
            remove(path)
    _forget_worktrees(place)


def _forget_worktrees(place: Path) -> None:
    """Remove the clone's own work trees in this folder: earlier versions made them.

    Killed at a bad moment, they left one that `git worktree prune` does not remove, and that made
    even `git fetch` fail.
    """
    for path in place.parent.glob("worktrees/work*"):
        known = path / "gitdir"
        if not known.is_file() or str(place) in known.read_text("utf-8", "replace"):
            remove(path)


def remove(path: Path) -> None:
    """Remove whatever is at a path; a PipelineError says what cannot be removed."""
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
    except OSError as error:
        text = f"cannot be removed ({error.strerror}); remove it by hand"
        raise PipelineError(f"{error.filename or path}: {text}") from None
