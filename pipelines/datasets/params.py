"""What the tools need to know of params.yaml; the stages check their own sections of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipelines.cvat import settings as cvat_settings
from pipelines.cvat.settings import Cvat
from pipelines.errors import PipelineError

NAME = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*", re.ASCII)
"""A dataset or a split: a folder's name, and the first part of the names of its pictures."""

PART = re.compile(r"([^\[\]]+)(\[[0-9]*:[0-9]*\])?", re.ASCII)
"""What a split takes of a dataset: all, `movie4`, or a range of frames, `movie4[5000:]`."""


@dataclass(frozen=True)
class Split:
    """Datasets that are merged.

    parts: dataset and range of frames, empty for all frames. apart_from: the splits that may have
    no picture of this one; None stands for all others.
    """

    parts: tuple[tuple[str, str], ...]
    apart_from: tuple[str, ...] | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the names of the datasets."""
        return tuple(dict.fromkeys(name for name, _ in self.parts))


@dataclass(frozen=True)
class Settings:
    """exports: of each dataset, the path of its export. owners: of each CVAT task, its dataset.

    max_drop: the part of a dataset's pictures or objects that may be lost at once, from 0 to 1.
    max_size: bytes of an export that a branch brings. splits: None if there is no such section.
    relabelled: the datasets that override valid-labels. labels: annotations.valid-labels.
    cvat: the CVAT that is asked for its tasks; None if there is none.
    """

    exports: dict[str, str] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    max_drop: float = 0.2
    max_size: int = 16_000_000
    splits: dict[str, Split] | None = None
    relabelled: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    cvat: Cvat | None = None


def parse(text: str) -> Settings:
    """Read params.yaml; a PipelineError says what is wrong with it."""
    values = _mapping(load(text), "")
    datasets = {
        str(name): _mapping(entry, f"datasets.{name}")
        for name, entry in _mapping(values.get("datasets") or {}, "datasets").items()
    }
    publish = _mapping(values.get("publish") or {}, "publish")
    _refuse_unknown(publish, ("max-drop", "max-size"), "publish")
    return Settings(
        {name: str(entry.get("export", "")) for name, entry in datasets.items()},
        dict(_owners(datasets)),
        _number(publish.get("max-drop", Settings.max_drop), "max-drop", 1),
        int(_number(publish.get("max-size", Settings.max_size), "max-size", 2**40)),
        _splits(values["splits"], [*datasets]) if "splits" in values else None,
        tuple(name for name, entry in datasets.items() if _relabels(name, entry)),
        {name: str(entry.get("source", "")) for name, entry in datasets.items()},
        _labels(values),
        cvat_settings.parse(_mapping(values.get("cvat") or {}, "cvat")),
    )


def load(text: str) -> Any:
    """Read YAML."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())
        raise PipelineError(f"params.yaml: is no plain YAML: {said}") from None


def _labels(values: dict[str, Any]) -> tuple[str, ...]:
    """Return annotations.valid-labels, which the stages check."""
    labels = _mapping(values.get("annotations") or {}, "annotations").get("valid-labels")
    return tuple(map(str, labels)) if isinstance(labels, list) else ()


def _owners(datasets: dict[str, dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield each CVAT task that a dataset names, with the dataset."""
    seen = set[int]()
    for name, entry in datasets.items():
        task = entry.get("cvat-task")
        if task is None:
            continue
        if type(task) is not int or task in seen:
            text = "must be the number of a task that no other dataset has"
            raise _error(f"datasets.{name}.cvat-task", text)
        seen.add(task)
        yield task, name


def _relabels(name: str, entry: dict[str, Any]) -> bool:
    return "valid-labels" in _mapping(
        entry.get("annotations") or {}, f"datasets.{name}.annotations"
    )


def _splits(value: Any, datasets: list[str]) -> dict[str, Split]:
    found = {}
    sections = _mapping(value or {}, "splits")
    for name, section in sections.items():
        place = f"splits.{name}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise _error(place, "a name has letters and digits, with single - or _ between them")
        entry = _mapping(section or {}, place)
        _refuse_unknown(entry, ("apart-from", "datasets"), place)
        parts = tuple(
            _part(each, f"{place}.datasets", datasets)
            for each in _list(entry.get("datasets") or [], f"{place}.datasets")
        )
        apart = entry.get("apart-from")
        others = [each for each in sections if each != name]
        found[name] = Split(parts, None if apart is None else _apart(apart, place, others))
    return found


def _part(text: str, place: str, datasets: list[str]) -> tuple[str, str]:
    matched = PART.fullmatch(text)
    if not matched:
        example = "a dataset, `movie4`, or a range of its frames, `movie4[0:9]`"
        raise _error(place, f"{text!r} is not {example}")
    if matched[1] not in datasets:
        known = ", ".join(datasets) or "none"
        raise _error(place, f"there is no dataset {matched[1]}; the section datasets has: {known}")
    return matched[1], matched[2] or ""


def _apart(value: Any, place: str, others: list[str]) -> tuple[str, ...]:
    for each in (listed := _list(value, f"{place}.apart-from")):
        if each not in others:
            known = ", ".join(others) or "none"
            raise _error(f"{place}.apart-from", f"{each!r} is no other split; there are: {known}")
    return tuple(listed)


def _list(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(type(each) in (str, int) for each in value):
        raise _error(place, "must be a list of names")
    return [str(each) for each in value]


def _refuse_unknown(mapping: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in sorted(map(str, mapping.keys() - {*known})):
        raise _error(f"{place}.{key}", f"is no parameter; there are {', '.join(known)}")


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(where, "must be a mapping, `key: value` lines")
    return value


def _number(value: Any, key: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _error(f"publish.{key}", f"must be a number from 0 to {most}")
    return value


def _error(place: str, text: str) -> PipelineError:
    return PipelineError(f"params.yaml: {f'{place}: ' if place else ''}{text}")
