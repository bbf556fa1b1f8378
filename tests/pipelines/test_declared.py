"""A stage whose dependencies lack what its command reads is refused, by name."""

import pytest

from pipelines.datasets import declared_deps
from pipelines.errors import PipelineError
from pipelines.storage.dvc import Stage

IMAGE = "localhost/data-registry/merge-annotations:e1447a748a55"
RUN = f'docker run --rm --mount type=bind,source="$PWD/data",target="$PWD/data" {IMAGE}'
READ = ("data/movie1/Annotations", "data/movie1/labelmap.txt")
ALSO = ("data/movie2/Annotations", "data/movie2/labelmap.txt")


def stage(words: str, *deps: str, name: str = "merge", run: str = RUN) -> Stage:
    """A stage that writes into data/merged/training."""
    outs = {f"data/merged/training/{each}": "" for each in ("Annotations", "merge.csv")}
    command = f"{run} {words} --destination data/merged/training"
    return Stage(name, True, outs, (), command, deps)


@pytest.mark.parametrize(
    ("words", "deps"),
    [
        ("--source data/movie1", READ),
        ("--source=data/movie1/", READ),
        ("--source data/movie1", ("data/movie1",)),
        ("--source data/movie1", ("data/movie1/Annotations.zip", READ[1])),
        ("--source 'data/movie1[0:5]'", (*READ, "data/movie1/frames.csv")),
        ("--links-only --source data/movie1", ("data/movie1/JPEGImages",)),
        ("--source data/movie1 --source data/movie2", (*READ, *ALSO)),
    ],
)
def test_what_is_declared_is_taken(words: str, deps: tuple[str, ...]) -> None:
    declared_deps.check([stage(words, *deps)], [IMAGE])


@pytest.mark.parametrize(
    ("words", "deps", "lost"),
    [
        ("--source data/movie1 --source data/movie2", READ, "data/movie2"),
        ("--source data/movie1 --source data/movie2", (*READ, ALSO[0]), "data/movie2/labelmap.txt"),
        ("--source data/movie1", ("data/movie1/JPEGImages", READ[1]), "data/movie1/Annotations"),
        ("--source 'data/movie1[0:5]'", READ, "data/movie1/frames.csv"),
        ("--source data/movie1 --against data/merged/v/merge.csv", READ, "data/merged/v/merge.csv"),
        ("--links-only --source data/movie1", READ, "data/movie1/JPEGImages"),
        ("--links-only --source data/movie10", ("data/movie1/JPEGImages",), "data/movie10"),
    ],
)
def test_what_is_not_declared_is_named(words: str, deps: tuple[str, ...], lost: str) -> None:
    with pytest.raises(PipelineError, match=f"dvc.yaml: merge: its command uses {lost}"):
        declared_deps.check([stage(words, *deps)], [IMAGE])


def test_a_stage_that_runs_none_of_the_images_is_its_owners() -> None:
    declared_deps.check([stage("--source data/movie9", run="python train.py")], [IMAGE])


def test_splits_that_nothing_compares_are_named() -> None:
    one = stage("--source data/movie1", name="one")
    other = Stage("other", True, {}, (), f"{RUN} --destination data/merged/other", ())
    guarded = Stage(
        "guarded",
        True,
        {},
        (),
        f"{RUN} --destination data/merged/g --against data/merged/training/merge.csv",
        (),
    )
    assert declared_deps.unguarded([one, other]) == [("other", "data/merged/training/merge.csv")]
    assert declared_deps.unguarded([one, guarded]) == []
    assert declared_deps.unguarded([guarded, one]) == []
    links = stage("--links-only --source data/movie1", name="links")
    assert declared_deps.unguarded([one, links]) == []
