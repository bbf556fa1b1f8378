"""metrics.json: numbers of what went into a dataset and of what did not."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from annotations.model import Annotation
from stage import output_checks

LARGEST = 16 << 20
"""Bytes of metrics, at most."""


@dataclass
class Metrics:
    """What went into a dataset and what did not: numbers of pictures and objects."""

    pictures: int = 0
    objects: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)

    def count(self, annotation: Annotation) -> None:
        """Count an annotation that is kept."""
        self.pictures += 1
        self.objects += len(annotation.objects)
        for each in annotation.objects:
            self.labels[each.label] += 1

    def add(self, other: "Metrics") -> None:
        """Add the numbers of another part of the dataset."""
        self.pictures += other.pictures
        self.objects += other.objects
        self.labels.update(other.labels)
        self.dropped.update(other.dropped)
        self.doubtful.update(other.doubtful)

    def write(self, path: Path) -> None:
        """Write them as JSON, keys sorted; what is doubtful only if something is."""
        shown = {key: value for key, value in vars(self).items() if value or key != "doubtful"}
        text = json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")

    def __str__(self) -> str:
        """Return a small table of them."""
        rows = [("pictures", self.pictures), ("objects", self.objects)]
        rows += [(f"  {label}", n) for label, n in sorted(self.labels.items())]
        rows += [(f"dropped, {reason}", n) for reason, n in sorted(self.dropped.items())]
        rows += [(f"doubtful, {reason}", n) for reason, n in sorted(self.doubtful.items())]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {n:>8}" for name, n in rows)


def is_metrics(path: Path) -> bool:
    """Tell whether a file is one of metrics; a larger one than they can be is not."""
    with path.open("rb") as file:
        content = file.read(LARGEST)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= {"pictures", "objects", "labels"}


KIND = output_checks.File("metrics.json", is_metrics)
