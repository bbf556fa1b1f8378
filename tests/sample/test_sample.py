"""The sample datasets: their movies show what their exports say."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

import make
import scene
from registries import SAMPLE, Registry, belongs_to_registry, under_git
from scene import Box, Movie, Picture

DATA = SAMPLE / "data"
FILES = {"movie1": "movie.mkv", "movie2": "movie.mp4", "movie3": "movie.mp4"}

every_movie = pytest.mark.parametrize("movie", scene.MOVIES, ids=lambda movie: movie.name)


@dataclass(frozen=True)
class Found:
    """A box as it stands in an export."""

    frame: int
    label: str
    box: Box
    occluded: bool


def file_of(movie: Movie) -> Path:
    """The file of a movie."""
    return DATA / movie.name / FILES[movie.name]


@cache
def decoded(movie: Movie) -> list[Picture]:
    """The frames of a movie as PyAV decodes them, turned as they are to be shown."""
    with av.open(file_of(movie)) as container:
        return [
            np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            for frame in container.decode(video=0)
        ]


def with_ffmpeg(movie: Movie, *options: str) -> list[Picture]:
    """The frames of a movie as ffmpeg shows them."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(file_of(movie))]
    command += [*options, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, movie.height, movie.width, 3))


def found_in_voc() -> Iterator[Found]:
    """The boxes in the export of movie1."""
    with zipfile.ZipFile(DATA / "movie1" / "cvat-pascalvoc.zip") as zipped:
        for name in zipped.namelist():
            if name.startswith("Annotations/"):
                root = ET.fromstring(zipped.read(name))
                frame = int(name.removeprefix("Annotations/frame_").removesuffix(".xml"))
                for thing in root.findall("object"):
                    edges = (
                        thing.findtext(f"bndbox/{e}", "") for e in ("xmin", "ymin", "xmax", "ymax")
                    )
                    label, occluded = thing.findtext("name", ""), thing.findtext("occluded") == "1"
                    yield Found(frame, label, Box(*map(float, edges)), occluded)


def cvat_xml(movie: Movie) -> ET.Element:
    """The XML in the export of movie2 or movie3."""
    if movie is scene.MOVIE2:
        return ET.parse(DATA / "movie2" / "annotations.xml").getroot()
    with zipfile.ZipFile(DATA / "movie3" / "annotations.zip") as zipped:
        return ET.fromstring(zipped.read("annotations.xml"))


def found_in_cvat(movie: Movie) -> Iterator[Found]:
    """The visible boxes in the export of movie2 or movie3."""
    for track in cvat_xml(movie).findall("track"):
        for box in track.findall("box[@outside='0']"):
            edges = Box(*(float(box.attrib[edge]) for edge in ("xtl", "ytl", "xbr", "ybr")))
            occluded = box.attrib["occluded"] == "1"
            yield Found(int(box.attrib["frame"]), track.attrib["label"], edges, occluded)


@cache
def found_in(movie: Movie) -> list[Found]:
    """The boxes in the export of a movie."""
    return list(found_in_voc() if movie is scene.MOVIE1 else found_in_cvat(movie))


def labels_in(movie: Movie) -> dict[int, set[str]]:
    """Which labels each frame has."""
    labels: dict[int, set[str]] = {}
    for found in found_in(movie):
        labels.setdefault(found.frame, set()).add(found.label)
    return labels


def test_data_holds_what_the_script_makes(tmp_path: Path) -> None:
    make.main([str(tmp_path)])

    made = {
        str(f.relative_to(tmp_path)): f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()
    }
    assert len(made) == 6
    assert [name for name, content in made.items() if (DATA / name).read_bytes() != content] == []


def test_the_tests_work_on_the_sample_and_on_no_data_of_the_top(
    clone: Callable[[str], Registry],
) -> None:
    registry = clone("registry")
    found = [path for path in under_git(registry.folder) if belongs_to_registry(path)]

    assert sorted(found) == sorted(under_git(SAMPLE))
    assert all((registry / path).read_bytes() == (SAMPLE / path).read_bytes() for path in found)


@every_movie
def test_each_frame_shows_its_number(movie: Movie) -> None:
    assert [scene.number_in(picture) for picture in decoded(movie)] == list(range(movie.frames))


@every_movie
def test_ffmpeg_shows_the_same_frames(movie: Movie) -> None:
    pictures = with_ffmpeg(movie, "-fps_mode", "passthrough")

    assert [scene.number_in(picture) for picture in pictures] == list(range(movie.frames))
    assert all(a.shape == b.shape for a, b in zip(pictures, decoded(movie), strict=True))


@every_movie
def test_frames_look_as_they_were_drawn(movie: Movie) -> None:
    for number, picture in enumerate(decoded(movie)):
        difference = np.abs(picture.astype(int) - scene.draw(movie, number))

        assert difference.mean() < 3, number


@every_movie
def test_each_box_sits_on_its_object(movie: Movie) -> None:
    for found in found_in(movie):
        picture = decoded(movie)[found.frame]
        if found.occluded:
            assert scene.share_of(picture, found.box, scene.colour_of(found.label)) > 0.2, found
        else:
            assert scene.sits_on(picture, found.box, found.label), found


@every_movie
@pytest.mark.parametrize(("x", "y"), [(4, 0), (-4, 0), (0, 4), (0, -4)])
def test_a_box_beside_its_object_is_noticed(movie: Movie, x: float, y: float) -> None:
    for found in found_in(movie):
        assert not scene.sits_on(decoded(movie)[found.frame], found.box.moved(x, y), found.label), (
            found
        )


@every_movie
def test_no_object_lacks_a_box(movie: Movie) -> None:
    annotated = range(4, 38, 3) if movie is scene.MOVIE3 else range(movie.frames)
    for number in annotated:
        rest = decoded(movie)[number].copy()
        for found in found_in(movie):
            if found.frame == number:
                seen = found.box.grown(2).clipped(movie.width, movie.height)
                rest[scene.pixels(seen)] = 255

        for colour in scene.COLOURS.values():
            assert not scene.has_colour(rest, colour).any(), number


def test_a_picture_without_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        scene.number_in(np.full((240, 320, 3), 128, np.uint8))


def test_movie1_has_frames_without_object_and_some_with_a_bird_alone() -> None:
    labels = labels_in(scene.MOVIE1)

    assert [frame for frame in range(60) if frame not in labels] == [0, 1, 2, 3]
    assert [frame for frame in labels if labels[frame] == {"Bird"}] == [4, 5, 6, 7]


def test_movie1_lists_every_frame() -> None:
    with zipfile.ZipFile(DATA / "movie1" / "cvat-pascalvoc.zip") as zipped:
        listed = zipped.read("ImageSets/Main/default.txt").decode().split()
        annotations = [name for name in zipped.namelist() if name.startswith("Annotations/")]

    assert listed == [f"frame_{frame:06}" for frame in range(60)]
    assert annotations == [f"Annotations/{name}.xml" for name in listed]


def test_movie2_has_no_constant_rate() -> None:
    assert len(with_ffmpeg(scene.MOVIE2, "-fps_mode", "cfr")) != scene.MOVIE2.frames
    assert len(with_ffmpeg(scene.MOVIE2, "-r", "25")) != scene.MOVIE2.frames


def test_movie2_has_a_track_with_a_gap_and_tracks_that_end_early() -> None:
    tracks = cvat_xml(scene.MOVIE2).findall("track")
    outside = {
        f"{track.attrib['id']} {track.attrib['label']}": [
            int(box.attrib["frame"]) for box in track.findall("box[@outside='1']")
        ]
        for track in tracks
    }

    assert outside == {
        "0 Bird": [31],
        "1 Bicycle": [47],
        "2 Car": [19, 43],
        "3 Car": [],
        "4 Pedestrian": [27],
    }


def test_movie3_is_stored_lying_on_its_side() -> None:
    with av.open(file_of(scene.MOVIE3)) as container:
        frame = next(container.decode(video=0))

    assert (frame.width, frame.height, frame.rotation) == (240, 160, 90)


def test_movie3_has_the_numbers_of_the_movie() -> None:
    task = cvat_xml(scene.MOVIE3).find("meta/task")

    assert task is not None
    names = ("id", "size", "start_frame", "stop_frame", "frame_filter")
    assert [task.findtext(name) for name in names] == ["31", "12", "4", "37", "step=3"]
    assert sorted(labels_in(scene.MOVIE3)) == list(range(4, 38, 3))
