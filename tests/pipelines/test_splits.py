"""Every dataset is in exactly one split, and a split's pictures are those of its annotations."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from registries import SAMPLE, Registry


def problems(folder: Path) -> set[str]:
    """The datasets that are not in exactly one split, and the splits whose links differ."""
    datasets = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))["datasets"]
    stages = yaml.safe_load((folder / "dvc.yaml").read_text("utf-8"))["stages"]
    wrong, splits = set[str](), dict[str, dict[str, list[str]]]()
    for name, stage in stages.items():
        if kind := re.fullmatch(r"(merge-annotations|link-pictures)-(.+)", name):
            sources = re.findall(r"--source data/(\S+)", stage["cmd"])
            splits.setdefault(kind[2], {})[kind[1]] = sources
            if re.findall(r"--destination (\S+)", stage["cmd"]) != [f"data/merged/{kind[2]}"]:
                wrong.add(f"destination: {name}")
    counted = Counter(
        one for split in splits.values() for one in split.get("merge-annotations", [])
    )
    wrong |= {f"dataset: {name}" for name in {*datasets, *counted} if counted[name] != 1}
    wrong |= {f"dataset: {name}" for name in counted if name not in datasets}
    wrong |= {
        f"links: {name}"
        for name, split in splits.items()
        if split.get("merge-annotations") != split.get("link-pictures")
    }
    return wrong


def test_every_dataset_is_in_one_split_and_has_its_pictures_there() -> None:
    assert problems(SAMPLE) == set()


TRAINING = "      --destination data/merged/training"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("params.yaml", "movie3:", "movie4:", {"dataset: movie3", "dataset: movie4"}),
        (
            "dvc.yaml",
            "--source data/movie3",
            "--source data/movie2",
            {"dataset: movie3", "dataset: movie2"},
        ),
        (
            "dvc.yaml",
            f"--source data/movie2\n{TRAINING}\n      --i",
            f"{TRAINING}\n      --i",
            {"dataset: movie2", "links: training"},
        ),
        (
            "dvc.yaml",
            f"--source data/movie2\n{TRAINING}\n    deps",
            f"{TRAINING}\n    deps",
            {"links: training"},
        ),
        ("dvc.yaml", "link-pictures-validation", "other", {"links: validation"}),
        (
            "dvc.yaml",
            f"{TRAINING}\n    deps",
            f"{TRAINING}2\n    deps",
            {"destination: link-pictures-training"},
        ),
    ],
)
def test_splits_that_do_not_agree_show(
    clone: Callable[[str], Registry], file: str, old: str, new: str, expected: set[str]
) -> None:
    registry = clone("registry")
    text = (registry / file).read_text("utf-8")
    assert old in text
    (registry / file).write_text(text.replace(old, new), "utf-8")

    assert problems(registry.folder) == expected
