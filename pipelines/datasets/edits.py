"""A change of a registry that is made whole or not at all.

What is new is made in a folder `data/.partial-...`, which git and DVC ignore, and then moved to its
place; params.yaml comes last. What fails or is interrupted on the way is undone.
"""

import os
import re
import shutil
import signal
import stat
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipelines import commands
from pipelines.datasets import split_stages
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError
from pipelines.storage import dvc_files

PARAMS = Path("params.yaml")
WRITTEN = (PARAMS, split_stages.PIPELINE, split_stages.PICTURES)
"""What an edit may write outside data/."""

MERGED = "merged"
"""The folder of data/ that the splits have."""

LINKS = "JPEGImages"
MADE = (LINKS, "Annotations", "ImageSets", "labelmap.txt", "merge.csv", "metrics.json")
"""What the stages make of a split."""

LOCKS = (Path("dvc.lock"), Path("pictures/dvc.lock"))

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Edit:
    """A change of the registry in a folder, under way.

    aside: a folder below data/ for what is not ready. text: params.yaml as it was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = read(folder)
        self.aside = folder / "data" / f".partial-{uuid.uuid4().hex[:12]}"
        self.undo = ExitStack()

    def move(self, source: Path, target: Path) -> None:
        """Move a file or folder to a place that is free; folders on the way are made."""
        if os.path.lexists(target):
            raise PipelineError(f"{self._shown(target)}: is there already; move it away")
        for missing in reversed([each for each in target.parents if not each.exists()]):
            missing.mkdir()
            self.undo.callback(_remove_empty, missing)
        self.undo.callback(_bring_back, target, source)
        source.rename(target)

    def put_away(self, path: Path) -> None:
        """Move a file or folder out of sight; it is deleted when the change is complete."""
        away = self.aside / "old" / path.relative_to(self.folder)
        away.parent.mkdir(parents=True, exist_ok=True)
        self.undo.callback(_bring_back, away, path)
        path.rename(away)

    def keep(self, path: Path) -> None:
        """Have a file as it is now when the change is undone; it may not be there."""
        kept = self.aside / "kept" / path.relative_to(self.folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            shutil.copy2(path, kept)
            self.undo.callback(kept.replace, path)
        else:
            self.undo.callback(path.unlink, missing_ok=True)

    def put_away_splits(self, name: str, before: Settings, after: Settings) -> list[str]:
        """Put away what was made of a dataset that leaves splits, and that nothing replaces.

        Links to its pictures lead nowhere, which DVC does not bear; a split without datasets has no
        stage any more. Return the folders of such splits.
        """
        emptied = []
        for split, section in (before.splits or {}).items():
            merged = self.folder / "data" / MERGED / split
            if name not in section.datasets or not merged.is_dir():
                continue
            if not (after.splits or {})[split].parts and {
                each.name for each in merged.iterdir()
            } <= {*MADE}:
                self.put_away(merged)
                emptied.append(self._shown(merged))
            elif os.path.lexists(merged / LINKS):
                self.put_away(merged / LINKS)
        return emptied

    def dvc(self, *words: str) -> None:
        """Run DVC in the folder of the registry."""
        done = commands.module("dvc", *words, folder=self.folder)
        if done.returncode:
            raise PipelineError(f"dvc {words[0]}: {last_error(done)}; nothing was changed")

    def git(self, *words: str, stdin: bytes | None = None) -> None:
        """Run git on the index of the registry's repository, which is kept for undoing it."""
        index = self.folder / self._git("rev-parse", "--git-path", "index")
        lock = index.with_name("index.lock")
        kept = self.aside / f"index-{uuid.uuid4().hex}"
        if not lock.exists():
            self.undo.callback(lock.unlink, missing_ok=True)  # of a git that was killed
        if index.exists():
            shutil.copy2(index, kept)
            self.undo.callback(shutil.copy2, kept, index)
        self._git(*words, stdin=stdin)

    def _git(self, *words: str, stdin: bytes | None = None) -> str:
        env = {**os.environ, "LC_ALL": "C"}
        done = commands.run("git", *words, stdin=stdin, folder=self.folder, env=env)
        if done.returncode:
            raise PipelineError(f"git {words[0]}: {last_error(done)}; nothing was changed")
        return done.stdout.strip()

    def write(self, text: str) -> list[str]:
        """Write params.yaml, and the stages of the splits that it now says; return the paths.

        params.yaml is replaced last: until then the registry is what it was.
        """
        ready = self.aside / "ready"
        changed = self._write_to(ready, text)
        for name in changed:
            self._install(ready / name, self.folder / name)
        if read(self.folder) != self.text:
            raise PipelineError("params.yaml: was changed by somebody else meanwhile; run it again")
        self._install(ready / PARAMS, self.folder / PARAMS)
        return [*changed, str(PARAMS)]

    def try_write(self, text: str) -> None:
        """Refuse a params.yaml whose stages cannot be written, before anything long is begun."""
        self._write_to(self.aside / "tried", text)

    def _write_to(self, folder: Path, text: str) -> list[str]:
        """Write params.yaml and its stages into a new folder; return the paths that change."""
        (folder / "pictures").mkdir(parents=True)
        for path in WRITTEN[1:]:
            if (self.folder / path).is_file():
                shutil.copy2(self.folder / path, folder / path)
        (folder / PARAMS).write_bytes(text.encode("utf-8"))
        return split_stages.write(folder)

    def forget_stages(self, dataset: str, splits: Sequence[str] = ()) -> None:
        """Drop the stages of a dataset, and of splits that have none left, from DVC's lock files.

        DVC leaves the entries of stages that are gone, and never reads them again.
        """
        gone = {name for split in splits for name in split_stages.name_stages(split)}
        for number, path in enumerate(LOCKS):
            if not (self.folder / path).is_file():
                continue
            text = (self.folder / path).read_bytes().decode("utf-8")
            names = dvc_files.of_lock(text)
            dropped = {each for each in names if each in gone or each.endswith(f"@{dataset}")}
            if dropped:
                new = self.aside / f"lock-{number}"
                new.write_bytes(dvc_files.drop_stages(text, dropped).encode("utf-8"))
                self._install(new, self.folder / path)

    def _install(self, new: Path, path: Path) -> None:
        _require_writable(path, self._shown(path))
        self.keep(path)
        shutil.copymode(path, new)
        new.replace(path.resolve())

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


@contextmanager
def edit(folder: Path) -> Iterator[Edit]:
    """Make a change of a registry; undo it if it fails or is interrupted."""
    made = Edit(folder)
    for path in WRITTEN:
        if (folder / path).exists():
            _require_writable(folder / path, str(path))
    with _interruptible(), _no_os_errors(folder):
        data_was_there = made.aside.parent.is_dir()
        try:
            made.aside.mkdir(parents=True)
            yield made
        except BaseException:
            _ignore_stops()
            made.undo.close()
            raise
        finally:
            shutil.rmtree(made.aside, ignore_errors=True)
            if not data_was_there:
                _remove_empty(made.aside.parent)


def read(folder: Path) -> str:
    """Return the text of params.yaml, line ends as they are."""
    try:
        return (folder / PARAMS).read_bytes().decode("utf-8")
    except FileNotFoundError:
        text = "is not here; run this in the folder of a registry"
        raise PipelineError(f"{folder / PARAMS}: {text}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"params.yaml: cannot be read: {error}") from None


def _require_writable(path: Path, shown: str) -> None:
    """Refuse what its owner has made read-only; root could write it all the same."""
    if not (path.stat().st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise PipelineError(f"{shown}: is read-only; `chmod u+w {shown}`, then run it again")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C and `kill` end a change by an error that says so, once it is undone."""
    before = {each: signal.signal(each, _stop) for each in STOPS}
    try:
        yield
    except KeyboardInterrupt:
        raise PipelineError("stopped before it was done; nothing was changed") from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    _ignore_stops()  # a second one must not cut short what undoes the change
    raise KeyboardInterrupt


def _ignore_stops() -> None:
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def _no_os_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that is somebody else's, into one line."""
    try:
        yield
    except OSError as error:
        path = Path(error.filename2 or error.filename or "data")
        shown = path.relative_to(folder) if path.is_relative_to(folder) else path
        text = f"{error.strerror}; nothing was changed"
        raise PipelineError(f"{shown}: cannot be written: {text}") from None


def _bring_back(away: Path, path: Path) -> None:
    """Undo a move, if it was made."""
    if os.path.lexists(away) and not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(away, path)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def last_error(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the line in which a program says why it failed."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
    named = re.compile("(ERROR|fatal|error): ")
    errors = [line for line in lines if named.match(line)]
    return named.sub("", (errors or [line for line in lines if line] or ["it says nothing"])[-1])
