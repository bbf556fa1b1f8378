"""The formats that annotations come in: one module each, and nothing else in this folder.

To add one, add a module that has what `Format` says; no list names it. The order in which the
formats are asked is that of their modules' names, and an export is of one format at most.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from annotations.export_file import Choice, ExportFile
from annotations.model import Export
from stage.frames import Pictures


class Format(Protocol):
    """What a module of a format has.

    NAME: of the format, as CVAT's menu has it. OPTIONS: which of `task`, `subset` and
    `interpolate` of a Choice it can honour; `exports` refuses the others.
    """

    NAME: str
    OPTIONS: frozenset[str]

    def matches(self, export: ExportFile) -> bool:
        """Tell by its content whether an export is of this format.

        An export that is of no format, or damaged, is for `exports` to refuse.
        """

    def read(self, export: ExportFile, pictures: Pictures, choice: Choice) -> Export:
        """Read an export of this format; pictures: those of the dataset."""


def _import_formats() -> Iterator[Format]:
    for module in iter_modules(__path__):
        yield cast("Format", import_module(f"{__name__}.{module.name}"))


FORMATS = tuple(_import_formats())
