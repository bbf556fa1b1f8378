"""Ranges of frames: --source 'data/movie1[0:5000]' takes a part of a dataset."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import merge_annotations
from merge_annotations import merge
from selection import Source, parse_source

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]
Movie = Callable[..., Path]

MERGED = Path("data/merged/training")


@pytest.fixture
def movie(dataset: Dataset) -> Movie:
    """Make a dataset of frames with some numbers, and its frame index."""

    def make(name: str, numbers: range = range(10), labels: tuple[str, ...] = ("Car",)) -> Path:
        folder = dataset(name, {f"frame_{n:06}.PNG": labels for n in numbers}, labels)
        lines = [f"{n},frame_{n:06}.PNG,,64,48,{name}{n}\n" for n in numbers]
        (folder / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
        return folder

    return make


def taken(merged: Path = MERGED) -> list[str]:
    """Dataset and number of every picture in a merge, in the order of its merge.csv."""
    with (merged / "merge.csv").open(newline="") as file:
        return [f"{line['dataset']} {int(line['original'][6:12])}" for line in csv.DictReader(file)]


def run(*sources: str, destination: Path = MERGED) -> int:
    """Merge as the command line does."""
    words = [word for each in sources for word in ("--source", each)]
    return merge_annotations.main([*words, "--destination", str(destination), "--images", "none"])


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("[0:5000]", range(10)),
        ("[0:3]", range(3)),
        ("[3:7]", range(3, 7)),
        ("[:4]", range(4)),
        ("[8:]", range(8, 10)),
        ("[:]", range(10)),
        ("[0000003:4]", range(3, 4)),
        ("", range(10)),
    ],
)
def test_a_range_takes_its_frames_without_the_end(
    movie: Movie, written: str, numbers: range
) -> None:
    movie("movie1")

    assert run(f"data/movie1{written}") == 0
    assert taken() == [f"movie1 {n}" for n in numbers]


@given(
    first=st.none() | st.integers(0, 999_999_999),
    end=st.none() | st.integers(0, 999_999_999),
    number=st.integers(0, 999_999_999),
)
def test_a_range_means_what_it_means_in_python(
    first: int | None, end: int | None, number: int
) -> None:
    words = ["" if each is None else str(each) for each in (first, end)]
    found = parse_source(f"data/movie1[{':'.join(words)}]")

    assert found.takes(number) == (number in range(1_000_000_000)[slice(first, end)])
    assert (found.folder, found.name) == (Path("data/movie1"), "movie1")


def test_numbers_are_absolute_whatever_the_first_frame_and_the_step(movie: Movie) -> None:
    movie("movie1", range(4, 40, 3))

    assert run("data/movie1[7:14]") == 0
    assert taken() == ["movie1 7", "movie1 10", "movie1 13"]


def test_numbers_are_those_of_the_index_not_of_the_names(dataset: Dataset) -> None:
    folder = dataset("movie1", {"b.png": [], "a.png": [], "c.png": []})
    lines = "5,b.png,,64,48,\n6,a.png,,64,48,\n7,c.png,,64,48,\n"
    (folder / "frames.csv").write_text("number,name,time,width,height,hash\n" + lines)
    merge([Source(folder, 5, 7)], MERGED, "none")

    assert {path.name for path in (MERGED / "Annotations").iterdir()} == {
        "movie1__a.xml",
        "movie1__b.xml",
    }


def test_each_dataset_has_its_own_range(movie: Movie) -> None:
    for name in ("movie1", "movie2", "movie3"):
        movie(name)

    assert run("data/movie2[9:]", "data/movie3[:1]", "data/movie1[4:6]") == 0
    assert taken() == ["movie1 4", "movie1 5", "movie2 9", "movie3 0"]


@pytest.mark.parametrize("images", ["link", "copy"])
def test_only_pictures_in_the_range_are_placed(movie: Movie, images: str) -> None:
    merge([Source(movie("movie1"), 2, 4)], MERGED, images)

    assert sorted(path.name for path in (MERGED / "JPEGImages").iterdir()) == [
        "movie1__frame_000002.PNG",
        "movie1__frame_000003.PNG",
    ]


def test_ranges_that_meet_split_a_dataset_completely(movie: Movie) -> None:
    movie("movie1")
    other = Path("data/merged/validation")

    assert run("data/movie1[:6]") == run("data/movie1[6:]", destination=other) == 0
    assert taken() + taken(other) == [f"movie1 {n}" for n in range(10)]


@pytest.mark.parametrize("written", ["[0:10]", "[:]"])
def test_a_range_that_takes_all_changes_no_byte(movie: Movie, tree: Tree, written: str) -> None:
    movie("movie1")
    run("data/movie1")
    whole = tree(MERGED)
    run(f"data/movie1{written}")

    assert tree(MERGED) == whole


def test_a_range_keeps_the_labels_that_its_dataset_knows(movie: Movie) -> None:
    merge([Source(movie("movie1", labels=("Car", "Bus")), 0, 1)], MERGED, "none")

    assert "Bus:" in (MERGED / "labelmap.txt").read_text()


@pytest.mark.parametrize(
    "written",
    ["[5]", "[]", "[a:b]", "[-5:]", "[1:2:3]", "[1.5:2]", "[ 1:2]", "[1:2] ", "[1:2", "1:2]",
     "(1:2)", "[1;2]", "[1234567890:]", "[\u0661:]", "[1:2]/"],
)  # fmt: skip
def test_what_is_no_range_is_refused_in_one_line(
    movie: Movie, data: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    movie("movie1")
    code = run(f"data/movie1{written}")
    said = capsys.readouterr().err

    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("error: data/movie1")
    assert not (data / "merged").exists()


@pytest.mark.parametrize("written", ["[7:3]", "[5:5]"])
def test_a_range_that_can_hold_no_frame_is_refused(movie: Movie, data: Path, written: str) -> None:
    movie("movie1")

    assert run(f"data/movie1{written}") == 1
    assert not (data / "merged").exists()


def test_two_ranges_of_one_dataset_are_refused(
    movie: Movie, capsys: pytest.CaptureFixture[str]
) -> None:
    movie("movie1")

    assert run("data/movie1[:2]", "data/movie1[4:]") == 1
    assert "data/movie1: is the second dataset called movie1" in capsys.readouterr().err


def test_a_range_of_what_has_no_frame_index_is_refused_by_its_name(
    movie: Movie, tree: Tree, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = movie("movie1")
    (folder / "frames.csv").unlink()
    (folder / "JPEGImages").rename(folder / "elsewhere")
    before = tree(data)

    assert run("data/movie1[:2]") == 1
    assert "data/movie1: has neither frames.csv nor JPEGImages" in capsys.readouterr().err
    assert tree(data) == before


def test_a_picture_that_is_not_in_the_frame_index_is_named(
    movie: Movie, capsys: pytest.CaptureFixture[str]
) -> None:
    index = movie("movie1") / "frames.csv"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:-1]))

    assert run("data/movie1[:2]") == 1
    assert "data/movie1/frames.csv: lacks frame_000009.PNG; prepare" in capsys.readouterr().err
