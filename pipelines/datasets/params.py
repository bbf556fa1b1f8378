"""What publishing needs to know of params.yaml, as the default branch has it."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from pipelines.errors import PipelineError


@dataclass(frozen=True)
class Settings:
    """exports: of each dataset, the path of its export. owners: of each CVAT task, its dataset.

    max_drop: the part of a dataset's pictures or objects that may be lost at once, from 0 to 1.
    max_size: bytes of an export that a branch brings.
    """

    exports: dict[str, str] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    max_drop: float = 0.2
    max_size: int = 16_000_000


def parse(text: str) -> Settings:
    """Read params.yaml."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PipelineError(
            f"params.yaml: is no plain YAML: {' '.join(str(error).split())}"
        ) from None
    datasets = _mapping(values, "params.yaml").get("datasets") or {}
    exports: dict[str, str] = {}
    owners: dict[int, str] = {}
    for name, entry in _mapping(datasets, "datasets").items():
        exports[str(name)] = str(_mapping(entry, f"datasets.{name}").get("export", ""))
        task = entry.get("cvat-task")
        if task is not None:
            if type(task) is not int or task in owners:
                text = "must be the number of a task that no other dataset has"
                raise PipelineError(f"params.yaml: datasets.{name}.cvat-task: {text}")
            owners[task] = str(name)
    publish = _mapping(values.get("publish") or {}, "publish")
    if strange := publish.keys() - {"max-drop", "max-size"}:
        text = "is no parameter; there are max-drop, max-size"
        raise PipelineError(f"params.yaml: publish.{min(map(str, strange))}: {text}")
    return Settings(
        exports,
        owners,
        _number(publish.get("max-drop", Settings.max_drop), "max-drop", 1),
        int(_number(publish.get("max-size", Settings.max_size), "max-size", 2**40)),
    )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PipelineError(f"params.yaml: {where}: must be a mapping, `key: value` lines")
    return value


def _number(value: Any, key: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise PipelineError(f"params.yaml: publish.{key}: must be a number from 0 to {most}")
    return value
