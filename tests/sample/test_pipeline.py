"""The whole pipeline on the sample movies: what comes out is what the movies show."""

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest
import yaml

import scene
from pipelines.datasets import declared_deps
from pipelines.storage.dvc import Dvc
from registries import Registry, picture

CACHED = "merge-annotations-training merge-annotations-validation"

Clone = Callable[[str], Registry]


@pytest.fixture(scope="module")
def reproduced(clone_of: Clone, engine: docker.DockerClient) -> Registry:
    """A fresh clone, reproduced; tests of this module only read it."""
    registry = clone_of("reproduced régistry")
    registry.sh("dvc repro -P")
    return registry


def ran(output: str) -> set[str]:
    """Return the names of the stages that a `dvc repro` ran."""
    return set(re.findall(r"^Running stage '(.*)':", output, re.M))


def test_git_is_offered_the_lock_and_the_metrics_alone(reproduced: Registry) -> None:
    status = reproduced.sh("git status --porcelain --untracked-files=all").stdout

    assert set(status.splitlines()) == {
        *("?? dvc.lock", "?? pictures/dvc.lock"),
        *(f"?? data/{name}/metrics.json" for name in ("movie1", "movie2", "movie3")),
        *(f"?? data/merged/{split}/metrics.json" for split in ("training", "validation")),
    }


def test_a_second_run_does_nothing(reproduced: Registry) -> None:
    again = reproduced.sh("dvc repro -P")

    assert ran(again.stdout) == set()


def test_each_stage_declares_what_its_command_reads(clone_of: Clone) -> None:
    """Else what is published later is stale; and splits are compared with each other."""
    registry = clone_of("as it is")
    stages = Dvc(registry.folder, 60).stages()
    images = yaml.safe_load((registry / "images.yaml").read_text("utf-8"))["images"]

    declared_deps.check(stages, images.values())
    assert declared_deps.unguarded(stages) == []


def merged(registry: Registry) -> list[dict[str, str]]:
    """Return the lines of merge.csv of both splits, with the split's folder."""
    lines = []
    for split in ("training", "validation"):
        folder = registry / f"data/merged/{split}"
        with (folder / "merge.csv").open(encoding="utf-8") as file:
            lines += [{**line, "folder": str(folder)} for line in csv.DictReader(file)]
    return lines


def test_every_merged_picture_is_the_frame_that_its_name_says(reproduced: Registry) -> None:
    lines = merged(reproduced)

    assert len(lines) == sum(
        any(sight.thing.label != "Bird" for sight in scene.sights(movie, number))
        for movie in scene.MOVIES
        for number in numbers(reproduced, movie.name)
    )
    for line in lines:
        number = scene.number_in(picture(Path(line["folder"], "JPEGImages", line["picture"])))
        assert f"{line['dataset']}__frame_{number:06d}.PNG" == line["picture"]


def numbers(registry: Registry, dataset: str) -> range:
    """Return the frames that were annotated: all, but for movie3's task, every third from 4."""
    return range(4, 38, 3) if dataset == "movie3" else range(len(frames(registry, dataset)))


def frames(registry: Registry, dataset: str) -> list[str]:
    """Return the lines of a dataset's frame index, without the header."""
    return (registry / f"data/{dataset}/frames.csv").read_text("utf-8").splitlines()[1:]


def test_every_merged_box_sits_on_its_object(reproduced: Registry) -> None:
    boxes = 0
    for line in merged(reproduced):
        stem = line["picture"].removesuffix(".PNG")
        shown = picture(Path(line["folder"], "JPEGImages", line["picture"]))
        root = ElementTree.parse(Path(line["folder"], "Annotations", f"{stem}.xml")).getroot()
        for each in root.iterfind("object"):
            edges = (
                float(each.findtext(f"bndbox/{e}", "")) for e in ("xmin", "ymin", "xmax", "ymax")
            )
            box, label = scene.Box(*edges), each.findtext("name", "")
            boxes += 1
            if each.findtext("occluded") == "1":  # what stands in front hides an edge
                assert scene.share_of(shown, box, scene.colour_of(label)) > 0.2
            else:
                assert scene.sits_on(shown, box, label)

    assert boxes == sum(
        sight.thing.label != "Bird"
        for movie in scene.MOVIES
        for number in numbers(reproduced, movie.name)
        for sight in scene.sights(movie, number)
    )


def test_links_hold_when_the_registry_moves(reproduced: Registry, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    reproduced.sh(f"cp -a . '{moved}'")

    links = list(moved.glob("data/merged/*/JPEGImages/*.PNG"))

    assert len(links) == len(merged(reproduced))
    assert all(link.is_symlink() and link.resolve().is_relative_to(moved) for link in links)
    assert all(link.resolve().is_file() for link in links)


def test_registries_that_reproduce_at_once_give_the_same_bytes(
    clone: Clone, reproduced: Registry
) -> None:
    """dvc.lock has the hash of all that comes out."""
    both = [clone("one"), clone("two")]

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda registry: registry.sh("dvc repro"), both))

    wanted = (reproduced / "dvc.lock").read_bytes()
    assert [(registry / "dvc.lock").read_bytes() for registry in both] == [wanted, wanted]


@pytest.fixture(scope="module")
def published_once(
    clone_of: Clone, engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Registry:
    """A registry whose movies and exports are in DVC, but for movie2's export, with a remote."""
    registry = clone_of("published")
    for path in ("movie1/movie.mkv", "movie1/cvat-pascalvoc.zip", "movie2/movie.mp4"):
        registry.sh(f"git rm -q --cached data/{path} && dvc add -q data/{path}")
    storage = tmp_path_factory.mktemp("storage")
    registry.sh(f"dvc remote add -q -d storage '{storage}'")
    registry.sh(f"dvc repro -q {CACHED} && dvc push -q && git add -A && git commit -q -m published")
    return registry


@pytest.fixture
def published(published_once: Registry, tmp_path: Path) -> Registry:
    """A copy of that registry, with a remote of its own."""
    registry, storage = Registry(tmp_path / "published"), tmp_path / "storage"
    old = published_once.sh("dvc config remote.storage.url").stdout.strip()
    shutil.copytree(published_once.folder, registry.folder, symlinks=True)
    shutil.copytree(old, storage)
    registry.sh(f"dvc remote modify -q storage url '{storage}' && git commit -q -a -m 'a remote'")
    return registry


def fresh(registry: Registry, name: str) -> Registry:
    """Return a fresh clone of a registry: git's files and nothing of DVC's."""
    folder = registry.folder.with_name(name)
    registry.sh(f"git clone -q . '{folder}'")
    return Registry(folder)


def forget(registry: Registry, path: str) -> None:
    """Delete from the remote what a .dvc file names, so that nobody can fetch it."""
    md5 = yaml.safe_load((registry / f"{path}.dvc").read_text("utf-8"))["outs"][0]["md5"]
    (registry.folder.with_name("storage") / "files" / "md5" / md5[:2] / md5[2:]).unlink()


def test_an_annotation_change_runs_what_depends_on_it_without_any_movie(
    published: Registry,
) -> None:
    for movie in ("data/movie1/movie.mkv", "data/movie2/movie.mp4"):
        forget(published, movie)
    registry = fresh(published, "fresh")
    export = registry / "data/movie2/annotations.xml"
    export.write_text(export.read_text("utf-8").replace('label="Car"', 'label="Bicycle"'), "utf-8")

    done = registry.sh(f"dvc repro --pull --allow-missing {CACHED}")

    assert ran(done.stdout) == {"prepare-annotations@movie2", *CACHED.split()}
    assert not list(registry.folder.glob("data/movie[12]/movie.*[!c]"))
    assert not list(registry.folder.glob("data/*/JPEGImages"))
    assert "labels.Car" in registry.sh("dvc metrics diff").stdout


def test_a_new_export_in_dvc_runs_what_depends_on_it_without_any_movie(published: Registry) -> None:
    for movie in ("data/movie1/movie.mkv", "data/movie2/movie.mp4"):
        forget(published, movie)
    registry = fresh(published, "fresh")
    other = published / "data/movie1/cvat-pascalvoc.zip"
    (registry / "data/movie1/cvat-pascalvoc.zip").write_bytes(without_last_member(other))
    registry.sh("dvc add -q data/movie1/cvat-pascalvoc.zip")

    done = registry.sh(f"dvc repro --pull --allow-missing {CACHED}")

    assert ran(done.stdout) == {"prepare-annotations@movie1", *CACHED.split()}
    assert not list(registry.folder.glob("data/movie[12]/movie.*[!c]"))


def without_last_member(path: Path) -> bytes:
    """Return a VOC export without its last frame, as after deleting that frame in CVAT."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        names = sorted(name for name in old.namelist())
        last = max(name for name in names if name.startswith("Annotations/"))
        for name in names:
            if name != last:
                new.writestr(name, old.read(name))
    return made.getvalue()


def test_a_refused_export_leaves_the_published_data_where_dvc_finds_it(published: Registry) -> None:
    (published / "data/movie2/annotations.xml").write_text("<html>log in</html>", "utf-8")

    refused = published.sh(f"dvc repro {CACHED}", check=False)

    assert refused.returncode != 0
    assert "error: data/movie2/annotations.xml: is a web page" in refused.stderr
    published.sh("git checkout -q data/movie2 && dvc checkout -q data/movie2/frames.csv")
    assert ran(published.sh(f"dvc repro {CACHED}").stdout) == set()
