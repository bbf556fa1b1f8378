"""The sample movies carry the number of each frame: the picture called N shows N."""

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import docker
import pytest

import scene
from registries import SAMPLE, Registry, picture
from scene import Movie
from stage import frames

FILES = {"movie1": "movie.mkv", "movie2": "movie.mp4", "movie3": "movie.mp4"}

Run = Callable[..., tuple[int, str, str]]
every_movie = pytest.mark.parametrize("sample", scene.MOVIES, ids=lambda sample: sample.name)


def file_of(sample: Movie) -> Path:
    return SAMPLE / "data" / sample.name / FILES[sample.name]


@every_movie
def test_picture_n_shows_the_number_n(sample: Movie, tmp_path: Path, run: Run) -> None:
    assert run("--source", file_of(sample), "--destination", tmp_path / "J")[0] == 0
    names = sorted(path.name for path in (tmp_path / "J").iterdir())
    pictures = [picture(tmp_path / "J" / name) for name in names]

    assert names == [f"frame_{number:06d}.PNG" for number in range(sample.frames)]
    assert [scene.number_in(shown) for shown in pictures] == list(range(sample.frames))
    assert {shown.shape for shown in pictures} == {(sample.height, sample.width, 3)}


@every_movie
def test_what_stands_alone_is_where_it_was_drawn(sample: Movie, tmp_path: Path, run: Run) -> None:
    run("--source", file_of(sample), "--destination", tmp_path / "J")
    looked = 0
    for number in range(sample.frames):
        shown = picture(tmp_path / "J" / f"frame_{number:06d}.PNG")
        seen = scene.sights(sample, number)
        for sight in seen:
            near = [s for s in seen if s != sight and s.box.overlaps(sight.box.grown(6))]
            if not near and not sight.truncated:
                looked += 1
                assert scene.sits_on(shown, sight.box, sight.thing.label), (number, sight)

    assert looked > sample.frames / 4


@every_movie
def test_index_and_pictures_tell_the_same(
    sample: Movie, tmp_path: Path, run: Run, times: Callable[[Path], list[float]]
) -> None:
    both = tmp_path / "both.csv"
    run("--source", file_of(sample), "--index", tmp_path / "alone.csv")
    run("--source", file_of(sample), "--destination", tmp_path / "J", "--index", both)
    found = frames.read(both)

    assert both.read_bytes() == (tmp_path / "alone.csv").read_bytes()
    assert [frame.name for frame in found] == sorted(p.name for p in (tmp_path / "J").iterdir())
    assert {(frame.width, frame.height) for frame in found} == {(sample.width, sample.height)}
    assert [float(f.time) for f in found] == pytest.approx(times(file_of(sample)), abs=1e-6)
    assert all(float(a.time) < float(b.time) for a, b in pairwise(found))


def test_variable_frame_rate_is_in_the_index(tmp_path: Path, run: Run) -> None:
    run("--source", file_of(scene.MOVIE2), "--index", tmp_path / "i.csv")
    at = [float(frame.time) for frame in frames.read(tmp_path / "i.csv")]

    assert len({round(b - a, 3) for a, b in pairwise(at)}) > 1


def test_the_image_does_what_the_code_here_does(
    engine: docker.DockerClient, bare: Registry, tmp_path: Path, run: Run
) -> None:
    (bare / "data/movie3").mkdir()
    shutil.copy(file_of(scene.MOVIE3), bare / "data/movie3")
    bare.run(
        "video-to-frame",
        "--parameters params.yaml --source data/movie3/movie.mp4"
        " --destination data/movie3/JPEGImages --index data/movie3/frames.csv",
    )
    run("--source", file_of(scene.MOVIE3), "--destination", tmp_path / "J", "--index",
        tmp_path / "i.csv")  # fmt: skip

    assert (bare / "data/movie3/frames.csv").read_bytes() == (tmp_path / "i.csv").read_bytes()
    for path in (tmp_path / "J").iterdir():
        assert path.read_bytes() == (bare / "data/movie3/JPEGImages" / path.name).read_bytes()
