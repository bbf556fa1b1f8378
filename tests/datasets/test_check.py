"""What `check` finds without a server: each finding is one line that names the thing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.datasets import check, split_stages
from registries import Registry

UNLOOKED = "the parameters of stages and the exports were not looked at: no engine is wanted"
PARK = "params.yaml: splits: park is in no split; add it to one's datasets"


def found(registry: Registry) -> tuple[list[str], list[str]]:
    """What is refused, and what is warned of but for what every test here has."""
    findings = check.findings(registry.folder, engine=False)
    assert all("\n" not in each.text for each in findings)
    warned = [str(each) for each in findings if not each.refused]
    return [str(each) for each in findings if each.refused], [
        each for each in warned if each not in (UNLOOKED, PARK)
    ]


def edit(registry: Registry, old: str, new: str, path: str = "params.yaml") -> None:
    text = (registry / path).read_text("utf-8")
    assert old in text
    (registry / path).write_text(text.replace(old, new), "utf-8")


def test_a_registry_that_is_right_is_not_complained_of(registry: Registry) -> None:
    assert found(registry) == ([], [])
    assert [*map(str, check.findings(registry.folder, engine=False))] == [PARK, UNLOOKED]


def test_a_new_registry_is_right(fresh: Registry) -> None:
    assert found(fresh) == ([], [])


def other_splits(registry: Registry) -> None:
    edit(registry, "datasets: [street]", "datasets: [street, park]")


def bad_name(registry: Registry) -> None:
    edit(registry, "  park:", "  pa.rk:")
    edit(registry, "datasets: [road]", "datasets: [road, 'pa.rk']")
    split_stages.write(registry.folder)


def lost_export(registry: Registry) -> None:
    (registry / "data/park/annotations.xml").unlink()
    registry.sh("git rm -q data/park/annotations.xml.dvc")


def untracked_movie(registry: Registry) -> None:
    registry.sh("git rm -q --cached data/park/movie.mp4.dvc && rm data/park/movie.mp4.dvc")


def path_elsewhere(registry: Registry) -> None:
    edit(registry, "data/park/movie.mp4", "/srv/movie.mp4")


def no_path(registry: Registry) -> None:
    edit(registry, "    source: data/park/movie.mp4\n", "")


def in_two_splits(registry: Registry) -> None:
    edit(registry, "datasets: [road]", "datasets: [road, street]")
    split_stages.write(registry.folder)


def twin_movies(registry: Registry) -> None:
    shutil.copy(registry / "data/street/movie.mp4.dvc", registry / "data/road/movie.mp4.dvc")
    edit(registry, "path:", "path:", "data/road/movie.mp4.dvc")


def committed_lock(registry: Registry) -> None:
    registry.sh("echo '{}' >pictures/dvc.lock && git add pictures/dvc.lock")


def no_images(registry: Registry) -> None:
    (registry / "images.yaml").unlink()


def broken_yaml(registry: Registry) -> None:
    (registry / "params.yaml").write_text("datasets: [}\n")


def empty_params(registry: Registry) -> None:
    (registry / "params.yaml").write_text("")


def no_params(registry: Registry) -> None:
    (registry / "params.yaml").unlink()


def no_pipeline(registry: Registry) -> None:
    (registry / "dvc.yaml").unlink()


REFUSED: dict[Callable[[Registry], None], str] = {
    other_splits: "dvc.yaml: does not have the splits of params.yaml; run `registry splits`",
    bad_name: "params.yaml: datasets.pa.rk: a dataset's name has letters and digits",
    lost_export: "data/park/annotations.xml: is not there; correct the path",
    untracked_movie: "data/park/movie.mp4: is known to neither DVC nor git; `dvc add data/park/mo",
    path_elsewhere: "params.yaml: datasets.park.source: /srv/movie.mp4 is not below data/",
    no_path: "params.yaml: datasets.park.source: is missing; give the path of the file",
    in_two_splits: "params.yaml: splits: street is in training and validation with the same fra",
    twin_movies: "data/road/movie.mp4: is also the movie of street, in another split (training, v",
    committed_lock: "pictures/dvc.lock: is committed, but it is each machine's own; `git rm",
    no_images: "/images.yaml: is not here; run this in the folder of a registry",
    broken_yaml: "params.yaml: is no plain YAML",
    empty_params: "params.yaml: must be a mapping",
    no_params: "/params.yaml: is not here; run this in the folder of a registry",
    no_pipeline: "dvc.yaml: is not here; restore it from git",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_what_a_merge_request_can_break_is_refused(
    registry: Registry, spoil: Callable[[Registry], None]
) -> None:
    spoil(registry)
    refused, warned = found(registry)

    assert len(refused) == 1
    assert REFUSED[spoil] in refused[0]
    assert warned == []


def unused_folder(registry: Registry) -> None:
    (registry / "data/old").mkdir()


def left_over(registry: Registry) -> None:
    (registry / "data/.partial-1").mkdir()


def split_of_nobody(registry: Registry) -> None:
    (registry / "data/merged/test").mkdir(parents=True)


WARNED: dict[Callable[[Registry], None], str] = {
    unused_folder: "data/old: belongs to no dataset of params.yaml; `add` it, or delete it",
    left_over: "data/.partial-1: was left by a command that was killed; delete it",
    split_of_nobody: "data/merged/test: belongs to no split of params.yaml that has datasets; del",
}


@pytest.mark.parametrize("spoil", WARNED, ids=lambda spoil: spoil.__name__)
def test_what_harms_nobody_is_a_warning(
    registry: Registry, spoil: Callable[[Registry], None]
) -> None:
    spoil(registry)
    refused, warned = found(registry)

    assert refused == []
    assert [each[: len(WARNED[spoil])] for each in warned] == [WARNED[spoil]]


def merge(registry: Registry, *pictures: str) -> Path:
    """A merge of training, with links to pictures of street."""
    folder = registry / "data/merged/training"
    (folder / "JPEGImages").mkdir(parents=True)
    (registry / "data/street/JPEGImages").mkdir()
    for picture in pictures:
        (registry / "data/street/JPEGImages" / picture).touch()
        link = folder / f"JPEGImages/street__{picture}"
        link.symlink_to(f"../../../street/JPEGImages/{picture}")
    lines = "".join(f"street__{each},street,{each},0\n" for each in pictures)
    (folder / "merge.csv").write_text(f"picture,dataset,original,sha256\n{lines}")
    return folder


LINKS = "data/merged/training/JPEGImages: has"


def test_links_of_the_merge_are_right(registry: Registry) -> None:
    merge(registry, "a.PNG", "b.PNG")

    assert found(registry) == ([], [])


def test_links_of_another_version_are_named(registry: Registry) -> None:
    """As after `git checkout v1.0 && dvc checkout`: merge.csv is the old one, the links stay."""
    folder = merge(registry, "a.PNG", "b.PNG")
    lines = (folder / "merge.csv").read_text().splitlines(keepends=True)
    (folder / "merge.csv").write_text("".join(lines[:-1]))
    _, warned = found(registry)

    assert warned == [
        f"{LINKS} 2 pictures, not the 1 of its merge.csv (street__b.PNG is one of 1 that differ);"
        " run `dvc repro pictures/dvc.yaml`"
    ]


def test_links_that_lead_nowhere_are_named(registry: Registry) -> None:
    merge(registry, "a.PNG")
    (registry / "data/street/JPEGImages/a.PNG").unlink()

    assert found(registry)[1][0].startswith(f"{LINKS} pictures of another version")


@pytest.mark.parametrize("url", ["/srv/none", "s3://bucket/path", "ssh://host/path", "azure://c"])
def test_remotes_of_all_kinds_are_no_matter(registry: Registry, url: str) -> None:
    registry.sh(f"dvc remote add -q --default storage {url}")

    assert found(registry) == ([], [])


def test_a_clone_without_data_is_told_what_was_not_looked_at(
    registry: Registry, stub: Path, tmp_path: Path
) -> None:
    (tmp_path / "clone").mkdir()
    clone = Registry(tmp_path / "clone")
    clone.sh(f"git clone -q {registry.folder} .")
    findings = [str(each) for each in check.findings(clone.folder)]

    assert findings == [
        PARK,
        "2 of 3 exports were not looked at, they are not here (data/street/annotations.xml, "
        "data/park/annotations.xml); `dvc pull` them",
    ]


def test_without_git_and_data_there_is_no_traceback(registry: Registry) -> None:
    for name in (".git", ".dvc", "data"):
        shutil.rmtree(registry / name)
    refused, _ = found(registry)

    assert len(refused) == 6
    assert all("is not there" in each for each in refused)
