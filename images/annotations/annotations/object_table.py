"""A table of objects that is small: millions of them take 40 bytes each, instead of 400.

Most objects of an export differ from the one before in nothing but the box. So each sort of object
is kept once, and of each object the number of its sort and its four edges.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator

from annotations.attributes import Attributes
from annotations.model import NOWHERE, Box, Object
from annotations.safe_xml import Element
from annotations.shapes import find_box, read_object

SIZE = 5
"""Numbers that are kept of an object: its sort and its edges."""


class ObjectTable:
    """Objects by the number of their frame or picture, in the order in which they were added."""

    def __init__(self, where: str) -> None:
        """Start without any; where names the document in errors."""
        self._where = where
        self._sorts: list[Object] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self._kept: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))

    def __iter__(self) -> Iterator[int]:
        """Go through the frames that have objects, sorted."""
        return iter(sorted(self._kept))

    def add(self, frame: int, element: Element, label: str, extra: Attributes = ()) -> None:
        """Add what an element (<box>, <polygon>, ...) draws; extra: more attributes."""
        get = element.attributes.get
        key: tuple[object, ...] = (label, element.tag, get("occluded"), get("rotation"), extra)
        if element.children:
            key += tuple([(each.get("name"), each.text) for each in element.children])
        number = self._numbers.get(key)
        if number is None:
            self._sorts.append(read_object(element, label, self._where, extra))
            number = self._numbers[key] = len(self._sorts) - 1
        self._kept[frame].extend((number, *find_box(element, self._where)))

    def put(self, frame: int, thing: Object) -> None:
        """Add an object as it is."""
        sort = thing._replace(box=NOWHERE)
        number = self._numbers.setdefault((sort,), len(self._sorts))
        if number == len(self._sorts):
            self._sorts.append(sort)
        self._kept[frame].extend((number, *thing.box))

    def remove(self, frames: Iterable[int]) -> dict[int, int]:
        """Remove the objects of frames; return how many there were on each that had any."""
        removed = ((frame, self._kept.pop(frame, None)) for frame in sorted(frames))
        return {frame: len(kept) // SIZE for frame, kept in removed if kept}

    def of(self, frame: int) -> tuple[Object, ...]:
        """Return the objects of a frame."""
        kept = self._kept.get(frame, array("d"))
        return tuple(
            [
                self._sorts[int(kept[at])]._replace(box=Box(*kept[at + 1 : at + SIZE]))
                for at in range(0, len(kept), SIZE)
            ]
        )
