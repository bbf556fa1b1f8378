"""Small datasets to merge, as prepare-annotations leaves them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder data/ of a registry, in which the test works: paths are relative, data/..."""
    folder = tmp_path / "registry" / "data"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    return folder


@pytest.fixture
def dataset(data: Path) -> Callable[..., Path]:
    """Make a dataset of pictures with labels; known are the labels in its labelmap.txt."""

    def make(
        name: str, pictures: Mapping[str, Sequence[str]], known: Sequence[str] | None = None
    ) -> Path:
        folder = Path("data", name)
        for picture, labels in pictures.items():
            path = folder / "Annotations" / f"{picture.rpartition('.')[0]}.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_voc(picture, labels), "utf-8")
            image = folder / "JPEGImages" / picture
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_text(f"{picture} of {name}", "utf-8")
        if known is not None:
            lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
            lines += [f"{label}:1,2,3::" for label in known]
            (folder / "labelmap.txt").write_text("".join(f"{line}\n" for line in lines))
        return folder

    return make


def _voc(picture: str, labels: Sequence[str]) -> str:
    objects = "".join(
        f"<object><name>{label}</name><truncated>0</truncated><occluded>1</occluded>"
        f"<difficult>0</difficult><bndbox><xmin>{n}.0</xmin><ymin>0.5</ymin><xmax>9.25</xmax>"
        "<ymax>9.0</ymax></bndbox><attributes><attribute><name>type</name><value>suv</value>"
        "</attribute></attributes></object>"
        for n, label in enumerate(labels)
    )
    return (
        f"<annotation><folder>JPEGImages</folder><filename>{picture}</filename>"
        f"<size><width>64</width><height>48</height><depth>3</depth></size>{objects}</annotation>"
    )


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes | str | None]]:
    """Read everything below a folder: content of files, targets of links, None for folders."""

    def read(folder: Path) -> dict[str, bytes | str | None]:
        return {path.relative_to(folder).as_posix(): _content(path) for path in folder.rglob("*")}

    return read


def _content(path: Path) -> bytes | str | None:
    if path.is_symlink():
        return str(path.readlink())
    return path.read_bytes() if path.is_file() else None
