"""Every hostile file, by its name. Each is made where and when a test needs it."""

from collections.abc import Callable
from pathlib import Path

from hostile import archives, exports, movies, parameters

KINDS: dict[str, dict[str, Callable[[], bytes]]] = {
    "xml": {name: content.__bytes__ for name, content in exports.FILES.items()},
    "zip": archives.FILES,
    "yaml": {name: content.__bytes__ for name, content in parameters.FILES.items()},
    "video": movies.FILES,
}
"""Kind -> name -> what makes the content."""

HostileFile = Callable[[str], Path]
"""A test's fixture `hostile_file`: the name of a hostile file -> where it is."""

MAKERS = {name: make for kind in KINDS.values() for name, make in kind.items()}

BESIDE = {"m13_ffconcat_sibling.mkv": "m00_good_10frames.mkv"}
"""Files that name another, which must be there for them to do harm."""


def write(name: str, folder: Path) -> Path:
    """Write a hostile file into a folder, unless it is there already; return its path."""
    if name in BESIDE:
        write(BESIDE[name], folder)
    path = folder / name
    if not path.exists():
        path.write_bytes(MAKERS[name]())
    return path
