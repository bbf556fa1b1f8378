"""Which images there are, as their Dockerfiles say: a new folder of images/ is in no list."""

import re

import yaml

from pipelines.containers import images
from registries import PROJECT

TOOLS, RECEIVER = images.TOOLS, images.RECEIVER
"""The images that are no stages and no parents: what runs on the host, for those who have no
clone, and what runs beside CVAT."""

DOCKERFILES = {path.parent.name: path for path in sorted(PROJECT.glob("images/*/Dockerfile"))}
TEXTS = {name: path.read_text("utf-8") for name, path in DOCKERFILES.items()}
REFERENCES: dict[str, str] = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))["images"]

NO_STAGES = (TOOLS, RECEIVER)
STAGES = [name for name, text in TEXTS.items() if "\nENTRYPOINT " in text and name not in NO_STAGES]
"""The images that dvc.yaml may run, and not only other images are built from."""


def parent(name: str) -> str | None:
    """The image that an image is built from, None for one that is built from Debian's."""
    (given,) = re.findall(r"^FROM (\S+)$", TEXTS[name], re.M)[-1:]
    if given != "${PARENT_IMAGE}":
        return None
    (default,) = re.findall(r"^ARG PARENT_IMAGE=(\S+)$", TEXTS[name], re.M)
    return str(default).rpartition("/")[2]


PARENTS = {above for name in TEXTS if (above := parent(name))}


def descendants(name: str) -> set[str]:
    """An image, and all that are built from it."""
    below = [other for other in TEXTS if parent(other) == name]
    return {name, *(one for other in below for one in descendants(other))}
