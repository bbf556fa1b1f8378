"""What the remote is to hold: the outputs that dvc.lock names, and what .dvc files name."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines import messages
from pipelines.errors import PipelineError
from pipelines.publishing.work_tree import Work
from pipelines.storage import dvc_files, remote
from pipelines.storage.dvc_files import Named
from pipelines.storage.git import Git


def read_lock(work: Work) -> str:
    """Return dvc.lock as it is in the work tree."""
    path = work.folder / "dvc.lock"
    return path.read_text("utf-8") if path.exists() else dvc_files.EMPTY


def publishable_lock(work: Work) -> str:
    """Return dvc.lock as it is published: as DVC wrote it, without stages of uncached outputs.

    In a clone, DVC would take those for up to date, and make no pictures.
    """
    lock = read_lock(work)
    return dvc_files.drop_stages(lock, dvc_files.of_lock(lock).keys() - {*work.targets})


def outputs(work: Work, lock: str) -> dict[str, list[Named]]:
    """Return what the remote is to hold of each stage of a dvc.lock; metrics are in git."""
    known = {stage.name: stage.outs for stage in work.stored}
    return {
        name: [
            each._replace(remote=known[name][each.path])
            for each in outs
            if each.path in known[name]
        ]
        for name, outs in dvc_files.of_lock(lock).items()
        if name in known
    }


def list_outputs(work: Work, lock: str) -> list[Named]:
    """Return what the remote is to hold of a dvc.lock."""
    return [each for outs in outputs(work, lock).values() for each in outs]


def list_added(folder: Path) -> Iterator[Named]:
    """Yield what the .dvc files name: exports and movies that people added."""
    listed = Git(folder)("ls-files", "-z", "--", "*.dvc")
    for path in filter(None, listed.split("\0")):
        if (folder / path).is_file():
            yield from dvc_files.of_dvc_file((folder / path).read_text("utf-8"), path)


def find_lost(work: Work) -> dict[str, str]:
    """Return what the remote lacks though dvc.lock names it, path -> why.

    What a .dvc file names is nothing that could be made again: it is refused.
    """
    added = list(list_added(work.folder))
    wanted = [*list_outputs(work, read_lock(work)), *added]
    tell_look_up(wanted)
    found = remote.find_lacking(work.folder, wanted, seconds=work.plan.options.seconds)
    for each in added:
        if each.path in found:
            text = f"the remote lacks it ({found[each.path]}); run `dvc push` where it was added"
            raise PipelineError(f"{each.path}: {text}")
    return found


def tell_look_up(wanted: Sequence[Named]) -> None:
    """Say that objects are looked up, if there are any."""
    if wanted:
        messages.tell(f"look up {len(wanted)} objects in the remote")
