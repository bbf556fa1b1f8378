"""Which objects of an export go into the dataset, under which label, and what is counted."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from annotations.attributes import KINDS
from annotations.deleted_frames import find_runs, name_runs
from annotations.metrics import Metrics
from annotations.model import NOWHERE, Annotation, Deleted, Export, Object
from annotations.shapes import BOXES
from stage import cli, frames
from stage.errors import StageError

FIRST = 3
"""How many examples a warning names."""

CVATS = re.compile(rf"{frames.PREFIX}[0-9]{{6,}}(\.\w+)?")
"""What CVAT calls the frames of a movie."""

SHAPES = tuple(shape for shape in BOXES if shape != "box")
ROTATED = ("circumscribe", "drop")
DESTINATIONS = ("Annotations", "Annotations.zip")


DELETED = "frame deleted in CVAT"
MISSING = "picture not in the export"
"""Reasons why something is counted as dropped: if deleted frames are known, and if they are not."""


@dataclass(frozen=True)
class Annotations:
    """The section `annotations` of params.yaml; a dataset may override it key by key.

    docs/parameters.md says what each key means.
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
    """Keeps the objects that go into a dataset, and counts the others by the reason.

    `rewrite` gives annotations the names of the pictures they are about, and drops those without
    a picture. `where` names the export in errors. `found`: the pictures of all annotations so
    far, kept or not.
    """

    settings: Annotations
    pictures: frames.Pictures
    where: str
    rewrite: bool = True
    metrics: Metrics = field(default_factory=Metrics)
    examples: dict[str, list[str]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    _sorts: dict[tuple[str, tuple[Any, ...]], tuple[str, str | None]] = field(default_factory=dict)

    def new_part(self) -> "Sieve":
        """Return a sieve with the same rules, which has seen no annotation yet."""
        return Sieve(self.settings, self.pictures, self.where, self.rewrite, _sorts=self._sorts)

    def add(self, metrics: Metrics, examples: dict[str, list[str]], found: list[str]) -> None:
        """Add what a part has seen."""
        self.metrics.add(metrics)
        self.found += found
        for text, names in examples.items():
            self.examples.setdefault(text, []).extend(names)

    def filter(self, annotation: Annotation) -> Annotation | None:
        """Return what is kept of an annotation, None if it is nothing."""
        named = self._find_picture(annotation)
        if named is None:
            return None
        self.found.append(named.picture)
        objects = sorted(self._filter_objects(named), key=_sort_key)
        if not objects and not self.settings.keep_empty:
            self.metrics.dropped["picture without objects"] += 1
            return None
        kept = named._replace(objects=tuple(objects))
        self.metrics.count(kept)
        return kept

    def finish(self, export: Export) -> None:
        """Check the whole: refuse a picture that is there twice, and count what is missing."""
        self.found.sort()
        for one, other in pairwise(self.found):
            if one == other:
                raise StageError(f"{self.where}: has {one} twice; export again")
        for label in self.settings.valid_labels:
            self.metrics.labels.setdefault(label, 0)
        if export.deleted:
            self._count_deleted(export.deleted, export.numbers)
        else:
            self._count_missing(export)
        for track in export.ghosts:
            self.metrics.doubtful["track that runs on after a deleted frame"] += 1
            self._remember("runs on after a deleted frame, perhaps without its object", track)
        for track in export.gaps:
            self.metrics.doubtful["track that leaves out a frame"] += 1
            self._remember("leaves out frames that are not deleted in CVAT, fetch it again", track)

    def _remember(self, text: str, name: str) -> None:
        """Remember a name for a warning."""
        self.examples.setdefault(text, []).append(name)

    def warn(self) -> None:
        """Warn of what is probably a mistake."""
        for text, names in sorted(self.examples.items()):
            more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
            cli.warn(f"{self.where}: {text}: {', '.join(names[:FIRST])}{more}")
        for label, count in sorted(self.metrics.labels.items()):
            if not count:
                cli.warn(f"{self.where}: no object has the label {label}, which valid-labels names")

    def _find_picture(self, annotation: Annotation) -> Annotation | None:
        """Find the picture of an annotation; both must be of one size."""
        name, pictures = annotation.picture, self.pictures
        frame = pictures.named(name)
        if frame is None and pictures.complete and CVATS.fullmatch(name):
            raise StageError(
                f"{self.where}: has {name}, which is not in {pictures.source}; "
                "is it the export of another movie?"
            )
        if frame is None and self.rewrite:
            self.metrics.dropped["without picture"] += len(annotation.objects)
            self._remember(f"not in {pictures.source}, left out", name)
            return None
        if frame and frame.width:
            _check_size(annotation, frame, self.where)
        return annotation._replace(picture=frame.name) if frame and self.rewrite else annotation

    def _count_deleted(self, deleted: Deleted, numbers: range) -> None:
        """Count the frames that are known to be deleted, and what of the export contradicts that.

        numbers: of the frames that the task has, if it is of a movie.
        """
        pictures = self.pictures
        if numbers and pictures.complete and not pictures.numbered(numbers[-1]):
            raise StageError(
                f"{self.where}: goes to frame {numbers[-1]}, which is not in {pictures.source}; "
                "is it the export of another movie?"
            )
        runs, drawn = find_runs(deleted.numbers, deleted.step), deleted.objects
        for reason, count, text, found in (
            (DELETED, len(deleted.numbers), "left out, deleted in CVAT", runs),
            (
                "object on a deleted frame",
                sum(drawn.values()),
                "has objects on frames that are deleted in CVAT, left out",
                find_runs(drawn, deleted.step),
            ),
            (
                MISSING,
                sum(map(len, deleted.missing)),
                "not in the export, but not deleted in CVAT, fetch it again",
                deleted.missing,
            ),
        ):
            if count:
                self.metrics.dropped[reason] += count
                self._remember(text, name_runs(found))

    def _count_missing(self, export: Export) -> None:
        """Count the pictures that the export leaves out: probably deleted frames.

        Where the export does not say which frames the task has, those are from its first picture
        to its last, in the step that all their numbers have in common.
        """
        named = (self.pictures.named(name) for name in self.found)
        numbers = sorted({frame.number for frame in named if frame})
        if not numbers:
            return
        step = math.gcd(*(other - one for one, other in pairwise(numbers))) or 1
        expected = export.numbers or range(numbers[0], numbers[-1], step)
        found = set(numbers)
        for frame in self.pictures:
            if frame.number in expected and frame.number not in found:
                self.metrics.dropped[MISSING] += 1
                self._remember("not in the export, probably deleted in CVAT", frame.name)

    def _filter_objects(self, annotation: Annotation) -> Iterator[Object]:
        for each in annotation.objects:
            label, reason = self._classify(each.label, each[2:])
            labelled = each if label == each.label else each._replace(label=label)
            if not reason:
                labelled, reason = self._fit_box(labelled, annotation)
            if reason:
                self.metrics.dropped[reason] += 1
                if not reason.startswith("label "):
                    self._remember(f"dropped, {reason}", annotation.picture)
            else:
                yield labelled

    def _classify(self, own: str, more: tuple[Any, ...]) -> tuple[str, str | None]:
        """Return what all objects of a sort have: label, and why they are dropped if they are.

        own: the label in the export. more: the fields of an Object after its box.
        """
        known = self._sorts.get((own, more))
        if known is None:
            each = Object(own, NOWHERE, *more)
            labelled = each._replace(label=self._relabel(each))
            known = labelled.label, self._find_reason(labelled)
            self._sorts[own, more] = known
        return known

    def _relabel(self, each: Object) -> str:
        """Return the label: attributes concatenated, then renamed."""
        values, label = dict(each.attributes), each.label
        if self.settings.concat_type_attribute:
            label += next((values[kind] for kind in KINDS if kind in values), "")
        if self.settings.concat_attribute:
            label += values.get(self.settings.concat_attribute, "")
        return self.settings.rename_labels.get(label, label)

    def _find_reason(self, each: Object) -> str | None:
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

    def _fit_box(self, each: Object, annotation: Annotation) -> tuple[Object, str | None]:
        """Return the object with its upright box in the picture, or why that is none."""
        box = (each.box.circumscribed(each.rotation) if each.rotation else each.box).rounded()
        if box.empty:
            return each, "box without area"
        if annotation.width and not box.inside(annotation.width, annotation.height):
            inside = box.clipped(annotation.width, annotation.height)
            if inside.empty:
                return each, "box outside the picture"
            box = inside if self.settings.clip else box
        width, height = self.settings.min_size
        if box.xmax - box.xmin < width or box.ymax - box.ymin < height:
            return each, "box smaller than min-size"
        return each if box == each.box else each._replace(box=box), None


def _sort_key(each: Object) -> tuple[object, ...]:
    """Order objects by what they are, so that the order in the export changes nothing."""
    return each.label, each.box, each.attributes, each


def _check_size(annotation: Annotation, frame: frames.Frame, where: str) -> None:
    size, shown = (annotation.width, annotation.height), (frame.width, frame.height)
    if size != shown:
        raise StageError(
            f"{where}: {annotation.picture} is {size[0]}x{size[1]}, but the movie's frames are "
            f"{shown[0]}x{shown[1]}; is it the export of another movie?"
        )
