"""The labels of a split have the class numbers that params.yaml gives them, whatever occurs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import merge_annotations

Dataset = Callable[..., Path]
Merge = Callable[..., tuple[int, str]]

MERGED = Path("data/merged/validation")

PARAMETERS = """\
datasets:
  movie2: {annotations: {valid-labels: [Tram, Car]}}
  movie1: {source: a.mkv}
  movie3: {annotations: {valid-labels: [Bus, Tram], clip: False}}
annotations: {valid-labels: [Pedestrian, Bicycle, Car], clip: True}
splits:
  training: {datasets: [movie1, movie2]}
  validation: {datasets: ["movie3[0:5000]"], apart-from: []}
"""
ORDER = ["Pedestrian", "Bicycle", "Car", "Tram", "Bus"]
"""Those of `annotations`, then those of overrides as params.yaml has them: movie2 comes first."""


@pytest.fixture
def merge(data: Path, capsys: pytest.CaptureFixture[str]) -> Merge:
    """Merge data/movie1 with a params.yaml; the exit code and what is on stderr."""

    def run(text: str = PARAMETERS, sources: str = "movie1", given: bool = True) -> tuple[int, str]:
        Path("params.yaml").write_text(text)
        words = [word for name in sources.split() for word in ("--source", f"data/{name}")]
        words += ["--destination", str(MERGED), "--metrics", str(MERGED / "metrics.json")]
        words += ["--images", "none", *(["--parameters", "params.yaml"] if given else [])]
        code = merge_annotations.main(words)
        return code, capsys.readouterr().err

    return run


def labelmap() -> list[str]:
    """The labels in the split's labelmap.txt, in order."""
    lines = (MERGED / "labelmap.txt").read_text("utf-8").splitlines()
    return [line.split(":")[0] for line in lines[2:]]


def counts() -> dict[str, int]:
    """The objects of each label in the split's metrics."""
    found: dict[str, int] = json.loads((MERGED / "metrics.json").read_text("utf-8"))["labels"]
    return found


def warning(label: str) -> str:
    """What is said of a label that does not occur."""
    text = f"no object has the label {label}, which annotations.valid-labels names"
    return f"warning: {MERGED}: {text}\n"


@pytest.mark.parametrize(
    "objects", [[], ["Car"], ["Car", "Bicycle"], ["Bicycle", "Car", "Pedestrian", "Car"]]
)
def test_labels_have_one_order_whatever_occurs(
    dataset: Dataset, merge: Merge, objects: list[str]
) -> None:
    dataset("movie1", {"a.png": objects, "b.png": []}, ["Car", "Pedestrian", "Bicycle"])
    code, said = merge()

    assert code == 0
    assert labelmap() == ORDER
    assert counts() == {label: objects.count(label) for label in ORDER}
    assert said == "".join(warning(each) for each in ORDER[:3] if each not in objects)
    assert sorted(path.name for path in (MERGED / "ImageSets/Main").iterdir()) == sorted(
        ["default.txt", *(f"{label}_default.txt" for label in ORDER)]
    )


def test_every_split_numbers_its_classes_alike(dataset: Dataset, merge: Merge) -> None:
    dataset("movie1", {"a.png": ["Car"]}, ["Pedestrian", "Bicycle", "Car"])
    dataset("movie3", {"a.png": ["Bus"]}, ["Bus", "Tram"])
    maps = []
    for sources in ("movie1", "movie3", "movie3 movie1"):
        assert merge(sources=sources)[0] == 0
        maps.append((MERGED / "labelmap.txt").read_bytes())

    assert maps == [maps[0]] * 3
    assert labelmap() == ORDER


def test_what_no_parameter_names_comes_last(dataset: Dataset, merge: Merge) -> None:
    dataset("movie1", {"a.png": ["Zebra", "Car"]}, ["Car", "Ant"])
    merge()

    assert labelmap() == [*ORDER, "Ant", "Zebra"]
    assert (counts()["Ant"], counts()["Zebra"]) == (0, 1)


def test_without_parameters_labels_are_sorted_and_nothing_is_missed(
    dataset: Dataset, merge: Merge
) -> None:
    dataset("movie1", {"a.png": ["Car"]}, ["Pedestrian", "Bicycle", "Car"])
    code, said = merge(given=False)

    assert (code, said) == (0, "")
    assert labelmap() == ["Bicycle", "Car", "Pedestrian"]


def test_overrides_alone_can_name_the_labels(dataset: Dataset, merge: Merge) -> None:
    dataset("movie1", {"a.png": ["Car"]})
    text = "datasets: {movie1: {annotations: {valid-labels: [Tram, Car]}}}\nannotations: {}\n"

    assert merge(text) == (0, "")
    assert labelmap() == ["Tram", "Car"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("annotations: {}", ":1: annotations.valid-labels: is missing"),
        ("annotations: {valid-labels: Car}", ":1: annotations.valid-labels: must be a list"),
        ("annotations: {valid-labels: []}", ":1: annotations.valid-labels: is empty; name the"),
        ("annotations: {valid-labels: [a/b]}", ":1: annotations.valid-labels: 'a/b' cannot be a"),
        (
            "annotations: {valid-labels: [Car]}\n"
            "datasets:\n  movie9: {annotations: {valid-labels: [Bus, Bus]}}",
            ":3: datasets.movie9.annotations.valid-labels: 'Bus' is in it twice; remove one",
        ),
        ("annotations: {valid-labels: [Car]}\nlabels: {}", ":2: labels: is no section"),
    ],
)
def test_labels_that_are_none_are_refused_by_line(
    dataset: Dataset, merge: Merge, text: str, said: str
) -> None:
    dataset("movie1", {"a.png": ["Car"]})
    code, found = merge(text)

    assert code == 1
    assert found.startswith(f"error: params.yaml{said}")
    assert found.count("\n") == 1
    assert not MERGED.exists()


def test_the_parameters_are_not_replaced(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset("movie1", {"a.png": ["Car"]})
    Path("params.yaml").write_text(PARAMETERS)
    words = "--source data/movie1 --parameters params.yaml --metrics params.yaml --destination"

    assert merge_annotations.main([*words.split(), str(MERGED)]) == 1
    assert "params.yaml: is the input params.yaml; " in capsys.readouterr().err
