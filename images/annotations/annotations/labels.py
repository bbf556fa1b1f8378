"""Labels: which texts can be one, and in which order they are numbered."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from stage.parameters import Keys, Parameters

LONGEST = 200
"""Characters of a label, which becomes part of a file's name."""

KEY = "valid-labels"
"""The parameter that lists the labels of a dataset, in the order of their class numbers."""


@lru_cache(maxsize=4096)
def is_label(value: str) -> bool:
    """Tell whether an export may call an object so: a text that is no path and no option."""
    plain = bool(value.strip()) and len(value) <= LONGEST and value.isprintable()
    return plain and value[0] not in "./\\-" and not climbs(value)


def is_valid_label(value: str) -> bool:
    """Tell whether a dataset can have the label: as a file's name and a line of labelmap.txt.

    An export may have more, for rename-labels can mend them.
    """
    return is_label(value) and not re.search(r"^\s|[:/\\]", value)


def climbs(text: str) -> bool:
    """Tell whether a text would lead out of a folder if it became a file's name."""
    return ".." in text and ".." in re.split(r"[/\\]", text)


def find_mistakes(labels: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the labels that valid-labels lists."""
    if not labels:
        yield "is empty; name the labels to keep"
    for label in labels:
        if not is_valid_label(label):
            text = "cannot be a label: it becomes a file's name and a line of labelmap.txt"
            yield f"{label!r} {text}"
        if labels.count(label) > 1:
            yield f"{label!r} is in it twice; remove one"


def read_valid_labels(parameters: Parameters, *section: str) -> tuple[str, ...]:
    """Return valid-labels of a section of params.yaml; nothing if the section has none."""
    place: Keys = (*section, KEY)
    if KEY not in parameters.mapping(section):
        return ()
    labels: tuple[str, ...] = parameters.value(tuple[str, ...], place, ())
    for text in find_mistakes(labels):
        raise parameters.error(place, text)
    return labels


def read_class_order(parameters: Parameters) -> list[str]:
    """Return the labels of the whole registry in the order of their class numbers.

    First those of `annotations`, then those that only datasets have by an override, in the order
    of params.yaml. It is the same for every split, whatever is in it.
    """
    labels = list(read_valid_labels(parameters, "annotations"))
    for dataset in parameters.mapping(("datasets",)):
        labels += read_valid_labels(parameters, "datasets", dataset, "annotations")
    if not labels:
        raise parameters.error(("annotations", KEY), "is missing")
    return list(dict.fromkeys(labels))
