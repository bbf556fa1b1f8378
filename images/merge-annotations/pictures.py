"""The pictures of a merge: links to those of the datasets, or copies."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineage import Merged
from stage.errors import StageError


def place(
    lines: Iterable[Merged], folders: Mapping[str, Path], final: Path, folder: Path, how: str
) -> None:
    """Put the pictures of a merge into folder, which becomes final; how: a key of PLACE."""
    folder.mkdir()
    made = final.resolve()
    for line in lines:
        picture = folders[line.dataset].resolve() / "JPEGImages" / line.original
        if not picture.is_file():
            raise StageError(
                f"{folders[line.dataset]}/JPEGImages/{line.original}: is not there; make the "
                f"pictures first (dvc repro pictures/dvc.yaml:video-to-frame@{line.dataset}), "
                "or give --images none"
            )
        path = folder / line.picture
        path.parent.mkdir(parents=True, exist_ok=True)
        PLACE[how](picture, path, (made / line.picture).parent)


def _link(picture: Path, path: Path, parent: Path) -> None:
    """Link relatively, as seen from where the link will be: so it holds outside the container."""
    path.symlink_to(os.path.relpath(picture, parent))


def _copy(picture: Path, path: Path, _parent: Path) -> None:
    shutil.copyfile(picture, path)


PLACE = {"link": _link, "copy": _copy}
