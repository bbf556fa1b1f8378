"""The labels of a split in the order of their class numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotations import dataset, labels
from annotations.metrics import Metrics
from stage import cli
from stage.errors import StageError
from stage.parameters import load


@dataclass(frozen=True)
class Order:
    """The labels of a registry by class number; valid: those of annotations.valid-labels."""

    labels: Sequence[str] = ()
    valid: Sequence[str] = ()


def read(parameters: Path | None) -> Order:
    """Read the order from params.yaml; without it there is none."""
    if parameters is None:
        return Order()
    loaded = load(parameters)
    valid = labels.read_valid_labels(loaded, "annotations")
    return Order(labels.read_class_order(loaded), valid)


def count(order: Order, folders: Iterable[Path], numbers: Metrics) -> list[str]:
    """Return the labels of a split: those of the order, then all others of its datasets, sorted.

    Others are what the datasets in folders declare in labelmap.txt, and what occurs. In numbers,
    a label that does not occur has 0 objects.
    """
    maps = (folder / "labelmap.txt" for folder in folders)
    declared = {label for path in maps if path.exists() for label in dataset.read_labelmap(path)}
    numbers.labels.update(dict.fromkeys((*order.labels, *declared), 0))
    for label in numbers.labels:
        if not labels.is_valid_label(label):
            raise StageError(f"{label!r}: cannot be a label; prepare its dataset again without it")
    return [*order.labels, *sorted(numbers.labels.keys() - set(order.labels))]


def warn(order: Order, numbers: Metrics, destination: Path) -> None:
    """Warn of each valid label that the split in destination has no object of."""
    for label in order.valid:
        if not numbers.labels[label]:
            text = f"no object has the label {label}, which annotations.valid-labels names"
            cli.warn(f"{destination}: {text}")
