"""The sample datasets hold what their movies show, as tests/sample/scene.py has it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import prepare_annotations
import scene
from annotations import dataset
from registries import SAMPLE
from scene import Movie

Boxes = Callable[[Path], dict[str, list[tuple[str, list[float]]]]]

EXPORTS = {
    "movie1": "cvat-pascalvoc.zip",
    "movie2": "annotations.xml",
    "movie3": "annotations.zip",
}
TASKS = {"movie1": range(60), "movie2": range(50), "movie3": range(4, 40, 3)}
"""The frames that were annotated."""

VALID = ("Pedestrian", "Bicycle", "Car")
VANS = ("Carsuv", "Carvan")

PLAIN = f"annotations: {{valid-labels: [{', '.join(VALID)}]}}"
WITH_EMPTY = PLAIN.replace("}", ", keep-empty: True}")
WITH_TYPE = f"annotations: {{concat-type-attribute: True, valid-labels: [{', '.join(VANS)}]}}"

every_movie = pytest.mark.parametrize("movie", scene.MOVIES, ids=lambda movie: movie.name)


def expected(movie: Movie, label: Callable[[scene.Thing], str]) -> dict[str, list[Any]]:
    """Name -> label and edges of everything that is seen in a frame, sorted."""
    return {
        f"frame_{frame:06}": sorted(
            (label(sight.thing), [round(edge, 2) for edge in sight.box.edges()])
            for sight in scene.sights(movie, frame)
        )
        for frame in TASKS[movie.name]
    }


def plain(thing: scene.Thing) -> str:
    """The label as it is in the export."""
    return thing.label


def typed(thing: scene.Thing) -> str:
    """The label with the type behind it, which only cars have."""
    return thing.label + (thing.kind if thing.label == "Car" else "")


def only(seen: dict[str, list[Any]], labels: tuple[str, ...]) -> dict[str, list[Any]]:
    """What has one of the labels, in the frames that have any."""
    kept = {name: [each for each in found if each[0] in labels] for name, found in seen.items()}
    return {name: found for name, found in kept.items() if found}


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[Movie, str], Path]:
    """Prepare the export of a movie, and return the dataset's folder."""

    def run(movie: Movie, parameters: str) -> Path:
        root = tmp_path / movie.name
        root.mkdir()
        (tmp_path / "params.yaml").write_text(parameters)
        lines = (
            f"{n},frame_{n:06}.PNG,,{movie.width},{movie.height},\n" for n in range(movie.frames)
        )
        index = "number,name,time,width,height,hash\n" + "".join(lines)
        (root / "frames.csv").write_text(index)
        prepare_annotations.prepare(
            tmp_path / "params.yaml",
            root,
            SAMPLE / "data" / movie.name / EXPORTS[movie.name],
            root / "Annotations",
            root / "metrics.json",
            imagesets=True,
        )
        return root

    return run


Prepared = Callable[[Movie, str], Path]


@every_movie
@pytest.mark.parametrize(
    ("parameters", "label", "labels"),
    [(PLAIN, plain, VALID), (WITH_TYPE, typed, VANS)],
    ids=["labels", "labels with type"],
)
def test_boxes_and_labels_are_those_of_the_movie(
    prepare: Prepared, boxes: Boxes, movie: Movie, parameters: str,
    label: Callable[[scene.Thing], str], labels: tuple[str, ...],
) -> None:  # fmt: skip
    found = boxes(prepare(movie, parameters) / "Annotations")
    seen = only(expected(movie, label), labels)

    assert found.keys() == seen.keys()
    for name, objects in seen.items():
        assert [each for each, _ in found[name]] == [each for each, _ in objects]
        for (_, edges), (_, drawn) in zip(found[name], objects, strict=True):
            assert edges == pytest.approx(drawn, abs=0.011), name


@every_movie
def test_every_object_is_counted_as_kept_or_dropped(prepare: Prepared, movie: Movie) -> None:
    metrics = json.loads((prepare(movie, PLAIN) / "metrics.json").read_text())
    seen = expected(movie, plain)
    counts = Counter(label for objects in seen.values() for label, _ in objects)
    kept = only(seen, VALID)
    empty = {"picture without objects": len(seen) - len(kept)} if len(kept) < len(seen) else {}

    assert metrics == {
        "pictures": len(kept),
        "objects": sum(counts[label] for label in VALID),
        "labels": {label: counts[label] for label in VALID},
        "dropped": {"label Bird": counts["Bird"], **empty},
    }


@every_movie
def test_frames_without_objects_are_kept_if_wanted(
    prepare: Prepared, boxes: Boxes, movie: Movie
) -> None:
    found = boxes(prepare(movie, WITH_EMPTY) / "Annotations")

    assert sorted(found) == [f"frame_{frame:06}" for frame in TASKS[movie.name]]


@every_movie
def test_image_sets_and_labelmap_say_what_is_in_it(prepare: Prepared, movie: Movie) -> None:
    root = prepare(movie, PLAIN)
    seen = only(expected(movie, plain), VALID)
    sets = {path.name: path.read_text() for path in (root / "ImageSets/Main").iterdir()}

    assert sets.pop("default.txt") == "".join(f"{name}\n" for name in sorted(seen))
    assert sets == {
        f"{label}_default.txt": "".join(
            f"{name} {' 1' if label in dict(seen[name]) else '-1'}\n" for name in sorted(seen)
        )
        for label in VALID
    }
    assert dataset.read_labelmap(root / "labelmap.txt") == list(VALID)


@every_movie
def test_occluded_objects_are_marked(prepare: Prepared, movie: Movie) -> None:
    root = prepare(movie, PLAIN)
    marked = {
        path.stem: sorted(each.findtext("occluded", "") for each in tree.iter("object"))
        for path in (root / "Annotations").iterdir()
        for tree in [ElementTree.parse(path)]
    }
    hidden = {
        f"frame_{frame:06}": sorted(
            str(int(sight.occluded))
            for sight in scene.sights(movie, frame)
            if sight.thing.label in VALID
        )
        for frame in TASKS[movie.name]
    }

    assert marked == {name: flags for name, flags in hidden.items() if flags}
    assert any("1" in flags for flags in marked.values())
