"""Attributes of objects, in one order and spelling, and the flags among them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from sys import intern

from annotations.labels import climbs
from annotations.safe_xml import Placed, at
from stage.errors import StageError

Attributes = tuple[tuple[str, str], ...]
"""Names and values."""

KINDS = ("type", "Type")
"""What the attribute is called that says more than the label; the first one counts."""

FLAGS = ("truncated", "difficult")
"""Attributes that a Pascal VOC object has elements for; CVAT's VOC does not repeat them."""

SET = re.compile(r"true|[+-]?0*[1-9][0-9]*(?:\.[0-9]*)?", re.ASCII | re.IGNORECASE)


def check_kinds(pairs: Iterable[tuple[str, str]], element: Placed, where: str) -> None:
    """Refuse a `type`, which may become part of a label, that is a path."""
    for name, value in pairs:
        if name in KINDS and climbs(value):
            text = f"the {name} {value[:40]!r} is a path; rename it in CVAT"
            raise StageError(f"{at(element, where)}: {text}")


@lru_cache(maxsize=4096)
def normalize(pairs: Attributes, rotation: float) -> tuple[Attributes, frozenset[str]]:
    """Return attributes in one order and spelling, and the flags among them that are set.

    CVAT's formats spell a checkbox True or true and a number 3.0 or 3, and order them at random.
    rotation: in degrees; it becomes the attribute of this name if it is not 0.
    """
    spelled = {intern(name): _spell(value) for name, value in pairs}
    flags = frozenset(name for name in FLAGS if is_set(spelled.pop(name, "")))
    if rotation:
        spelled["rotation"] = f"{rotation:g}"
    else:
        spelled.pop("rotation", None)
    return tuple(sorted(spelled.items())), flags


@lru_cache(maxsize=4096)
def is_set(value: str) -> bool:
    """Tell whether a flag is set: a checkbox is ticked, or a number is not 0.

    Other texts, `yes` as well as `no`, are 0 where CVAT writes Pascal VOC (cvat-ai/datumaro,
    voc_format/converter.py: `_convert_attr("truncated", attr, int, 0)`), so they are here.

    >>> [is_set(value) for value in ("true", "1", "3.0", "FALSE", "0.0", "no", "")]
    [True, True, True, False, False, False, False]
    """
    return bool(SET.fullmatch(value.strip()))


def _spell(value: str) -> str:
    """Spell a value as CVAT's XML does, whichever format it comes from.

    >>> _spell("True"), _spell("3.0"), _spell("3.10")
    ('true', '3', '3.10')
    """
    if value in ("True", "False"):
        return value.lower()
    return intern(value[:-2] if re.fullmatch(r"-?[0-9]+\.0", value) else value)
