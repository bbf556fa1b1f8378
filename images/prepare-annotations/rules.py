"""Which objects of an export go into the dataset, under which label, and what is counted."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from annotations.cvat_xml import BOXES, KINDS
from annotations.dataset import Metrics
from annotations.model import Annotation, Object
from stage import cli, frames
from stage.errors import StageError

FIRST = 3
"""How many names a warning gives."""

CVATS = re.compile(rf"{frames.PREFIX}[0-9]{{6,}}(\.\w+)?")
"""What CVAT calls the frames of a movie."""

SHAPES = tuple(shape for shape in BOXES if shape != "box")
ROTATED = ("circumscribe", "drop")
DESTINATIONS = ("Annotations", "Annotations.zip")


@dataclass(frozen=True)
class Annotations:
    """The section `annotations` of params.yaml; a dataset may override it key by key.

    The README's table says what each key means.
    """

    valid_labels: tuple[str, ...]
    concat_type_attribute: bool = False
    concat_attribute: str = ""
    rename_labels: dict[str, str] = field(default_factory=dict)
    min_size: tuple[float, ...] = (0, 0)
    keep_empty: bool = False
    drop_occluded: bool = False
    drop_truncated: bool = False
    rotated: str = "circumscribe"
    shapes: tuple[str, ...] = ()
    clip: bool = True
    destination: str = "Annotations"


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
        self._missing(found)
        for one, other in pairwise(found):
            if one.picture == other.picture:
                raise StageError(f"{where}: has {one.picture} twice; export again")
        for annotation in found:
            objects = sorted(self._objects(annotation), key=_order)
            kept = replace(annotation, objects=tuple(objects))
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
            if frame is None and self.pictures.complete and CVATS.fullmatch(annotation.picture):
                raise StageError(
                    f"{where}: has {annotation.picture}, which is not in {self.pictures.source}; "
                    "is it the export of another movie?"
                )
            if frame is None and self.rewrite:
                self.metrics.dropped["without picture"] += len(annotation.objects)
                self.examples[f"not in {self.pictures.source}, left out"].append(annotation.picture)
                continue
            if frame and frame.width:
                _same_size(annotation, frame, where)
            yield replace(annotation, picture=frame.name) if frame and self.rewrite else annotation

    def _missing(self, found: Iterable[Annotation]) -> None:
        """Count pictures that the export leaves out between its first and last: deleted frames."""
        named = (self.pictures.named(annotation.picture) for annotation in found)
        numbers = sorted(frame.number for frame in named if frame)
        step = math.gcd(*(other - one for one, other in pairwise(numbers))) or 1
        missing = set(range(numbers[0], numbers[-1], step)) - set(numbers) if numbers else set()
        for number in sorted(missing):
            if frame := self.pictures.numbered(number):
                self.metrics.dropped["picture not in the export"] += 1
                self.examples["not in the export, probably deleted in CVAT"].append(frame.name)

    def _objects(self, annotation: Annotation) -> Iterator[Object]:
        for each in annotation.objects:
            labelled = replace(each, label=self._label(each))
            reason = self._unwanted(labelled)
            if not reason:
                labelled, reason = self._boxed(labelled, annotation)
            if reason:
                self.metrics.dropped[reason] += 1
                if not reason.startswith("label "):
                    self.examples[f"dropped, {reason}"].append(annotation.picture)
            else:
                yield labelled

    def _label(self, each: Object) -> str:
        """Return the label: attributes concatenated, then renamed."""
        values, label = dict(each.attributes), each.label
        if self.settings.concat_type_attribute:
            label += next((values[kind] for kind in KINDS if kind in values), "")
        if self.settings.concat_attribute:
            label += values.get(self.settings.concat_attribute, "")
        return self.settings.rename_labels.get(label, label)

    def _unwanted(self, each: Object) -> str | None:
        """Say why an object is dropped for what it is; None if it is not."""
        settings = self.settings
        if each.label not in settings.valid_labels:
            return f"label {each.label}"
        if each.shape != "box" and each.shape not in settings.shapes:
            return f"shape {each.shape}"
        if each.rotation and settings.rotated == "drop":
            return "rotated"
        if each.occluded and settings.drop_occluded:
            return "occluded"
        return "truncated" if each.truncated and settings.drop_truncated else None

    def _boxed(self, each: Object, annotation: Annotation) -> tuple[Object, str | None]:
        """Return the object with its upright box in the picture, or why that is none."""
        box = each.box.circumscribed(each.rotation) if each.rotation else each.box
        if box.rounded().empty:
            return each, "box without area"
        if annotation.width:
            inside = box.clipped(annotation.width, annotation.height).rounded()
            if inside.empty:
                return each, "box outside the picture"
            box = inside if self.settings.clip else box
        box = box.rounded()
        width, height = self.settings.min_size
        if box.xmax - box.xmin < width or box.ymax - box.ymin < height:
            return each, "box smaller than min-size"
        return replace(each, box=box), None


def _order(each: Object) -> tuple[object, ...]:
    """Order objects by what they are, so that the order in the export changes nothing."""
    box = each.box
    flags = each.occluded, each.truncated, each.difficult, each.pose, each.shape, each.rotation
    return each.label, box.xmin, box.ymin, box.xmax, box.ymax, each.attributes, flags


def _same_size(annotation: Annotation, frame: frames.Frame, where: str) -> None:
    size, shown = (annotation.width, annotation.height), (frame.width, frame.height)
    if size != shown:
        raise StageError(
            f"{where}: {annotation.picture} is {size[0]}x{size[1]}, but the movie's frames are "
            f"{shown[0]}x{shown[1]}; is it the export of another movie?"
        )
