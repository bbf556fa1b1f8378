"""What can be said of a registry without any server: params.yaml, dvc.yaml, names, files, links."""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipelines import commands
from pipelines.containers import images
from pipelines.datasets import edits, inputs, params, split_stages
from pipelines.datasets.add import mistake_of_name
from pipelines.datasets.params import Settings
from pipelines.datasets.stage_run import run_stage
from pipelines.errors import PipelineError

SHOWN = 3
"""How many files one finding names."""


class Finding(NamedTuple):
    """What is wrong: one line of what, where and what to do. refused: it must be mended."""

    text: str
    refused: bool = True

    def __str__(self) -> str:
        """Return the line."""
        return self.text


@dataclass(frozen=True)
class Registry:
    """A registry that is looked at. engine: whether stages may be run to look at exports."""

    folder: Path
    settings: Settings
    engine: bool
    tracked: frozenset[str] = field(default_factory=frozenset)

    def knows(self, path: str) -> bool:
        """Tell whether git or a .dvc file names a path, or a folder it lies in."""
        places = [path, *(each.as_posix() for each in Path(path).parents if each.name)]
        return any(
            each in self.tracked or (self.folder / f"{each}.dvc").is_file() for each in places
        )


def findings(folder: Path, *, engine: bool = True) -> list[Finding]:
    """Return all that is wrong with the registry in a folder; what cannot be looked at is named.

    engine: whether to have the stages read params.yaml and the exports, which takes seconds each.
    """
    folder = folder.absolute()
    try:
        settings = params.parse(edits.read(folder))
    except PipelineError as error:
        return [Finding(str(error))]
    registry = Registry(folder, settings, engine, _tracked(folder))
    return [*dict.fromkeys(each for look in LOOKS for each in _looked(look, registry))]


def _tracked(folder: Path) -> frozenset[str]:
    listed = commands.run("git", "ls-files", "-z", folder=folder)
    return frozenset(filter(None, listed.stdout.split("\0")))


def _looked(look: Callable[[Registry], Iterator[Finding]], registry: Registry) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look(registry))
    except (PipelineError, OSError) as error:
        found.append(Finding(" ".join(str(error).split())))
    return found


def _pipeline(registry: Registry) -> Iterator[Finding]:
    """Look whether dvc.yaml says what params.yaml says."""
    split_stages.check(registry.folder)
    images.read(registry.folder)
    yield from ()


def _names(registry: Registry) -> Iterator[Finding]:
    for name in registry.settings.exports:
        if wrong := mistake_of_name(name):
            yield Finding(f"params.yaml: datasets.{name}: {wrong}; rename it and data/{name}")


def _files(registry: Registry) -> Iterator[Finding]:
    """Look for movies and exports that nobody else could have."""
    settings = registry.settings
    for key, paths in ("source", settings.sources), ("export", settings.exports):
        for name, path in paths.items():
            place = f"params.yaml: datasets.{name}.{key}"
            if not path:
                yield Finding(f"{place}: is missing; give the path of the file")
            elif not Path(path).is_relative_to("data") or ".." in Path(path).parts:
                yield Finding(f"{place}: {path} is not below data/, so no stage sees it; move it")
            elif not registry.knows(path):
                there = os.path.lexists(registry.folder / path)
                text = "is known to neither DVC nor git" if there else "is not there"
                remedy = f"`dvc add {path}`" if there else "correct the path, or `dvc add` the file"
                yield Finding(f"{path}: {text}; {remedy} (datasets.{name}.{key})")


def _splits(registry: Registry) -> Iterator[Finding]:
    """Look for datasets in no split, and for whole ones in two."""
    splits = registry.settings.splits
    if splits is None:
        return
    for name in registry.settings.exports:
        parts = [
            (split, range_)
            for split, section in splits.items()
            for dataset, range_ in section.parts
            if dataset == name
        ]
        if not parts:
            text = f"{name} is in no split; add it to one's datasets"
            yield Finding(f"params.yaml: splits: {text}", refused=False)
        whole = [split for split, range_ in parts if not range_]
        if len(parts) > 1 and whole:
            where = " and ".join(dict.fromkeys(split for split, _ in parts))
            text = f"{name} is in {where} with the same frames; take it out of one, or give ranges"
            yield Finding(f"params.yaml: splits: {text}")


def _movies(registry: Registry) -> Iterator[Finding]:
    """Look for one movie in two datasets of different splits."""
    settings, seen = registry.settings, dict[str, str]()
    splits = (settings.splits or {}).items()
    homes = {
        name: {split for split, each in splits if name in each.datasets}
        for name in settings.sources
    }
    sizes = {n: inputs.known_size(registry.folder, path) for n, path in settings.sources.items()}
    for name, path in settings.sources.items():
        if sizes[name] is None or [*sizes.values()].count(sizes[name]) < 2:
            continue
        other = seen.setdefault(inputs.known_md5(registry.folder, path) or path, name)
        if other != name and homes[name] and homes[other] and homes[name] != homes[other]:
            where = ", ".join(sorted(homes[name] | homes[other]))
            text = f"is also the movie of {other}, in another split ({where})"
            yield Finding(f"{path}: {text}; put both into one split, or remove one")


def _unused(registry: Registry) -> Iterator[Finding]:
    """Look for folders of data/ that belong to no dataset, and for what was left there."""
    settings, data = registry.settings, registry.folder / "data"
    used = {Path(path).parts[1] for path in _paths(settings) if len(Path(path).parts) > 2}
    used |= {*settings.exports, edits.MERGED}
    for each in sorted(data.iterdir()) if data.is_dir() else ():
        shown = f"data/{each.name}"
        if each.name.startswith(".partial-"):
            text = "was left by a command that was killed; delete it"
            yield Finding(f"{shown}: {text}", refused=False)
        elif each.is_dir() and each.name not in used:
            text = "belongs to no dataset of params.yaml; `add` it, or delete it"
            yield Finding(f"{shown}: {text}", refused=False)
    merged = data / edits.MERGED
    for each in sorted(merged.iterdir()) if merged.is_dir() else ():
        if each.is_dir() and not _has_stage(registry, each.name):
            text = "belongs to no split of params.yaml that has datasets; delete it"
            yield Finding(f"data/{edits.MERGED}/{each.name}: {text}", refused=False)


def _paths(settings: Settings) -> list[str]:
    return [*settings.sources.values(), *settings.exports.values()]


def _links(registry: Registry) -> Iterator[Finding]:
    """Look whether the links to pictures are those of the merge that is checked out."""
    for merged in sorted((registry.folder / "data" / edits.MERGED).glob("*/merge.csv")):
        folder = merged.parent / edits.LINKS
        if not (folder.is_dir() and _has_stage(registry, merged.parent.name)):
            continue
        wanted, found = _merged(merged), {*_below(folder)}
        wrong = sorted(wanted ^ found) or sorted(
            name for name in found if _leads_nowhere(folder, name)
        )
        if wrong:
            shown = folder.relative_to(registry.folder).as_posix()
            text = f"has {len(found)} pictures, not the {len(wanted)} of its merge.csv"
            text = text if len(found) != len(wanted) else "has pictures of another version"
            more = f"{wrong[0]} is one of {len(wrong)} that differ"
            remedy = "run `dvc repro pictures/dvc.yaml`"
            yield Finding(f"{shown}: {text} ({more}); {remedy}", refused=False)


def _has_stage(registry: Registry, split: str) -> bool:
    splits = registry.settings.splits
    return splits is None or (split in splits and bool(splits[split].parts))


def _merged(path: Path) -> set[str]:
    """Return the pictures that a merge.csv names."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return {row.get("picture") or "" for row in csv.DictReader(file)}


def _below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            yield path.relative_to(folder).as_posix()


def _leads_nowhere(folder: Path, name: str) -> bool:
    return (folder / name).is_symlink() and not (folder / name).exists()


def _committed(registry: Registry) -> Iterator[Finding]:
    if "pictures/dvc.lock" in registry.tracked:
        text = "is committed, but it is each machine's own"
        yield Finding(f"pictures/dvc.lock: {text}; `git rm --cached pictures/dvc.lock`")


def _exports(registry: Registry) -> Iterator[Finding]:
    """Have the stages read params.yaml and the exports that are here."""
    folder = registry.folder
    if lacking := _lacking_engine(registry):
        text = f"the parameters of stages and the exports were not looked at: {lacking}"
        yield Finding(text, refused=False)
        return
    yield from _frames_section(registry)
    absent = []
    for name, path in registry.settings.exports.items() or [("none", "data/none")]:
        if (folder / path).is_file() or not registry.settings.exports:
            yield from _read_export(registry, name, path)
        elif registry.knows(path):
            absent.append(path)
    if absent:
        shown = ", ".join(absent[:SHOWN]) + (" ..." if len(absent) > SHOWN else "")
        text = f"{len(absent)} of {len(registry.settings.exports)} exports were not looked at"
        yield Finding(f"{text}, they are not here ({shown}); `dvc pull` them", refused=False)


def _lacking_engine(registry: Registry) -> str:
    """Return why stages cannot be run; nothing if they can."""
    if not registry.engine:
        return "no engine is wanted"
    if not (registry.folder / "data").is_dir():
        return "there is no data/"
    try:
        images.ready(registry.folder)
    except PipelineError as error:
        return " ".join(str(error).split())
    return ""


def _frames_section(registry: Registry) -> Iterator[Finding]:
    """Have video-to-frame check its parameters: it reads them before it misses the movie."""
    words = ("--source", "data/.partial-none", "--index", "data/.partial-none.csv")
    yield from _refusals(registry, "video-to-frame", words, only_parameters=True)


def _read_export(registry: Registry, name: str, path: str) -> Iterator[Finding]:
    words = ("--root", f"data/{name}", "--source", path, "--check")
    known = name in registry.settings.exports
    yield from _refusals(registry, "prepare-annotations", words, only_parameters=not known)


def _refusals(
    registry: Registry, stage: str, words: tuple[str, ...], *, only_parameters: bool
) -> Iterator[Finding]:
    words = ("--parameters", "params.yaml", *words)
    try:
        run_stage(registry.folder, stage, *words, quiet=True)
    except PipelineError as error:
        if not only_parameters or str(error).startswith("params.yaml"):
            yield Finding(str(error))


LOOKS = (_pipeline, _names, _files, _splits, _movies, _unused, _links, _committed, _exports)
