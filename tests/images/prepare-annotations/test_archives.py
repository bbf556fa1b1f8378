"""Annotations.zip in the place of the folder, and where params.yaml says so, or what it cannot."""

import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import prepare_annotations
from merge_annotations import merge
from stage.errors import StageError

Write = Callable[..., Path]
Parameters = Callable[[str], None]
Tree = Callable[[Path], dict[str, bytes | None]]
Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]

NAMES = ["a.jpg", "sub/a.jpg", "sub-1/b.png", "sub.png", "sub/deep/車 一.png", "a.b.png", "a b.png"]
"""In one order as paths, in another as text."""

PICTURES = {
    name: [(label, (n, 1.0, 30.25, 40.0), {"type": "suv"}) for n, label in enumerate(labels)]
    for name, labels in zip(NAMES, [["Car"], ["Car", "Bicycle"], ["Bicycle"]] * 3, strict=False)
}
ARCHIVE = "Annotations.zip"


@pytest.fixture
def made(root: Path, voc: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Prepare pictures into a destination below the dataset."""
    monkeypatch.chdir(root.parents[1])
    lines = (f"{n},{name},,64,48,\n" for n, name in enumerate(NAMES))
    index = "number,name,time,width,height,hash\n" + "".join(lines)
    (root / "frames.csv").write_text(index, "utf-8")

    def run(destination: str = ARCHIVE, pictures: dict[str, Any] = PICTURES) -> Path:
        path = Path("data/movie1", destination)
        prepare_annotations.prepare(
            Path("params.yaml"), Path("data/movie1"), voc(pictures), path, imagesets=True
        )
        return path

    return run


Made = Callable[..., Path]


def test_the_archive_holds_what_the_folder_would(made: Made, tree: Tree) -> None:
    files = {name: content for name, content in tree(made("Annotations")).items() if content}
    with zipfile.ZipFile(made()) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == files
        assert len(files) == len(NAMES)


@pytest.mark.parametrize("seed", range(3))
def test_the_archive_is_the_same_bytes_whatever_the_order_of_the_export(
    made: Made, seed: int
) -> None:
    before = hashlib.sha256(made().read_bytes()).digest()
    items = [(name, objects[:: -1 if seed else 1]) for name, objects in PICTURES.items()]
    random.Random(seed).shuffle(items)

    assert hashlib.sha256(made(pictures=dict(items)).read_bytes()).digest() == before


def test_nothing_in_the_archive_is_of_one_day_or_user(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with zipfile.ZipFile(made()) as zipped:
        infos = zipped.infolist()

    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {(info.create_system, info.external_attr, info.extra) for info in infos} == {
        (3, 0o100644 << 16, b"")
    }


@pytest.mark.parametrize("pictures", [{"a.jpg": [], "A.png": []}, {"frame_000099.PNG": []}])
@pytest.mark.parametrize("destination", [ARCHIVE, "Annotations"])
def test_a_refusal_leaves_the_old_annotations(
    root: Path, made: Made, tree: Tree, destination: str, pictures: dict[str, Any]
) -> None:
    made(destination)
    before = {name: each for name, each in tree(root).items() if name != "cvat-pascalvoc.zip"}

    with pytest.raises(StageError):
        made(destination, pictures)
    assert {n: each for n, each in tree(root).items() if n != "cvat-pascalvoc.zip"} == before


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_archive_is_not_replaced(root: Path, made: Made, kind: str) -> None:
    if kind == "folder":
        (root / ARCHIVE).mkdir()
    else:
        (root / ARCHIVE).symlink_to("elsewhere.zip")

    with pytest.raises(StageError, match=r"Annotations\.zip: is no plain file"):
        made()


def test_the_export_itself_is_not_replaced(root: Path, made: Made) -> None:
    with pytest.raises(StageError, match=r"^data/movie1/cvat-pascalvoc\.zip: is the input /"):
        made("cvat-pascalvoc.zip")
    assert zipfile.is_zipfile(root / "cvat-pascalvoc.zip")


@pytest.mark.parametrize("names", [NAMES[:2], NAMES], ids=["two", "in folders"])
def test_a_merge_of_the_archive_is_that_of_the_folder(
    root: Path, made: Made, tree: Tree, names: list[str]
) -> None:
    pictures = {name: PICTURES[name] for name in names}
    made("Annotations", pictures)
    merge([Path("data/movie1")], Path("data/one"), "none", Path("data/one/metrics.json"))
    (root / "Annotations").rename(root / "old")
    made(ARCHIVE, pictures)
    merge([Path("data/movie1")], Path("data/two"), "none", Path("data/two/metrics.json"))

    assert (one := tree(Path("data/one"))) == tree(Path("data/two"))
    assert len([name for name in one if name.endswith(".xml")]) == len(names)


def test_folder_and_archive_at_once_are_refused(made: Made, tree: Tree) -> None:
    made()
    made("Annotations")

    with pytest.raises(StageError, match=r"^data/movie1/Annotations\.zip: .*delete the older one"):
        merge([Path("data/movie1")], Path("data/merged"), "none")
    assert not Path("data/merged").exists()


def test_a_damaged_archive_is_named_by_the_merge(made: Made) -> None:
    path = made()
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(StageError, match=r"^data/movie1/Annotations\.zip: is not a zip file"):
        merge([Path("data/movie1")], Path("data/merged"), "none")


OWN = "annotations: {valid-labels: [Car]}\ndatasets:\n  movie1:\n    annotations:\n      %s\n"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("keep-empty: 1", "keep-empty: must be True or False, not 1"),
        ("clip: 'True'", "clip: must be True or False, not 'True'"),
        ("drop-occluded: [True]", "drop-occluded: must be True or False"),
        ("concat-attribute: 7", "concat-attribute: must be text, not 7; put it in quotes"),
        ("valid-labels: Car", "valid-labels: must be a list, `- ` lines, not 'Car'"),
        ("valid-labels: [1]", "valid-labels: must be text, not 1; put it in quotes"),
        ("valid-labels: [yes]", "valid-labels: must be text, not True; put it in quotes"),
        ("min-size: [8, a]", "min-size: must be a number, not 'a'"),
        ("min-size: [8, True]", "min-size: must be a number, not True"),
        ("min-size: [1, 2, 3]", "min-size: must be two numbers from 0"),
        ("min-size: [.nan, 1]", "min-size: must be two numbers from 0"),
        ("rename-labels: {Auto: [Car]}", "rename-labels.Auto: must be text, not ['Car']"),
        ("shapes: [box]", "shapes: 'box' is none of polygon, "),
        ("rotated: False", "rotated: must be text, not False"),
        ("keepempty: True", "keepempty: is no parameter; there are clip, "),
        ("destination: Annotations.zip", "destination: is the same for all datasets"),
    ],
)
def test_a_wrong_value_of_a_dataset_is_named_with_its_line(
    made: Made, parameters: Parameters, rule: str, said: str
) -> None:
    parameters(OWN % rule)

    with pytest.raises(StageError) as raised:
        made()
    assert str(raised.value).startswith(f"params.yaml:5: datasets.movie1.annotations.{said}")


@pytest.mark.parametrize(
    ("value", "said"),
    [("annotations.zip", "must be one of Annotations, Annotations.zip"), ("[x]", "must be text")],
)
def test_another_destination_is_refused(
    made: Made, parameters: Parameters, value: str, said: str
) -> None:
    parameters(f"annotations:\n  valid-labels: [Car]\n  destination: {value}\n")

    with pytest.raises(StageError, match=rf"^params\.yaml:3: annotations\.destination: {said}"):
        made()
