"""The references of the images follow the files under git, and nothing else of a machine."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import image_folders
from pipelines.containers import builds, images
from registries import PROJECT, Registry

Clone = Callable[[str], Registry]
ALL = set(image_folders.TEXTS)
LOCKS = sorted(PROJECT.glob("images/*/requirements.txt"))


@pytest.fixture
def project(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A copy of the project to break, and the current folder."""
    made = clone("the próject")
    monkeypatch.chdir(made.folder)
    return made


def test_images_yaml_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    written = yaml.safe_load(images.REFERENCES.read_text("utf-8"))["images"]

    assert images.references() == written, "images.yaml is stale: run `make images`, commit it"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("base", "stage/cli.py"),
        *((name, "Dockerfile") for name in sorted(ALL)),
        *((name, name) for name in image_folders.STAGES),
        (image_folders.TOOLS, "registry"),
        (image_folders.RECEIVER, "webhook_server.py"),
        *((path.parent.name, path.name) for path in LOCKS),
        (image_folders.TOOLS, "../../pipelines/__main__.py"),
        (image_folders.TOOLS, "../../pipelines/setup/requirements.txt"),
    ],
)
@pytest.mark.parametrize("how", ["append", "delete", "executable"])
def test_a_change_changes_the_images_that_are_built_from_it(
    project: Registry, name: str, path: str, how: str
) -> None:
    before = images.references()
    file = project / f"images/{name}/{path}"
    if how == "append":
        file.write_bytes(file.read_bytes() + b"\n")
    elif how == "executable":
        file.chmod(file.stat().st_mode ^ 0o111)
    elif file.name != "Dockerfile":
        file.unlink()
    else:
        file.write_text(file.read_text().replace("LABEL", "#"))
    after = images.references()

    changed = {one for one in before if before[one] != after[one]}
    assert changed == image_folders.descendants(name)


def test_what_is_not_under_git_changes_nothing(project: Registry) -> None:
    before = images.references(), builds.context("base")
    (project / "images/base/stage/scratch.py").write_text("1")
    (project / "images/base/stage/__pycache__").mkdir()
    (project / "images/base/stage/__pycache__/cli.pyc").write_bytes(b"1")
    (project / "params.yaml").write_text("")

    assert (images.references(), builds.context("base")) == before


@pytest.mark.parametrize("name", ["stage/new.py", "stage/néw module.py"])
def test_a_new_file_under_git_changes_the_image(project: Registry, name: str) -> None:
    before = images.references()
    (project / f"images/base/{name}").write_text("1")
    project.sh("git add -A")
    after = images.references()

    changed = {one for one in before if before[one] != after[one]}
    assert changed == image_folders.descendants("base")


def test_a_file_moved_is_a_change(project: Registry) -> None:
    before = images.references()
    project.sh("git mv images/prepare-annotations/rules.py images/prepare-annotations/rulez.py")

    assert images.references()["prepare-annotations"] != before["prepare-annotations"]


def test_references_do_not_depend_on_where_the_project_is(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in "a", "deep/er/b c":
        monkeypatch.chdir(clone(name).folder)
        found.append((images.references(), [builds.context(image) for image in sorted(ALL)]))

    assert found[0] == found[1]
    assert set(found[0][0]) == ALL


@pytest.mark.parametrize(
    "command",
    [
        "umask 077; git clone -q . {}",
        "umask 002; git clone -q . {}",
        "git clone -q -c core.autocrlf=true . {}",
        "git clone -q -c core.autocrlf=input . {}",
        "git clone -q -c core.eol=crlf . {}",
        "git clone -q -c core.quotePath=true . {}",
        "git worktree add -q {}",
    ],
)
def test_references_do_not_depend_on_how_git_checks_out(
    project: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    before = images.references(), builds.context("base")
    project.sh(command.format("../other"))
    monkeypatch.chdir(tmp_path / "other")

    assert (images.references(), builds.context("base")) == before


def test_writing_keeps_everything_above_the_images(project: Registry) -> None:
    file = project / "images.yaml"
    file.write_text(
        file.read_text().replace("prefix: ", "# mine: ü\nprefix: registry.example.org/")
    )
    head = file.read_text().partition("\nimages:\n")[0]
    wrote = images.write(images.references())
    after = file.read_text()
    again = images.write(images.references())

    assert (wrote, again) == (True, False)
    assert after.startswith(head + "\nimages:\n")
    assert yaml.safe_load(after)["images"] == images.references()
    assert all(one.startswith("registry.example.org/") for one in images.references().values())


@pytest.mark.parametrize("tail", ["\nimages:\n", "\nimages:\n  old: localhost/old:1\n", "\n"])
def test_writing_replaces_whatever_images_there_were(project: Registry, tail: str) -> None:
    file = project / "images.yaml"
    file.write_text(file.read_text().partition("\nimages:\n")[0] + tail)
    images.write(images.references())
    once = file.read_text()
    images.write(images.references())

    assert yaml.safe_load(once)["images"] == images.references()
    assert file.read_text() == once
