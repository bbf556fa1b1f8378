"""What prepare-annotations writes, replaces and leaves alone."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import prepare_annotations
from stage.errors import StageError

Write = Callable[..., Path]
Prepare = Callable[..., dict[str, Any]]
Tree = Callable[[Path], dict[str, bytes | None]]

CAR: Any = ("Car", (1.0, 2.0, 30.0, 40.0), {"type": "suv"})
BICYCLE: Any = ("Bicycle", (1.0, 2.0, 30.0, 40.0), {})
PICTURES = {f"frame_{n:06}.PNG": [CAR, BICYCLE] for n in range(6)}
MADE = ("Annotations", "ImageSets", "labelmap.txt", "metrics.json")


def arguments(root: Path, **changed: str | Path) -> list[str]:
    """The command line of the workflow; changed are options with another value."""
    options: dict[str, str | Path] = {
        "parameters": root.parents[1] / "params.yaml",
        "root": root,
        "source": root / "cvat-pascalvoc.zip",
        "destination": root / "Annotations",
        "metrics": root / "metrics.json",
    }
    words = [f"--{name}={value}" for name, value in {**options, **changed}.items()]
    return [*words, "--export-imagesets"]


def test_a_second_run_replaces_everything_of_the_first(
    root: Path, voc: Write, prepare: Prepare, tree: Tree
) -> None:
    prepare(voc(PICTURES))
    prepare(voc({"frame_000003.PNG": [CAR]}))
    second = tree(root)
    for name in MADE:
        path = root / name
        path.rename(root.parent / f"old {name}")
    prepare(voc({"frame_000003.PNG": [CAR]}))

    assert tree(root) == second
    assert sorted(second)[:3] == ["Annotations", "Annotations/frame_000003.xml", "ImageSets"]


def test_a_refused_run_changes_nothing(
    root: Path, voc: Write, prepare: Prepare, tree: Tree
) -> None:
    prepare(voc(PICTURES))
    source = voc({**PICTURES, "frame_000005.PNG": [("Car", (9, 9, 1, 1), {})]})
    before = tree(root)

    with pytest.raises(StageError, match=r"frame_000005\.xml:1: the box is inside out"):
        prepare(source)
    assert tree(root) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("destination", "."),
        ("destination", "data"),
        ("destination", "data/movie1"),
        ("destination", "data/movie1/cvat-pascalvoc.zip"),
        ("destination", "data/movie1/JPEGImages"),
        ("metrics", "data/movie1"),
        ("metrics", "data/movie1/JPEGImages"),
        ("metrics", "data/movie1/Annotations"),
        ("metrics", "data/movie1/Annotations/metrics.json"),
        ("metrics", "data/movie1/labelmap.txt"),
        ("metrics", "data/movie1/cvat-pascalvoc.zip"),
        ("metrics", "data/movie1/frames.csv"),
        ("metrics", "data/movie1/movie.mkv"),
        ("metrics", "params.yaml"),
        ("metrics", "data/movie1/coco.json"),
        ("metrics", "data/movie1/hard.json"),
        ("metrics", "data/movie1/ImageSets/Main/metrics.json"),
        ("destination", "data/movie1/photos.zip"),
        ("destination", "data/movie1/voc"),
        ("destination", "data/movie1/ImageSets"),
        ("destination", "data/movie1/labelmap.txt"),
    ],
)
def test_an_output_in_the_place_of_something_else_is_refused(
    root: Path, voc: Write, tree: Tree, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    voc(PICTURES)
    (root / "movie.mkv").write_text("a movie")
    (root / "coco.json").write_text('{"images": [], "annotations": []}')
    os.link(root / "cvat-pascalvoc.zip", root / "hard.json")
    with zipfile.ZipFile(root / "photos.zip", "w") as zipped:
        zipped.writestr("a.xml", "<annotation/>")
    for folder in ("Annotations", "JPEGImages", "voc"):
        (root / folder).mkdir()
    (root / "voc" / "a.xml").write_text("<annotation>\n\t<folder>VOC2012</folder></annotation>")
    (root / "JPEGImages" / "frame_000000.PNG").write_text("a picture")
    monkeypatch.chdir(root.parents[1])
    before = tree(Path())
    code = prepare_annotations.main(arguments(root, **{option: value}))

    assert (code, tree(Path())) == (1, before)


def test_a_labelmap_of_somebody_else_is_kept(root: Path, voc: Write, prepare: Prepare) -> None:
    (root / "labelmap.txt").write_text("1 Car\n2 Bicycle\n")

    with pytest.raises(StageError, match=r"labelmap\.txt: is no labelmap\.txt, or a damaged one"):
        prepare(voc(PICTURES))
    assert (root / "labelmap.txt").read_text() == "1 Car\n2 Bicycle\n"


@pytest.mark.parametrize("name", ["ImageSets", "labelmap.txt"])
def test_a_folder_of_something_else_in_the_place_of_an_output_is_kept(
    root: Path, voc: Write, prepare: Prepare, tree: Tree, name: str
) -> None:
    source = voc(PICTURES)
    (root / name).mkdir()
    (root / name / "notes.md").touch()
    before = tree(root)

    with pytest.raises(StageError, match=name):
        prepare(source)
    assert tree(root) == before


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_input_gives_the_same_bytes(
    root: Path, voc: Write, prepare: Prepare, tree: Tree, seed: str
) -> None:
    voc(dict(reversed(PICTURES.items())))
    code = "import sys, prepare_annotations as p; sys.exit(p.main())"
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed, "TZ": f"X{seed}"}
    subprocess.run(
        [sys.executable, "-c", code, *arguments(root)],
        env={**os.environ, **environment},
        check=True,
    )
    made = {name: content for name, content in tree(root).items() if name.startswith(MADE)}
    prepare(voc(PICTURES))

    assert {name: content for name, content in tree(root).items() if name.startswith(MADE)} == made


def test_nothing_in_the_output_tells_where_it_was_made(
    root: Path, voc: Write, prepare: Prepare, tree: Tree
) -> None:
    prepare(voc(PICTURES))

    for name in MADE:
        path = root / name
        for content in tree(path).values() if path.is_dir() else [path.read_bytes()]:
            assert str(root.parent).encode() not in (content or b"")


LABELS = {
    "[]": ":1: annotations.valid-labels: is empty; name the labels to keep",
    "[Car, Car]": ":1: annotations.valid-labels: 'Car' is in it twice",
    "['a:b']": ":1: annotations.valid-labels: 'a:b' cannot be a label",
    "['../x']": ":1: annotations.valid-labels: '../x' cannot be a label",
    "['a\\b']": ":1: annotations.valid-labels: 'a\\\\b' cannot be a label",
    "['-rf']": ":1: annotations.valid-labels: '-rf' cannot be a label",
    "[' Car']": ":1: annotations.valid-labels: ' Car' cannot be a label",
    '["a\\tb"]': ":1: annotations.valid-labels: 'a\\tb' cannot be a label",
    '["a\\u202eb"]': ":1: annotations.valid-labels: 'a\\u202eb' cannot be a label",
    "['']": ":1: annotations.valid-labels: '' cannot be a label",
}


@pytest.mark.parametrize("labels", LABELS)
def test_a_label_that_would_be_no_file_name_or_line_is_refused(
    voc: Write, prepare: Prepare, parameters: Callable[[str], None], labels: str
) -> None:
    parameters(f"annotations: {{valid-labels: {labels}}}")
    with pytest.raises(StageError) as raised:
        prepare(voc(PICTURES))

    assert str(raised.value).startswith(f"params.yaml{LABELS[labels]}")


def test_a_label_of_a_dataset_is_refused_where_it_stands(
    voc: Write, prepare: Prepare, parameters: Callable[[str], None]
) -> None:
    parameters(
        "annotations: {valid-labels: [Car]}\n"
        "datasets:\n"
        "  movie1:\n"
        "    annotations: {valid-labels: ['a/b']}\n"
    )

    with pytest.raises(StageError, match=r"params\.yaml:4: datasets\.movie1\.annotations\.valid"):
        prepare(voc(PICTURES))
