"""What params.yaml says of one dataset, checked."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rules
from annotations import labels
from annotations.export_file import Choice
from rules import Annotations
from stage.parameters import Parameters, load


@dataclass(frozen=True)
class Dataset:
    """An entry of the section `datasets` of params.yaml."""

    source: str = ""
    export: str = ""
    cvat_task: int = 0
    annotations: dict[str, Any] = field(default_factory=dict)


def read_settings(parameters: Path, root: Path, choice: Choice) -> tuple[Annotations, Choice]:
    """Return the rules for the dataset in folder root, and the task that its export may be of."""
    name = Path(os.path.abspath(root)).name  # noqa: PTH100  # a link keeps its own name
    loaded = load(parameters)
    entry = loaded.section(Dataset, ("datasets", name))
    if entry.cvat_task:
        choice = replace(choice, expected=str(entry.cvat_task))
    return read_annotations(loaded, name), choice


def read_annotations(loaded: Parameters, name: str) -> Annotations:
    """Return the section `annotations` of a parameter file with what a dataset overrides."""
    own = ("datasets", name, "annotations")
    settings = loaded.section(Annotations, ("annotations",), own)
    for key, text in _find_mistakes(settings):
        place = own if key in loaded.mapping(own) else ("annotations",)
        raise loaded.error((*place, key), text)
    if "destination" in loaded.mapping(own):
        raise loaded.error((*own, "destination"), "is the same for all datasets")
    return settings


def _find_mistakes(settings: Annotations) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the parameters: key and text."""
    yield from (("valid-labels", text) for text in labels.find_mistakes(settings.valid_labels))
    sizes = settings.min_size
    if len(sizes) != 2 or not all(0 <= size < math.inf for size in sizes):
        yield "min-size", "must be two numbers from 0: [width, height]"
    if settings.rotated not in rules.ROTATED:
        yield "rotated", f"must be one of {', '.join(rules.ROTATED)}"
    for shape in settings.shapes:
        if shape not in rules.SHAPES:
            yield "shapes", f"{shape!r} is none of {', '.join(rules.SHAPES)}"
    if settings.destination not in rules.DESTINATIONS:
        yield "destination", f"must be one of {', '.join(rules.DESTINATIONS)}"
