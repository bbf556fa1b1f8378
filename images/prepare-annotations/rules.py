"""Which objects of an export go into the dataset, under which label, and what is counted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from annotations.dataset import Metrics
from annotations.model import Annotation, Object
from stage import cli, frames
from stage.errors import StageError

FIRST = 3
"""How many names a warning gives."""


@dataclass(frozen=True)
class Annotations:
    """The section `annotations` of params.yaml; a dataset may override it key by key.

    valid-labels: the labels that are kept, after concatenation. concat-type-attribute: whether
    the attribute `type` (or `Type`) is added to the label, Car + suv = Carsuv. keep-empty: whether
    pictures without objects are kept, too.
    """

    valid_labels: tuple[str, ...]
    concat_type_attribute: bool = False
    keep_empty: bool = False


@dataclass
class Sieve:
    """Lets through what goes into a dataset and counts what does not.

    `rewrite` gives annotations the names of the pictures they are about, and drops those without
    a picture.
    """

    settings: Annotations
    pictures: frames.Pictures
    rewrite: bool = True
    metrics: Metrics = field(default_factory=Metrics)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Have a number, 0, for labels that occur nowhere."""
        self.metrics.labels.update(dict.fromkeys(self.settings.valid_labels, 0))

    def kept(self, annotations: Iterable[Annotation], where: str) -> Iterator[Annotation]:
        """Yield what is kept of the annotations of an export, at where, ordered by picture."""
        found = sorted(self._named(annotations, where), key=lambda a: a.picture)
        for one, next_one in pairwise(found):
            if one.picture == next_one.picture:
                raise StageError(f"{where}: has {one.picture} twice; export again")
        for annotation in found:
            kept = replace(annotation, objects=tuple(self._objects(annotation)))
            if kept.objects or self.settings.keep_empty:
                self.metrics.count(kept)
                yield kept
            else:
                self.metrics.dropped["picture without objects"] += 1

    def warn(self, where: str) -> None:
        """Warn of what is probably not as its maker meant it."""
        for text, names in sorted(self.examples.items()):
            more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
            cli.warn(f"{where}: {text}: {', '.join(names[:FIRST])}{more}")
        for label, count in sorted(self.metrics.labels.items()):
            if not count:
                cli.warn(f"{where}: no object is a {label!r}, one of valid-labels")

    def _named(self, annotations: Iterable[Annotation], where: str) -> Iterator[Annotation]:
        """Find the picture of each annotation; both must be of one size."""
        for annotation in annotations:
            frame = self.pictures.named(annotation.picture)
            if frame is None and self.rewrite:
                self.metrics.dropped["without picture"] += len(annotation.objects)
                self.examples[f"not in {self.pictures.source}, left out"].append(annotation.picture)
                continue
            if frame and frame.width:
                _same_size(annotation, frame, where)
            yield replace(annotation, picture=frame.name) if frame and self.rewrite else annotation

    def _objects(self, annotation: Annotation) -> Iterator[Object]:
        for each in annotation.objects:
            labelled = replace(each, label=self._label(each))
            clipped = replace(labelled, box=each.box.clipped(annotation.width, annotation.height))
            reason = self._reason(labelled, clipped)
            if reason:
                self.metrics.dropped[reason] += 1
            else:
                yield clipped

    def _label(self, each: Object) -> str:
        kinds = dict(each.attributes)
        kind = kinds.get("type", kinds.get("Type", ""))
        return each.label + kind if self.settings.concat_type_attribute else each.label

    def _reason(self, each: Object, clipped: Object) -> str | None:
        """Say why an object is dropped; None if it is kept."""
        if each.label not in self.settings.valid_labels:
            return f"label {each.label}"
        if each.shape != "box":
            return f"shape {each.shape}"
        if each.box.empty:
            return "box without area"
        return "box outside the picture" if clipped.box.empty else None


def _same_size(annotation: Annotation, frame: frames.Frame, where: str) -> None:
    size, shown = (annotation.width, annotation.height), (frame.width, frame.height)
    if size != shown:
        raise StageError(
            f"{where}: {annotation.picture} is {size[0]}x{size[1]}, but the movie's frames are "
            f"{shown[0]}x{shown[1]}; is it the export of another movie?"
        )
