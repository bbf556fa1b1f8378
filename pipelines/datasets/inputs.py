"""A movie and CVAT's export, as people have them: brought in, and looked at by the stages."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipelines import commands
from pipelines.datasets import edits, params_file
from pipelines.datasets.edits import Edit
from pipelines.datasets.params import Settings
from pipelines.datasets.stage_run import run_stage
from pipelines.errors import PipelineError

INDEX, METRICS = "frames.csv", "metrics.json"
NO_LABEL = "a label that no export has"
BLOCK = 1 << 20


def require_file(path: Path, what: str) -> None:
    """Refuse a path that is not a file that can be read."""
    if not path.is_file():
        there = "is no file" if path.exists() else "is not there"
        raise PipelineError(f"{path}: {there}; give the path of {what}")
    if not os.access(path, os.R_OK):
        raise PipelineError(f"{path}: cannot be read; ask its owner for the right to")


def extension(path: Path) -> str:
    """Return the extension that a file keeps: nothing a shell could take for more than text."""
    return path.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", path.suffix) else ""


def bring(change: Edit, source: Path, target: Path, *, move: bool = False) -> bool:
    """Copy or move a file to where nothing is yet; tell whether the original is still there."""
    if move:
        try:
            change.move(source, target)
        except OSError:  # another disk, or a folder that is somebody else's
            pass
        else:
            return False
    shutil.copyfile(source, target)
    return True


def look_at_movie(change: Edit, root: Path, movie: Path, shown: str) -> str:
    """Decode a movie, write its frame index into root, and return what the stage says of it."""
    return run_stage(
        change.folder,
        "video-to-frame",
        *("--parameters", _below(change, _parameters(change))),
        *("--source", _below(change, movie), "--index", _below(change, root / INDEX)),
        names={_below(change, movie): shown, _below(change, _parameters(change)): "params.yaml"},
    )


def count_frames(index: Path) -> int:
    """Return how many frames a frame index has: a line each, below its first."""
    with index.open("rb") as file:
        return sum(1 for _ in file) - 1


def look_at_export(
    change: Edit, root: Path, export: Path, shown: str, *, quiet: bool = False
) -> str:
    """Read an export as the pipeline would; return what would be kept and dropped.

    root: a folder with the dataset's name; with a frame index in it, everything is checked and
    metrics.json is written there, without one names and sizes are not looked at.
    """
    words = ["--check"]
    if (root / INDEX).exists():
        words = ["--destination", _below(change, root / "Annotations.zip")]
        words += ["--metrics", _below(change, root / METRICS)]
    names = {_below(change, export): shown, _below(change, root): f"data/{root.name}"}
    return run_stage(
        change.folder,
        "prepare-annotations",
        *("--parameters", _below(change, _parameters(change)), "--root", _below(change, root)),
        *("--source", _below(change, export), *words),
        names={**names, _below(change, _parameters(change)): "params.yaml"},
        quiet=quiet,
    )


def find_labels(change: Edit, root: Path, export: Path, text: str) -> list[str]:
    """Return the labels that an export's objects have once they are renamed, sorted.

    text: a params.yaml that keeps none. The frame index must be in root.
    """
    write_parameters(change, params_file.add_labels(text, [NO_LABEL]))
    look_at_export(change, root, export, export.name, quiet=True)
    why = "dropped, label "
    found = numbers(root / METRICS)
    return sorted(each.removeprefix(why) for each in found if each.startswith(why))


def write_parameters(change: Edit, text: str) -> None:
    """Write what params.yaml is going to be to where stages can read it."""
    _parameters(change).write_bytes(text.encode("utf-8"))


def _parameters(change: Edit) -> Path:
    return change.aside / edits.PARAMS


def _below(change: Edit, path: Path) -> str:
    return path.relative_to(change.folder).as_posix()


def numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a metrics.json by name; none if it is not there, or is no such file."""
    try:
        said = json.loads(path.read_bytes())
        found = {key: int(said[key]) for key in ("pictures", "objects")}
        found |= {str(label): int(n) for label, n in said["labels"].items()}
        return found | {f"dropped, {why}": int(n) for why, n in said.get("dropped", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def refuse_movie_of_other_split(
    folder: Path, settings: Settings, movie: Path, split: str | None, shown: str = ""
) -> None:
    """Refuse a movie that a dataset of another split has, byte by byte.

    shown: what it is called, if not by its path.
    """
    twins = [*same_movie(folder, settings, movie)]
    for other, section in (settings.splits or {}).items():
        for name in twins:
            if split not in (None, other) and name in section.datasets:
                text = f"is the movie of {name}, which is in the split {other}"
                raise PipelineError(f"{shown or movie}: {text}; add it with --split {other}")


def same_movie(folder: Path, settings: Settings, movie: Path) -> Iterator[str]:
    """Yield the datasets that have the same movie; files of other sizes are not read."""
    size, own = movie.stat().st_size, ""
    for name, source in settings.sources.items():
        if known_size(folder, source) == size:
            own = own or md5(movie)
            if known_md5(folder, source) == own:
                yield name


def known_size(folder: Path, path: str) -> int | None:
    """Return the bytes of a file that is here, or that a .dvc file names."""
    said = dvc_out(folder, path).get("size")
    if isinstance(said, int):
        return said
    return (folder / path).stat().st_size if path and (folder / path).is_file() else None


def known_md5(folder: Path, path: str) -> str | None:
    """Return the MD5 of a file that a .dvc file names, or that is here."""
    if said := dvc_out(folder, path).get("md5"):
        return str(said)
    return md5(folder / path) if path and (folder / path).is_file() else None


def dvc_out(folder: Path, path: str) -> dict[str, object]:
    """Return what the .dvc file beside a path says of it; nothing if there is none."""
    outs = dvc_file(folder, path).get("outs")
    first = outs[0] if isinstance(outs, list) and outs else None
    return first if isinstance(first, dict) else {}


def dvc_file(folder: Path, path: str) -> dict[str, object]:
    """Return what the .dvc file beside a path says; nothing if there is none, or it is damaged."""
    try:
        said = yaml.safe_load((folder / f"{path}.dvc").read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return said if isinstance(said, dict) else {}


def md5(path: Path) -> str:
    """Return the MD5 of a file, as DVC has it."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def in_git(folder: Path, path: str) -> bool:
    """Tell whether git tracks a file."""
    words = ("ls-files", "--error-unmatch", "--", f":(literal){path}")
    return bool(path) and commands.works("git", *words, folder=folder)
