"""Data that others made: what tests/corpus has of it, and a second, larger set where there is one.

Tests name a file by its path in a set; both sets have the same folders.
"""

import os
from pathlib import Path

from registries import PROJECT

OWN = PROJECT / "tests" / "corpus"
LARGER = Path(os.environ.get("REGISTRY_CORPUS", PROJECT.parent / "shared" / "corpus"))
SETS = [folder for folder in (OWN, LARGER) if folder.is_dir()]


def names(pattern: str) -> list[str]:
    """The files of both sets whose paths match a pattern, each once, sorted."""
    return sorted(
        {path.relative_to(folder).as_posix() for folder in SETS for path in folder.glob(pattern)}
    )


def has(name: str) -> bool:
    """Tell whether one of the sets has a file."""
    return any((folder / name).exists() for folder in SETS)


def path(name: str) -> Path:
    """Where a file is; the repository's own, if both sets have it."""
    return next((folder / name for folder in SETS if (folder / name).exists()), OWN / name)
