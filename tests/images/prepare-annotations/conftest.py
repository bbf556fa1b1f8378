"""A small dataset to prepare: six frames of 64x48 pixels."""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

import prepare_annotations

Objects = Sequence[tuple[str, tuple[float, float, float, float], dict[str, str]]]
"""Label, edges and attributes of each."""

PARAMETERS = """\
annotations:
  valid-labels: [Car, Bicycle]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The dataset, data/movie1, with its frame index; params.yaml is beside data/."""
    folder = tmp_path / "data" / "movie1"
    folder.mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    lines = (f"{n},frame_{n:06}.PNG,{n / 25:.6f},64,48,\n" for n in range(6))
    (folder / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    return folder


@pytest.fixture
def parameters(root: Path) -> Callable[[str], None]:
    """Write params.yaml."""

    def write(text: str) -> None:
        (root.parents[1] / "params.yaml").write_text(text)

    return write


@pytest.fixture
def voc(root: Path) -> Callable[..., Path]:
    """Write an export 'PASCAL VOC 1.1' of pictures of one size, from picture -> objects."""

    def write(pictures: Mapping[str, Objects], size: tuple[int, int] = (64, 48)) -> Path:
        path = root / "cvat-pascalvoc.zip"
        with zipfile.ZipFile(path, "w") as zipped:
            for picture, objects in pictures.items():
                name = f"Annotations/{picture.rpartition('.')[0]}.xml"
                zipped.writestr(zipfile.ZipInfo(name), _voc(picture, objects, size))
        return path

    return write


def _voc(picture: str, objects: Objects, size: tuple[int, int]) -> str:
    made = "".join(
        f"<object><name>{escape(label)}</name><bndbox>"
        f"<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax>"
        "</bndbox><attributes>"
        + "".join(
            f"<attribute><name>{escape(name)}</name><value>{escape(value)}</value></attribute>"
            for name, value in attributes.items()
        )
        + "</attributes></object>"
        for label, box, attributes in objects
    )
    return (
        f"<annotation><folder/><filename>{escape(picture)}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth/></size>{made}</annotation>"
    )


@pytest.fixture
def video(root: Path) -> Callable[..., Path]:
    """Write an export 'CVAT for video 1.1' of cars, from lists of boxes; the task's meta as XML."""

    def write(meta: str, *tracks: Mapping[int, tuple[float, float, float, float]]) -> Path:
        made = "".join(
            f'<track id="{n}" label="Car">'
            + "".join(
                f'<box frame="{frame}" keyframe="0" outside="0" occluded="0" '
                f'xtl="{box[0]}" ytl="{box[1]}" xbr="{box[2]}" ybr="{box[3]}"/>'
                for frame, box in boxes.items()
            )
            + "</track>"
            for n, boxes in enumerate(tracks)
        )
        path = root / "annotations.xml"
        path.write_text(f"<annotations><meta><task>{meta}</task></meta>{made}</annotations>")
        return path

    return write


@pytest.fixture
def prepare(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, object]]:
    """Prepare an export of the dataset, everything asked for, and return the metrics."""

    def run(source: Path, **options: bool) -> dict[str, object]:
        monkeypatch.chdir(root.parents[1])
        metrics = root / "metrics.json"
        prepare_annotations.prepare(
            Path("params.yaml"),
            root,
            source,
            root / "Annotations",
            metrics,
            imagesets=True,
            **options,
        )
        made: dict[str, object] = json.loads(metrics.read_text("utf-8"))
        return made

    return run


@pytest.fixture
def boxes() -> Callable[[Path], dict[str, list[tuple[str, list[float]]]]]:
    """Read a folder of annotations: name -> label and edges of each object, sorted."""

    def read(folder: Path) -> dict[str, list[tuple[str, list[float]]]]:
        return {
            path.relative_to(folder).with_suffix("").as_posix(): sorted(
                (
                    each.findtext("name", ""),
                    [float(e.text or "") for e in each.iterfind("bndbox/*")],
                )
                for each in ElementTree.parse(path).iter("object")
            )
            for path in folder.rglob("*.xml")
        }

    return read


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes | None]]:
    """Read everything below a folder: the content of files, None for folders."""

    def read(folder: Path) -> dict[str, bytes | None]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }

    return read
