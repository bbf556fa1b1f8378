"""prepare-annotations as dvc.yaml runs it: in its container, with the mounts of images.yaml."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

import scene
from hostile.files import HostileFile
from registries import SAMPLE, Registry

Tree = Callable[[Path], dict[str, bytes | None]]

LINE = (
    "--parameters params.yaml --root data/movie1 --source data/movie1/{source} "
    "--destination data/movie1/Annotations --export-imagesets --metrics data/movie1/metrics.json"
)
"""The line of the workflow."""

EXPORT = "cvat-pascalvoc.zip"

OLD = {
    "Annotations/old.xml": "<annotation>\n  <folder>JPEGImages</folder>\n</annotation>\n",
    "ImageSets/Main/old.txt": "old\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\n",
    "metrics.json": '{"pictures": 1, "objects": 1, "labels": {"old": 1}}',
}

VOC = (
    "<annotation><filename>frame_000000.PNG</filename>"
    "<size><width>320</width><height>240</height></size></annotation>"
)


@pytest.fixture
def registry(bare: Registry, engine: docker.DockerClient) -> Registry:
    """A registry with movie1's export and frame index, and the outputs of an earlier run."""
    root = bare / "data/movie1"
    root.mkdir()
    shutil.copy(SAMPLE / "data/movie1" / EXPORT, root)
    lines = (f"{n},frame_{n:06}.PNG,,320,240,\n" for n in range(scene.MOVIE1.frames))
    (root / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    for name, content in OLD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return bare


def refusal(registry: Registry, tree: Tree, arguments: str, options: str = "") -> str:
    """What the stage says on its one line; it must have changed nothing."""
    before = tree(registry.folder)
    done = registry.run("prepare-annotations", arguments, check=False, options=options)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert tree(registry.folder) == before
    return done.stderr


def archive(path: Path, **members: str) -> None:
    """Write a zip of some files."""
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name.replace("__", "/").replace("_dot_", "."), content)


def test_the_line_of_the_workflow_works(registry: Registry, tree: Tree) -> None:
    done = registry.run("prepare-annotations", LINE.format(source=EXPORT))
    root = registry / "data/movie1"
    seen = {
        f"frame_{frame:06}": [sight.thing.label for sight in scene.sights(scene.MOVIE1, frame)]
        for frame in range(scene.MOVIE1.frames)
    }
    kept = [name for name, labels in seen.items() if set(labels) - {"Bird"}]

    assert sorted(path.stem for path in (root / "Annotations").iterdir()) == kept
    assert (root / "ImageSets/Main/default.txt").read_text().split() == kept
    assert not (root / "ImageSets/Main/old.txt").exists()
    assert json.loads((root / "metrics.json").read_text())["pictures"] == len(kept)
    assert done.stderr == ""
    assert "pictures" in done.stdout
    assert not [name for name in tree(registry.folder) if ".partial-" in name]


def test_the_outputs_are_the_callers(registry: Registry) -> None:
    for path in [registry / "data", *(registry / "data").rglob("*")]:
        shutil.chown(path, 1234, 1234)
    registry.run("prepare-annotations", LINE.format(source=EXPORT), options="--user 1234:1234")

    made = registry / "data/movie1/Annotations/frame_000008.xml"
    assert (made.stat().st_uid, made.stat().st_gid) == (1234, 1234)


def test_names_of_sources_with_blanks_and_other_letters_work(registry: Registry) -> None:
    export = "exports of été/車 (1), 'v2'.zip"
    (registry / "data/movie1" / export).parent.mkdir()
    (registry / "data/movie1" / EXPORT).rename(registry / "data/movie1" / export)
    arguments = LINE.replace("data/movie1/{source}", f'"data/movie1/{export}"')
    registry.run("prepare-annotations", arguments)

    assert (registry / "data/movie1/Annotations/frame_000008.xml").exists()


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing file": (lambda _: None, "movie1/bad: no such file or folder in the mounted "),
    "an empty file": (Path.touch, "movie1/bad: the file is empty"),
    "a folder": (Path.mkdir, "movie1/bad: is a folder, a file is needed"),
    "no zip": (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "bad: is not a zip file"),
    "no xml": (lambda path: path.write_bytes(bytes(range(256))), "movie1/bad:1: is no XML"),
    "a zip without xml": (
        lambda path: archive(path, images__a_dot_PNG="x"),
        "movie1/bad: has no annotations",
    ),
    "a zip with xml of something else": (
        lambda path: archive(path, annotations_dot_xml="<svg/>"),
        "bad/annotations.xml: has the root <svg>, not ",
    ),
    "xml of something else": (
        lambda path: path.write_text("<svg/>"),
        "movie1/bad: has the root <svg>, not ",
    ),
    "a single file of VOC": (
        lambda path: path.write_text(VOC),
        "movie1/bad: is one picture's file, not an export of CVAT",
    ),
    "a link to nowhere": (
        lambda path: path.symlink_to("/cache/ab/cd"),
        "movie1/bad: is a link to /cache/ab/cd, which is not there",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_export_is_refused_on_one_line(registry: Registry, tree: Tree, what: str) -> None:
    make, said = BAD[what]
    make(registry / "data/movie1/bad")

    assert said in refusal(registry, tree, LINE.format(source="bad"))


YAML = {
    "y01_python_object.yaml": "params.yaml:2: is no plain YAML",
    "y02_alias_bomb.yaml": "params.yaml:2: is no plain YAML: aliases",
    "y03_labels_not_a_list.yaml": "params.yaml:3: annotations.valid-labels: must be a list",
    "y04_duplicate_keys.yaml": "params.yaml:7: annotations: is here twice",
    "y05_boolean_as_text.yaml": "params.yaml:2: annotations.concat-type-attribute: must be True",
    "y06_norway.yaml": "params.yaml:3: annotations.valid-labels: must be text, not False",
    "y07_empty.yaml": "params.yaml: the file is empty",
    "y08_missing_section.yaml": "params.yaml:1: other: is no section",
    "y09_typo_key.yaml": "params.yaml:3: annotations.valid_labels: is no parameter",
    "y10_broken.yaml": "params.yaml:2: is no plain YAML",
    "y11_two_documents.yaml": "params.yaml:7: is no plain YAML",
    "y12_no_labels.yaml": "params.yaml:3: annotations.valid-labels: is empty",
}


@pytest.mark.parametrize("name", YAML)
def test_bad_parameters_are_refused_on_one_line(
    registry: Registry, tree: Tree, hostile_file: HostileFile, name: str
) -> None:
    shutil.copy(hostile_file(name), registry / "params.yaml")

    assert refusal(registry, tree, LINE.format(source=EXPORT)).startswith(f"error: {YAML[name]}")


def test_a_source_outside_the_mounts_says_so_and_names_them(registry: Registry, tree: Tree) -> None:
    (registry / "downloads").mkdir()
    shutil.copy(registry / "data/movie1" / EXPORT, registry / "downloads")
    arguments = LINE.replace("data/movie1/{source}", f"downloads/{EXPORT}")
    said = refusal(registry, tree, arguments)

    assert f"downloads/{EXPORT}: no such file or folder; this container sees" in said
    assert f"sees {registry.folder}/data and {registry.folder}/params.yaml, and " in said


def test_a_full_disk_is_one_line(registry: Registry, tree: Tree) -> None:
    arguments = LINE.replace("data/movie1/Annotations", "/small/Annotations").format(source=EXPORT)
    small = "--mount type=tmpfs,target=/small,tmpfs-size=65536"

    assert "No space left on device" in refusal(registry, tree, arguments, options=small)
