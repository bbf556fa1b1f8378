"""Inputs that are not there, and what is said of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stage import sources
from stage.errors import StageError

POINTER = f"{sources.LFS.decode()}v1\noid sha256:{64 * '0'}\nsize 12\n"

MOUNTINFO = """\
640 561 0:107 / / ro,relatime master:2 - overlay overlay rw,lowerdir=/a:/b
641 640 0:110 / /proc rw,nosuid - proc proc rw
642 640 0:111 / /dev rw,nosuid - tmpfs tmpfs rw
643 642 0:112 / /dev/pts rw,nosuid - devpts devpts rw
644 640 0:113 / /sys ro,nosuid - sysfs sysfs ro
645 640 0:114 / /tmp rw,nosuid - tmpfs tmpfs rw,size=262144k
646 640 8:1 /x/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
647 640 8:1 /x/hostname /etc/hostname rw - ext4 /dev/sda1 rw
648 640 8:1 /x/hosts /etc/hosts rw - ext4 /dev/sda1 rw
649 640 8:1 /usr/bin/docker-init /usr/sbin/docker-init ro - ext4 /dev/sda1 rw
"""
"""As a container of `docker run --init` has it with nothing mounted by its caller."""

Mount = Callable[..., None]


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Let the stage believe that it is in a container with some folders mounted."""

    def mounted(*folders: str) -> None:
        lines = [
            f"{n} 640 8:1 /x {folder} rw - ext4 /dev/sda1 rw\n" for n, folder in enumerate(folders)
        ]
        (tmp_path / "mountinfo").write_text(MOUNTINFO + "".join(lines), "utf-8")
        monkeypatch.setattr(sources, "MOUNTS", tmp_path / "mountinfo")
        monkeypatch.setenv("IMAGE_REFERENCE", "some/image:1")
        monkeypatch.chdir("/")

    return mounted


def refusal(path: Path, of: Callable[[Path], Path] = sources.file) -> str:
    """What is said of an input."""
    with pytest.raises(StageError) as raised:
        of(path)
    return str(raised.value)


def test_a_file_and_a_folder_that_are_there_are_taken(tmp_path: Path) -> None:
    file, link = tmp_path / "movie.mkv", tmp_path / "link.mkv"
    file.write_text("x")
    link.symlink_to(file)

    assert sources.file(file) == file
    assert sources.file(link) == link
    assert sources.folder(tmp_path) == tmp_path


@pytest.mark.parametrize("of", [sources.file, sources.folder])
def test_what_is_missing_is_named_without_a_word_of_mounts(
    tmp_path: Path, of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGE_REFERENCE", raising=False)

    assert refusal(tmp_path / "a", of) == f"{tmp_path / 'a'}: no such file or folder"


def test_a_file_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "movie.mkv").touch()

    assert "movie.mkv: the file is empty; copy or `dvc pull` it again" in refusal(
        tmp_path / "movie.mkv"
    )


def test_a_folder_in_the_place_of_a_file_and_the_reverse_are_refused(tmp_path: Path) -> None:
    (tmp_path / "movie.mkv").write_text("x")

    assert "is a folder, a file is needed" in refusal(tmp_path)
    assert "is a file, a folder is needed" in refusal(tmp_path / "movie.mkv", sources.folder)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "movie.mkv")

    assert "movie.mkv: is not a regular file" in refusal(tmp_path / "movie.mkv")


def test_a_git_lfs_pointer_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "cvat.zip").write_text(POINTER)

    assert "is a Git LFS pointer, not the file; run `git lfs pull`" in refusal(
        tmp_path / "cvat.zip"
    )


def test_a_git_lfs_pointer_of_a_real_branch_is_called_so(corpus: Path) -> None:
    folder = corpus / "cvat/real/Gregor-Mendel-Institute+TRG-ImageProcessing"

    assert "is a Git LFS pointer" in refusal(folder / "Alex_20201028.zip.lfs-pointer")


@pytest.mark.parametrize("of", [sources.file, sources.folder])
@pytest.mark.parametrize("target", ["/cache/ab/cdef", "itself"])
def test_a_link_to_nothing_is_called_so(
    tmp_path: Path, of: Callable[[Path], Path], target: str
) -> None:
    (tmp_path / "itself").symlink_to(target)

    assert f"itself: is a link to {target}, which is not there" in refusal(tmp_path / "itself", of)


def test_a_source_outside_every_mount_says_which_there_are(mount: Mount) -> None:
    mount("/home/ann/registry/data", "/home/ann/registry/params.yaml")
    said = refusal(Path("movies/movie.mkv"))

    assert said.startswith("movies/movie.mkv: no such file or folder; this container sees ")
    assert "sees /home/ann/registry/data and /home/ann/registry/params.yaml, and " in said
    assert "and /movies/movie.mkv is not below: mount it with --mount type=bind" in said


def test_a_source_missing_in_a_mount_says_in_which(mount: Mount) -> None:
    mount("/home/ann/data", "/home/ann/data/movie1")

    assert refusal(Path("/home/ann/data/movie1/a.mkv")).endswith(
        "in the mounted /home/ann/data/movie1"
    )
    assert refusal(Path("/home/ann/data/movie2/a.mkv")).endswith("in the mounted /home/ann/data")


def test_without_any_mount_it_says_so(mount: Mount) -> None:
    mount()

    assert "this container sees no folder at all, and /data/a.mkv is not" in refusal(
        Path("data/a.mkv")
    )


@pytest.mark.parametrize(
    "folder",
    ["/devel/registry", "/system/registry", "/processed", "/tmp/registry/data"],  # noqa: S108
)
def test_folders_that_only_begin_like_a_containers_own_are_seen(mount: Mount, folder: str) -> None:
    mount(folder)

    assert refusal(Path("data/a.mkv")).count(f"sees {folder}, and") == 1


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

    assert sources.mounted() == [folder]
