"""Reads dvc.lock and .dvc files: the data that a commit needs the remote to hold."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import yaml

from pipelines.errors import PipelineError

EMPTY = "schema: '2.0'\nstages: {}\n"
"""A dvc.lock of a pipeline that never ran."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The reader of plain YAML: the fast one, if this Python has it."""


class Named(NamedTuple):
    """A file or folder (its md5 ends with .dir) that dvc.lock or a .dvc file names.

    size: bytes in all, None if not said. files: how many, None for a file. remote: the name of
    the remote that is to hold it, empty for the default one.
    """

    path: str
    md5: str
    size: int | None
    files: int | None
    remote: str = ""


def of_lock(text: str) -> dict[str, list[Named]]:
    """Return the outputs of each stage in a dvc.lock; those that are not cached, too."""
    stages = _mapping(_load(text, "dvc.lock"), "dvc.lock").get("stages") or {}
    return {name: list(_named(entry, "")) for name, entry in _mapping(stages, "stages").items()}


def md5s(text: str) -> set[str]:
    """Return the md5s of all that a dvc.lock names: what stages read, and what they made."""
    stages = _mapping(_load(text, "dvc.lock"), "dvc.lock").get("stages") or {}
    return {
        str(_mapping(each, name)["md5"])
        for name, entry in _mapping(stages, "stages").items()
        for kind in ("deps", "outs")
        for each in _mapping(entry, name).get(kind) or []
        if "md5" in _mapping(each, name)
    }


def of_dvc_file(text: str, path: str) -> list[Named]:
    """Return what a .dvc file names that this registry's remotes are to hold; path: its own.

    What `dvc import` brought is another registry's, which holds it; what `dvc import-url` brought
    is ours to keep.
    """
    entry = _mapping(_load(text, path), path)
    if any("repo" in _mapping(each, path) for each in entry.get("deps") or []):
        return []
    if any(_mapping(each, path).get("push") is False for each in entry.get("outs") or []):
        text = "has `push: false`, so that no other clone can have it; remove that, `dvc push`"
        raise PipelineError(f"{path}: {text}")
    folder = f"{path.rpartition('/')[0]}/" if "/" in path else ""
    return list(_named(entry, folder))


def drop_stages(text: str, stages: Iterable[str]) -> str:
    """Return a dvc.lock without the entries of some stages; what is left is as DVC wrote it."""
    names = of_lock(text).keys()
    dropped = names & {*stages}
    if not dropped:
        return text
    if dropped == names:
        return EMPTY
    begins = _begins(text)
    head = text[: begins[0][1]]
    parts = [(name, text[begin:end]) for (name, begin), (_, end) in pairwise(begins)]
    return head + "".join(part for name, part in parts if name not in dropped)


def _begins(text: str) -> list[tuple[str, int]]:
    """Return the stages of a dvc.lock and where the lines of each begin, then where all end."""
    document = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(document, yaml.MappingNode)  # or of_lock had refused it
    key, stages = document.value[-1]  # DVC writes them last
    if key.value != "stages" or stages.flow_style:
        raise PipelineError("dvc.lock: is not as DVC writes it; restore it from git")
    found = [(each.value, each.start_mark.index) for each, _ in stages.value]
    return [*((name, text.rindex("\n", 0, at) + 1) for name, at in found), ("", len(text))]


def _named(entry: Any, folder: str) -> Iterator[Named]:
    for each in _mapping(entry, "a stage").get("outs") or []:
        out = _mapping(each, "an output")
        if out.get("md5") and out.get("cache", True):
            path, remote = f"{folder}{out.get('path', '')}", str(out.get("remote") or "")
            yield Named(path, str(out["md5"]), out.get("size"), out.get("nfiles"), remote)


def _load(text: str, where: str) -> Any:
    try:
        return LOADER(text).get_single_data() or {}
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise PipelineError(f"{where}: is no plain YAML: {said}; restore it from git") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PipelineError(f"{where}: is not as DVC writes it; restore it from git")
    return value
