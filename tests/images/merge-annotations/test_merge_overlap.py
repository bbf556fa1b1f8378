"""--against: a split shares no picture, no neighbour of one and no movie with another split."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import merge_annotations
import selection
from overlap import Against
from stage.errors import StageError

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]
Movie = Callable[..., Path]

TRAINING, VALIDATION = Path("data/merged/training"), Path("data/merged/validation")


@pytest.fixture
def movie(dataset: Dataset) -> Movie:
    """Make a dataset of frames with hashes of their own, or with given ones."""

    def make(name: str, hashes: Iterable[str] = ()) -> Path:
        own = list(hashes) or [f"{name} {n}" for n in range(20)]
        folder = dataset(name, {f"frame_{n:06}.PNG": ["Car"] for n in range(len(own))})
        lines = [f"{n},frame_{n:06}.PNG,,64,48,{each}\n" for n, each in enumerate(own)]
        (folder / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
        return folder

    return make


def split(destination: Path, *sources: str, against: Iterable[Path] = (), guard: int = 1) -> None:
    """Merge sources, written as on the command line, if they do not overlap the others."""
    merge_annotations.merge(
        [selection.parse_source(f"data/{each}") for each in sources],
        destination,
        "none",
        against=[Against(other / "merge.csv", guard) for other in against],
    )


def overlap(training: Iterable[str], validation: Iterable[str], guard: int = 1) -> str:
    """What is said against a validation split; empty if it is accepted."""
    split(TRAINING, *training)
    try:
        split(VALIDATION, *validation, against=[TRAINING], guard=guard)
    except StageError as error:
        assert not VALIDATION.exists()
        return str(error)
    assert (VALIDATION / "merge.csv").is_file()
    return ""


@pytest.mark.parametrize("guard", [0, 1, 7])
@pytest.mark.parametrize("validation", ["movie1", "movie1[9:]", "movie1[4:5]", "movie1[0:1]"])
def test_a_picture_in_both_splits_is_refused(movie: Movie, validation: str, guard: int) -> None:
    movie("movie1")
    said = overlap(["movie1[:10]"], [validation], guard)

    assert re.match(r"data/merged/training/merge\.csv: has frame [0-9]+ of movie1 ", said)


@pytest.mark.parametrize(
    ("training", "validation", "distance"),
    [
        ("movie1[:10]", "movie1[10:]", 1),
        ("movie1[:10]", "movie1[11:]", 2),
        ("movie1[10:]", "movie1[:9]", 2),
        ("movie1[19:]", "movie1[:1]", 19),
    ],
)
def test_neighbours_are_refused_up_to_the_guard_and_not_beyond(
    movie: Movie, training: str, validation: str, distance: int
) -> None:
    movie("movie1")

    assert f"within {distance} of it" in overlap([training], [validation], distance)
    assert overlap([training], [validation], distance - 1) == ""


def test_the_guard_is_one_frame_unless_given_and_never_below_0(
    movie: Movie, capsys: pytest.CaptureFixture[str]
) -> None:
    movie("movie1")
    split(TRAINING, "movie1[:10]")
    words = f"--destination {VALIDATION} --images none --against {TRAINING}/merge.csv --source"

    assert merge_annotations.main([*words.split(), "data/movie1[11:]"]) == 0
    assert merge_annotations.main([*words.split(), "data/movie1[10:]"]) == 1
    assert "merge.csv: has frame 10 of movie1 or one within 1" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        merge_annotations.main([*words.split(), "data/movie1[11:]", "--guard", "-1"])


SAME = [str(n) for n in range(20)]
CUT = {
    "all of it": SAME,
    "its first half": SAME[:10],
    "one frame": SAME[7:8],
    "half of its frames among others": [*SAME[:10], *(f"new {n}" for n in range(10))],
    "it whole in a longer one": [*(f"new {n}" for n in range(99)), *SAME],
    "each frame twice": [each for each in SAME[5:] for _ in range(2)],
}


@pytest.mark.parametrize("hashes", CUT.values(), ids=CUT)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_movie_under_two_names_is_refused(
    movie: Movie, hashes: list[str], swapped: bool
) -> None:
    movie("movie1", SAME)
    movie("again", hashes)
    training, validation = ["movie1", "again"][:: -1 if swapped else 1]
    said = overlap([training], [validation], 0)

    assert said.startswith("data/merged/training/merge.csv: has ")
    assert "the same movie as" in said


def test_one_movie_is_found_by_all_its_frames_not_by_those_of_the_splits(movie: Movie) -> None:
    movie("movie1", SAME)
    movie("again", SAME)

    assert "has movie1, which is the same movie as again" in overlap(["movie1[:2]"], ["again[15:]"])


NEW = [f"new {n}" for n in range(20)]


@pytest.mark.parametrize(
    ("hashes", "source"),
    [([*SAME[:9], *NEW[9:]], "other[9:]"), ([*NEW[1:], "0"], "other[:19]"), ([""] * 20, "other")],
    ids=["less than half", "one picture", "no hashes"],
)
def test_movies_that_share_few_frames_which_the_splits_do_not_are_two(
    movie: Movie, hashes: list[str], source: str
) -> None:
    movie("movie1", SAME)
    movie("other", hashes)

    assert overlap(["movie1"], [source]) == ""


@pytest.mark.parametrize("guard", [0, 5])
@pytest.mark.parametrize(
    ("hashes", "said"),
    [
        (
            [*NEW[:9], *SAME[:9], "x", "y"],
            "has 9 of .*: movie1__frame_000000.PNG is other__frame_000009",
        ),
        ([*NEW[:19], SAME[7]], "has 1 of .*: movie1__frame_000007.PNG is other__frame_000019"),
        ([*NEW[:18], SAME[7], SAME[7]], "has 2 of .*: movie1__frame_000007.PNG is other__"),
    ],
    ids=["less than half", "one", "twice"],
)
def test_one_picture_under_two_names_is_refused_however_few_there_are(
    movie: Movie, hashes: list[str], said: str, guard: int
) -> None:
    movie("movie1", SAME)
    movie("other", hashes)

    assert re.match(
        rf"data/merged/training/merge\.csv: {said}", overlap(["movie1"], ["other"], guard)
    )


def test_a_picture_that_a_movie_shows_again_is_refused(movie: Movie) -> None:
    movie("movie1", [*SAME[:19], SAME[3]])

    assert "is movie1__frame_000019.PNG" in overlap(["movie1[:10]"], ["movie1[15:]"])
    assert overlap(["movie1[:10]"], ["movie1[15:19]"]) == ""


@pytest.mark.parametrize("gone", ["movie1", "movie2"])
def test_a_dataset_without_frames_to_compare_is_named(movie: Movie, gone: str) -> None:
    for name in ("movie1", "movie2"):
        movie(name)
    (Path("data", gone) / "frames.csv").unlink()
    (Path("data", gone) / "JPEGImages").rename(f"{gone} pictures")

    assert overlap(["movie1"], ["movie2"]).startswith(f"data/{gone}: has neither frames.csv nor")


@pytest.mark.parametrize("gone", ["movie1", "again"])
def test_one_movie_under_two_names_is_not_missed_for_want_of_a_frame_index(
    movie: Movie, gone: str
) -> None:
    movie("movie1", SAME)
    movie("again", SAME)
    (Path("data", gone) / "frames.csv").unlink()

    assert "frames.csv" in overlap(["movie1"], ["again"])


def test_every_other_split_is_compared(movie: Movie) -> None:
    for name in ("movie1", "movie2"):
        movie(name)
    test = Path("data/merged/test")
    split(TRAINING, "movie1[:5]")
    split(test, "movie1[15:]")
    both = [TRAINING, test]

    split(VALIDATION, "movie1[7:10]", "movie2", against=both)
    with pytest.raises(
        StageError, match=r"^data/merged/test/merge\.csv: has frame 14 of movie1 or"
    ):
        split(VALIDATION, "movie1[7:16]", "movie2", against=both)


def test_a_refused_split_leaves_the_old_one(movie: Movie, data: Path, tree: Tree) -> None:
    movie("movie1")
    split(TRAINING, "movie1[:10]")
    split(VALIDATION, "movie1[15:]")
    before = tree(data)

    with pytest.raises(StageError):
        split(VALIDATION, "movie1[10:]", against=[TRAINING])
    assert tree(data) == before


@pytest.mark.parametrize("content", [None, b"", b"picture,dataset\n", b"\xff\xfe", b"a,b,c,d\n"])
def test_what_is_no_merge_is_named(movie: Movie, content: bytes | None) -> None:
    movie("movie1")
    TRAINING.mkdir(parents=True)
    if content is not None:
        (TRAINING / "merge.csv").write_bytes(content)

    with pytest.raises(StageError, match=r"^data/merged/training/merge\.csv: "):
        split(VALIDATION, "movie1", against=[TRAINING])
