"""The order of what is in an export decides nothing: not a byte of what is prepared of it."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import prepare_annotations
from annotations import voc_file
from annotations.attributes import FLAGS
from annotations.model import Annotation, Box, Object
from annotations.shapes import EDGES
from stage import frames

many = settings(
    derandomize=True, max_examples=40, deadline=None, database=None, phases=[Phase.generate]
)

PARAMETERS = "annotations: {valid-labels: [Car, Bus], keep-empty: True}\n"
Movie = list[list[Object]]
INDEX = "number,name,time,width,height,hash\n" + "".join(
    f"{n},frame_{n:06}.PNG,{n / 25:.6f},64,48,\n" for n in range(4)
)
META = "<meta><task><start_frame>0</start_frame><stop_frame>3</stop_frame></task></meta>"

few = st.builds(
    Object,
    st.sampled_from(["Car", "Bus"]),
    st.sampled_from([Box(1, 2, 30, 40), Box(-5, 0, 9, 60)]),
    st.just("box"),
    st.just(0.0),
    occluded=st.booleans(),
    truncated=st.booleans(),
    difficult=st.booleans(),
    pose=st.just(""),
    attributes=st.sampled_from([(("note", "x"),), (("note", "y"),)]),
)
"""Objects that are often alike in all but one thing: what decides their order has to be all."""

movies = st.lists(st.lists(few, max_size=4), min_size=4, max_size=4)
"""The objects of each of four frames."""


def shuffled(parts: Sequence[str], chance: Random) -> str:
    """Join parts in any order."""
    return "".join(chance.sample(parts, len(parts)))


def cvat(each: Object, chance: Random, more: str = "") -> str:
    """A <box> of CVAT's XML."""
    edges = zip(EDGES, each.box, strict=True)
    own = [*each.attributes, ("type", "suv")]
    own += [(flag, str(getattr(each, flag)).lower()) for flag in FLAGS]
    inside = [f'<attribute name="{name}">{value}</attribute>' for name, value in own]
    more += "".join(f' {name}="{value}"' for name, value in edges)
    more += f' occluded="{each.occluded:d}"'
    return f"<box {more}>{shuffled(inside, chance)}</box>"


def images(movie: Movie, chance: Random, path: Path) -> None:
    """Write 'CVAT for images 1.1': pictures, shapes and attributes in any order."""
    parts = []
    for number, found in enumerate(movie):
        shapes = [cvat(each, chance, f'label="{each.label}"') for each in found]
        size = f'name="frame_{number:06}" width="64" height="48"'
        parts.append(f"<image {size}>{shuffled(shapes, chance)}</image>")
    path.write_text(f"<annotations>{META}{shuffled(parts, chance)}</annotations>")


def video(movie: Movie, chance: Random, path: Path) -> None:
    """Write 'CVAT for video 1.1', each object as a track: tracks and attributes in any order."""
    tracks: list[str] = []
    for number, found in enumerate(movie):
        for each in found:
            box = cvat(each, chance, f'frame="{number}" keyframe="1" outside="0"')
            tracks.append(f'<track id="{len(tracks)}" label="{each.label}">{box}</track>')
    path.write_text(f"<annotations>{META}{shuffled(tracks, chance)}</annotations>")


def voc(movie: Movie, chance: Random, path: Path) -> None:
    """Write 'PASCAL VOC 1.1': files, objects and attributes in any order."""
    with zipfile.ZipFile(path, "w") as zipped:
        for number in chance.sample(range(len(movie)), len(movie)):
            found = tuple(
                each._replace(
                    attributes=tuple(chance.sample(each.attributes, len(each.attributes)))
                )
                for each in chance.sample(movie[number], len(movie[number]))
            )
            name = frames.name(number, "")
            content = voc_file.write(Annotation(f"{name}.PNG", 64, 48, tuple(found)))
            zipped.writestr(f"Annotations/{name}.xml", content)


def prepared(source: Path, folder: Path) -> dict[str, bytes]:
    """Everything that the stage writes of an export: name -> content."""
    root = folder / "data/movie1"
    if not root.exists():
        root.mkdir(parents=True)
        (root / "frames.csv").write_text(INDEX)
        (folder / "params.yaml").write_text(PARAMETERS)
    target, metrics = root / "Annotations.zip", root / "metrics.json"
    prepare_annotations.prepare(
        folder / "params.yaml", root, source, target, metrics, imagesets=True
    )
    written = [target, metrics, root / "labelmap.txt", *root.rglob("ImageSets/**/*.txt")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in written}


@pytest.mark.parametrize("flag", [*FLAGS, "occluded"])
def test_objects_that_differ_in_a_flag_alone_have_one_order(flag: str, tmp_path: Path) -> None:
    car, source = Object("Car", Box(0, 0, 9, 9)), tmp_path / "source"
    pair = [car, car._replace(**{flag: True})]  # type: ignore[arg-type]
    written = []
    for found in (pair, pair[::-1]):
        with zipfile.ZipFile(source, "w") as zipped:
            picture = Annotation("frame_000000.PNG", 64, 48, tuple(found))
            zipped.writestr("Annotations/frame_000000.xml", voc_file.write(picture))
        written.append(prepared(source, tmp_path))

    assert written[0] == written[1]


@pytest.mark.parametrize("write", [images, video, voc])
def test_no_order_in_an_export_changes_a_byte(
    write: Callable[[Movie, Random, Path], None], tmp_path: Path
) -> None:
    source = tmp_path / "source"

    @many
    @given(movies, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
    def same(movie: Movie, one: Random, other: Random) -> None:
        write(movie, one, source)
        first = prepared(source, tmp_path)
        write(movie, other, source)
        assert prepared(source, tmp_path) == first

    same()
