"""What must hold of a reproduced pipeline before anything of it is published."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.storage.dvc import Dvc, Stage
from pipelines.storage.dvc_files import Named

CONTROL = (".dvc", ".dvcignore", ".git", ".gitignore", ".gitattributes", ".gitmodules")
"""Names of files that DVC or git would read as its own configuration."""


def refuse_unfinished(dvc: Dvc, targets: Sequence[str]) -> None:
    """Refuse a pipeline of which a stage would still run."""
    if left := dvc.pending(targets):
        text = "would run again after it ran; make its outputs the same each time"
        raise PipelineError(f"dvc.yaml: {left[0]}: {text}")


def refuse_unnamed(stages: Iterable[Stage], lock: Mapping[str, list[Named]]) -> None:
    """Refuse a dvc.lock that lacks a stage or an output: DVC truncates it when a disk is full."""
    for stage in stages:
        named = {each.path for each in lock.get(stage.name, [])}
        if lost := sorted({*stage.outs} - named):
            raise PipelineError(f"dvc.lock: lacks {lost[0]} of {stage.name}; is the disk full?")


def refuse_odd_files(folder: Path, named: Iterable[Named]) -> None:
    """Refuse outputs that are no plain files, or not as many as dvc.lock says.

    Outputs that were not made now are not on this disk, but in the remote.
    """
    for each in named:
        path = folder / each.path
        if not os.path.lexists(path):
            continue
        files = list(_files(path))
        for file in files:
            if file.name in CONTROL or not stat.S_ISREG(file.lstat().st_mode):
                shown = file.relative_to(folder).as_posix()
                raise PipelineError(f"{shown}: is no plain file of data; stages must not make it")
        if each.files not in (None, len(files)):
            text = f"has {len(files)} files, but dvc.lock says {each.files}"
            raise PipelineError(f"{each.path}: {text}; run publish again")


def _files(path: Path) -> Iterator[Path]:
    """Yield everything below a path that is no folder, and folders that DVC or git would read."""
    if path.is_symlink() or not path.is_dir() or path.name in CONTROL:
        yield path
        return
    for entry in os.scandir(path):
        yield from _files(Path(entry.path))
