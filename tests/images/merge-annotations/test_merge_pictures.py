"""The pictures of a merged dataset: relative links, copies or none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from merge_annotations import link, merge
from stage.errors import StageError

Dataset = Callable[..., Path]
Tree = Callable[[Path], dict[str, bytes | str | None]]

MERGED = Path("data/merged/training")
PICTURES = {"frame_000000.PNG": ["Car"], "sub/deep/b.jpg": ["Car"]}


@pytest.fixture
def source(dataset: Dataset) -> Path:
    """A dataset with a picture in a folder of its own."""
    return dataset("movie1", PICTURES)


def pictures() -> dict[str, Path]:
    """The merged pictures by name."""
    folder = MERGED / "JPEGImages"
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if not p.is_dir()}


def test_links_are_relative_and_resolve(source: Path) -> None:
    merge([source], MERGED)

    assert {name: str(path.readlink()) for name, path in pictures().items()} == {
        "movie1__frame_000000.PNG": "../../../movie1/JPEGImages/frame_000000.PNG",
        "movie1__sub/deep/b.jpg": "../../../../../movie1/JPEGImages/sub/deep/b.jpg",
    }
    assert [path.read_text() for path in pictures().values()] == [
        f"{name.removeprefix('movie1__')} of movie1" for name in pictures()
    ]


def test_links_hold_when_the_registry_is_moved(
    source: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge([source], MERGED)
    moved = data.parent.with_name("moved")
    data.parent.rename(moved)
    monkeypatch.chdir(moved)

    assert len(pictures()) == 2
    assert all(path.read_text().endswith("of movie1") for path in pictures().values())


@pytest.mark.parametrize("absolute", [True, False])
def test_links_are_the_same_however_the_paths_are_given(
    source: Path, data: Path, tree: Tree, absolute: bool
) -> None:
    merge([source], MERGED)
    before = tree(MERGED)
    if absolute:
        merge([data / "movie1"], data / "merged" / "training")
    else:
        merge([Path("data/../data/movie1/")], Path("data/merged/validation/../training"))

    assert tree(MERGED) == before


def test_links_lead_to_where_a_linked_destination_really_is(source: Path, data: Path) -> None:
    (data / "far" / "away").mkdir(parents=True)
    (data / "merged").symlink_to("far/away")
    merge([source], MERGED)

    assert all(path.exists() for path in pictures().values())


def test_copies_hold_without_the_dataset(source: Path, data: Path) -> None:
    merge([source], MERGED, "copy")
    (data / "movie1").rename(data / "gone")

    assert {name: path.read_text() for name, path in pictures().items()} == {
        "movie1__frame_000000.PNG": "frame_000000.PNG of movie1",
        "movie1__sub/deep/b.jpg": "sub/deep/b.jpg of movie1",
    }
    assert not any(path.is_symlink() for path in pictures().values())


def test_without_pictures_none_are_needed(source: Path, data: Path) -> None:
    (data / "movie1" / "JPEGImages").rename(data / "gone")
    merge([source], MERGED, "none")

    assert sorted(path.name for path in MERGED.iterdir()) == [
        "Annotations",
        "ImageSets",
        "labelmap.txt",
        "merge.csv",
    ]


def test_links_alone_are_those_of_a_merge_with_links(source: Path, tree: Tree) -> None:
    merge([source], MERGED)
    wanted = tree(MERGED)
    merge([source], MERGED, "copy")
    merge([source], MERGED, "none")
    link([source], MERGED)

    assert tree(MERGED) == wanted


@pytest.mark.parametrize("images", ["link", "copy"])
def test_a_missing_picture_is_refused_with_the_remedy(
    source: Path, tree: Tree, images: str
) -> None:
    (source / "JPEGImages/sub/deep/b.jpg").unlink()
    merge([source], MERGED, "none")
    before = tree(MERGED)

    with pytest.raises(StageError) as raised:
        merge([source], MERGED, images)
    assert "movie1/JPEGImages/sub/deep/b.jpg: is not there; make the pictures" in str(raised.value)
    assert "dvc repro pictures/dvc.yaml:video-to-frame@movie1" in str(raised.value)
    assert "--images none" in str(raised.value)
    assert tree(MERGED) == before


def test_a_refused_first_merge_leaves_nothing(source: Path, data: Path, tree: Tree) -> None:
    (source / "JPEGImages/sub/deep/b.jpg").unlink()
    before = tree(data)

    with pytest.raises(StageError, match="is not there"):
        merge([source], MERGED)
    assert tree(data) == before


def test_links_alone_need_a_merge(source: Path) -> None:
    with pytest.raises(StageError, match=r"training/merge\.csv: no such file"):
        link([source], MERGED)


def test_links_alone_need_every_dataset_of_the_merge(source: Path, dataset: Dataset) -> None:
    other = dataset("movie2", PICTURES)
    merge([source, other], MERGED, "none")

    with pytest.raises(StageError, match=r"merge\.csv: names the dataset movie2; give it as"):
        link([source], MERGED)
    assert not (MERGED / "JPEGImages").exists()


HEADER = "picture,dataset,original,sha256\n"
LINE = "movie1__frame_000000.PNG,movie1,frame_000000.PNG,0\n"

BAD = {
    "empty": "",
    "another header": "x\n1\n",
    "another header alone": "x\n",
    "an endless field": HEADER + LINE.replace(",0\n", f",{200_000 * '0'}\n"),
    "another name": HEADER + LINE.replace("frame_000000.PNG,0", "b.png,0"),
    "outside": HEADER + LINE.replace("frame_000000.PNG", "../a.png"),
    "absolute": HEADER + LINE.replace("frame_000000.PNG", "/etc/passwd"),
    "twice": HEADER + LINE + LINE,
    "no text": HEADER + "\xe9\n",
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_merge_csv_is_refused(source: Path, what: str) -> None:
    merge([source], MERGED, "none")
    (MERGED / "merge.csv").write_bytes(BAD[what].encode("latin-1"))

    with pytest.raises(StageError, match=r"merge\.csv"):
        link([source], MERGED)
    assert not (MERGED / "JPEGImages").exists()


@pytest.mark.parametrize("name", ["notes.txt", "movie1__notes.txt", "holiday.jpg"])
def test_pictures_of_someone_else_are_not_replaced(source: Path, data: Path, name: str) -> None:
    (data / "merged/training/JPEGImages").mkdir(parents=True)
    (data / "merged/training/JPEGImages" / name).touch()

    with pytest.raises(StageError, match=rf"{name}: was not made by this command"):
        merge([source], MERGED)
    assert [path.name for path in MERGED.iterdir()] == ["JPEGImages"]
