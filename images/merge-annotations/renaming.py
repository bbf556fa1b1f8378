"""The annotations of several datasets, written to one place under their new names."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import overlap
from annotations import dataset
from annotations.dataset import Written
from annotations.metrics import Metrics
from annotations.model import Annotation
from lineage import Merged
from selection import Source, refuse_unused
from stage import frames
from stage.parallel import spread
from stage.progress import show_progress

Writer = dataset.Folder | dataset.Zip


@dataclass
class Part:
    """Annotations that were written: what, where they come from, and what is in them."""

    written: list[Written] = field(default_factory=list)
    lines: list[Merged] = field(default_factory=list)
    numbers: Metrics = field(default_factory=Metrics)


@dataclass(frozen=True)
class _Dataset:
    """A dataset that is open: its annotations, each with its file's bytes, and its pictures.

    pictures: None if all frames are taken, so that nobody asks for their numbers.
    """

    name: str
    source: Source
    annotations: Sequence[tuple[bytes, Annotation]]
    pictures: frames.Pictures | None

    def takes(self, line: Merged) -> bool:
        """Tell whether a picture is taken."""
        return self.pictures is None or self.source.takes(overlap.find_number(line, self.pictures))


def write_renamed(named: dict[str, Source], to: Writer, destination: Path) -> Part:
    """Write the annotations of all datasets, in all processes; destination is for progress."""
    whole = Part()
    with ExitStack() as stack:
        datasets = [_open(name, source, stack) for name, source in sorted(named.items())]
        places = [(each, place) for each in datasets for place in range(len(each.annotations))]

        def write_part(wanted: range) -> Part:
            return _write_part(places[wanted.start : wanted.stop], to)

        def write_all() -> Iterator[Written]:
            for part in spread(write_part, len(places)):
                whole.lines.extend(part.lines)
                whole.numbers.add(part.numbers)
                yield from part.written

        whole.written.extend(show_progress(write_all(), destination, "pictures"))
    refuse_unused(named, {line.dataset for line in whole.lines})
    to.finish(whole.written)
    return whole


def _open(name: str, source: Source, stack: ExitStack) -> _Dataset:
    annotations = stack.enter_context(dataset.open_annotations(dataset.find(source.folder)))
    pictures = None if source.whole else frames.find_pictures(source.folder)
    return _Dataset(name, source, annotations, pictures)


def _write_part(places: Sequence[tuple[_Dataset, int]], to: Writer) -> Part:
    part = Part()
    for each, place in places:
        content, annotation = each.annotations[place]
        merged = annotation._replace(picture=f"{each.name}__{annotation.picture}")
        digest = hashlib.sha256(content).hexdigest()
        line = Merged(merged.picture, each.name, annotation.picture, digest)
        if each.takes(line):
            part.lines.append(line)
            part.numbers.count(merged)
            part.written.append(to.put(merged))
    return part
