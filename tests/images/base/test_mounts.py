"""Outputs that a container would take along, and where it has mounts."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from stage import mounts
from stage.errors import StageError

Mount = Callable[..., None]


@pytest.fixture
def data(tmp_path: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mounted data/ of a registry, in whose folder the container works; params.yaml, too."""
    folder = tmp_path / "registry" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "params.yaml").touch()
    mount(str(folder), str(folder.parent / "params.yaml"))
    monkeypatch.chdir(folder.parent)
    return folder


def refusal(path: Path) -> str:
    """Why an output cannot be there; nothing if it can."""
    try:
        mounts.check_kept(path)
    except StageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", ["data/J", "data/new/deep/J", "data/../data/J", "link/J"])
def test_an_output_below_a_mount_is_kept(data: Path, path: str) -> None:
    Path("link").symlink_to("data")

    assert not refusal(Path(path))
    assert not refusal(Path.cwd() / path)


@pytest.mark.parametrize(
    ("path", "place", "option"),
    [
        ("out", "{here}/out", "$PWD"),
        ("results/movie1/J", "{here}/results/movie1/J", "$PWD/results"),
        ("data/../out", "{here}/out", "{here}"),
        ("data/out/J", "{here}/elsewhere/J", "{here}/elsewhere"),
        ("/tmp/out", "/tmp/out", "/tmp"),  # noqa: S108
        ("/dev/shm/out", "/dev/shm/out", "/dev/shm"),  # noqa: S108
        ("data2/J", "{here}/data2/J", "$PWD/data2"),
    ],
)
def test_an_output_elsewhere_would_be_lost(data: Path, path: str, place: str, option: str) -> None:
    (data / "out").symlink_to("../elsewhere")
    here = Path.cwd()
    place, option = place.format(here=here), option.format(here=here)

    assert refusal(Path(path)) == (
        f"{path}: would be lost with the container; this container sees {data} and "
        f"{here}/params.yaml, and {place} is not below: mount it with --mount "
        f'type=bind,source="{option}",target="{option}" --workdir "$PWD"'
    )


@pytest.mark.parametrize("path", ["data", "params.yaml"])
def test_a_mount_itself_cannot_be_replaced(data: Path, path: str) -> None:
    assert refusal(Path(path)).startswith(f"{path}: is a mount, which cannot be replaced; give")


def test_what_is_on_the_host_is_kept_anywhere(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGE_REFERENCE")

    assert not refusal(Path("out"))


def test_a_mount_that_is_read_only_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))

    assert refusal(Path("data/new/J")) == (
        f"data/new/J: {data} is read-only; mount it without `readonly`, or give another path"
    )


@pytest.mark.parametrize("link", ["", "nowhere", "a"])
def test_what_is_no_folder_holds_no_output(data: Path, link: str) -> None:
    if link:
        Path("data/a").symlink_to(link)
    else:
        Path("data/a").touch()

    assert refusal(Path("data/a/b/J")) == f"data/a/b/J: {data}/a is no folder; give another path"


def test_folders_of_memory_that_the_caller_mounted_are_seen(mount: Mount) -> None:
    mount("/dev/shm/registry/data", "/dev/shm")  # noqa: S108

    assert mounts.list_mounts() == ["/dev/shm/registry/data"]  # noqa: S108


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        ("/home/my\\040registry/data", "/home/my registry/data"),
        ("/home/back\\134slash", "/home/back\\slash"),
        ("/home/régistry/data", "/home/régistry/data"),
        ("/home/車\\040一/data", "/home/車 一/data"),
    ],
)
def test_mounts_are_named_as_people_wrote_them(mount: Mount, written: str, folder: str) -> None:
    mount(written)

    assert mounts.list_mounts() == [folder]
