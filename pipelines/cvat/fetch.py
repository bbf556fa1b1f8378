"""`fetch`: the exports of CVAT's tasks that are due become branches, which `publish` takes.

Nothing is checked out, and no branch is ever forced: a commit stands on the task's branch that
waits, or on the default branch, and one plain `git push` moves the branch. Before it nothing has
changed; so a fetch that ended anywhere is simply run again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipelines import messages
from pipelines.cvat import access, archives, exports, known, push, tasks, trigger
from pipelines.cvat.exports import Limits, Patience
from pipelines.cvat.http import SECRET, Server
from pipelines.cvat.known import Base
from pipelines.cvat.tasks import Found, Task
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError
from pipelines.forges import forge
from pipelines.publishing import branch_rules, publish, work_tree, workplace
from pipelines.publishing.plan import WORK, read_settings
from pipelines.storage.git import DEFAULT, Git

AT_ONCE = 8
"""Exports that are asked for at a time: CVAT queues them, and people's own wait behind ours."""

SECONDS = 900
"""How long an export is waited for while none ends."""

PATH = re.compile(r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+)*")
"""A plain path of a file in a registry."""


@dataclass(frozen=True)
class Wanted:
    """A dataset whose export is CVAT's."""

    dataset: str
    task: int
    path: str

    @property
    def what(self) -> str:
        """How it is called in messages."""
        return f"{self.dataset}: task {self.task}"


@dataclass(frozen=True)
class Run:
    """What one fetch works with: folder: where it may write. default: the default branch."""

    git: Git
    folder: Path
    default: str
    settings: Settings
    server: Server
    when: str


class Made(NamedTuple):
    """An export that was downloaded: the file with what is to be committed, and its date."""

    file: Path
    updated: str


def fetch(chosen: Sequence[str], seconds: float = SECONDS) -> int:
    """Push a branch for each task whose export is due and differs from what the registry has.

    chosen: the datasets, all if there is none. Return 0 if that is done, 1 if something was
    refused, 3 if something is to be tried again.
    """
    with _hold(seconds) as (git, folder):
        default = git.commit(DEFAULT)
        settings = read_settings(git, default)
        wanted = _choose(settings, chosen)
        if reason := _find_rest(settings, wanted):
            messages.say(f"{reason}; nothing to fetch")
            return publish.DONE
        assert settings.cvat
        server = access.open_server(settings.cvat, partial(git.text, default))
        run = Run(git, folder, default, settings, server, settings.cvat.when)
        done = _fetch(run, wanted, Patience(seconds))
    return publish.conclude(done, "fetch")


@contextmanager
def _hold(seconds: float) -> Iterator[tuple[Git, Path]]:
    """Yield a repository that has what the server has, and a folder to work in."""
    clone = Git(Path.cwd(), seconds)
    with workplace.hold(clone) as folder:
        if (folder / WORK).exists():  # of a publish that was killed: its containers go on
            work_tree.stop_left_overs(folder / WORK, seconds)
        yield workplace.connect(clone, folder), folder


def _choose(settings: Settings, chosen: Sequence[str]) -> list[Wanted]:
    """Return the datasets with a task, all or those that are chosen."""
    tasks_of = {dataset: task for task, dataset in settings.owners.items()}
    for name in chosen:
        if name not in tasks_of:
            text = f"{name}: has no cvat-task on the default branch"
            raise PipelineError(f"params.yaml: datasets.{text}; it has: {', '.join(tasks_of)}")
    return [
        Wanted(dataset, task, settings.exports[dataset])
        for dataset, task in tasks_of.items()
        if not chosen or dataset in chosen
    ]


def _find_rest(settings: Settings, wanted: Sequence[Wanted]) -> str:
    """Return why there is nothing to ask CVAT for; empty if there is something."""
    if not settings.cvat:
        return "params.yaml: has no cvat.url on the default branch"
    if not wanted:
        return "params.yaml: no dataset has a cvat-task on the default branch"
    if trigger.is_idle(settings.cvat.when):
        return "CVAT says that something was saved, and that no job was completed or accepted"
    return ""


def _fetch(run: Run, wanted: Sequence[Wanted], patience: Patience) -> list[forge.Outcome]:
    """Ask which tasks are due, export them side by side, then push one after the other."""
    plain = [each for each in wanted if PATH.fullmatch(each.path)]
    messages.tell(f"ask CVAT for {len(plain)} task{'s' * (len(plain) != 1)}")
    found = tasks.read_tasks(run.server, [each.task for each in plain]) if plain else {}
    bases = known.read_bases(run.git, run.default, {each.task: each.path for each in plain})
    if run.when == "completed":
        found |= tasks.count_jobs(run.server, _list_open(found, bases))
    due = [
        (each, task)
        for each in plain
        if isinstance(task := found[each.task], Task)
        and not _find_reason(task, bases[each.task], run.when)
    ]
    user = _read_user(run.server) if due else ""
    made = _export_all(run, due, patience)
    done = []
    for each in wanted:
        finish = partial(_finish, run, each, found, bases, made, user)
        done.append(publish.report(each.what, finish))
    return done


def _read_user(server: Server) -> str:
    """Return the name of the token's user; warn if the token may do more than it has to."""
    token = access.describe_token(server)
    if token is not None and token.get("read_only") is not True:
        messages.warn(f"{SECRET}: may write in CVAT; make a token that is read-only")
    return tasks.read_user(server)


def _list_open(found: Found, bases: Mapping[int, Base]) -> list[Task]:
    """Return the tasks that may be due by their jobs."""
    listed = [task for task in found.values() if isinstance(task, Task)]
    return [task for task in listed if not task.accepted and not _has(bases[task.id], task)]


def _has(base: Base, task: Task) -> bool:
    """Tell whether the registry has the task as it is now."""
    return base.blob is not None and task.updated in base.dates


def _find_reason(task: Task, base: Base, when: str) -> str:
    """Return why a task is not exported now; empty if it is due."""
    if base.in_dvc:
        return "kept in DVC"
    if _has(base, task):
        return "unchanged"
    return tasks.find_undone(task, when)


def _export_all(
    run: Run, due: Sequence[tuple[Wanted, Task]], patience: Patience
) -> dict[int, Made | PipelineError]:
    """Export tasks, several at a time. Until all have ended, no other program is started.

    A process that is started beside threads may hang: `commands.run` does something before it.
    """
    folder = run.folder / "exports"
    folder.mkdir(exist_ok=True)
    limits = Limits(run.settings.max_size, patience)
    patience.renew()
    done: dict[int, Made | PipelineError] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: dict[Future[Made | PipelineError], Wanted] = {
            pool.submit(_export, run.server, each, task, limits, folder): each for each, task in due
        }
        try:
            for future in as_completed(waiting):
                each = waiting[future]
                done[each.task] = future.result()
                messages.tell(f"{len(done)} of {len(due)} exports have ended: {each.what}")
        finally:  # Ctrl-C, too
            patience.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return done


def _export(
    server: Server, wanted: Wanted, task: Task, limits: Limits, folder: Path
) -> Made | PipelineError:
    """Write what is to be committed of a task into a file; return why not, if it cannot be had."""
    try:
        content, updated = exports.export(server, task, limits)
    except PipelineError as error:
        return error
    file = folder / str(wanted.task)
    zipped = wanted.path.endswith(".zip")
    file.write_bytes(archives.write_zip(content) if zipped else content)
    return Made(file, updated)


def _finish(
    run: Run,
    wanted: Wanted,
    found: Found,
    bases: Mapping[int, Base],
    made: Mapping[int, Made | PipelineError],
    user: str,
) -> str:
    """Push what was exported of a task; return what was done, or raise why it could not be."""
    if wanted.task not in bases:
        raise PipelineError(
            f"datasets.{wanted.dataset}.export is no path of a file in the registry"
        )
    task, base = found[wanted.task], bases[wanted.task]
    if base.in_dvc:
        remedy = branch_rules.KEPT_REMEDY.format(path=wanted.path)
        raise PipelineError(f"{wanted.path} {branch_rules.IN_DVC}; {remedy}")
    if isinstance(task, PipelineError):
        raise task
    if wanted.task not in made:
        return _find_reason(task, base, run.when)
    export = made[wanted.task]
    if isinstance(export, PipelineError):
        raise export
    change = push.Change(wanted.path, export.file.read_bytes(), export.updated)
    return push.push_export(run.git, run.settings, base, task, change, user)
