"""Inputs that are not there, and what is said of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import corpora
from stage import sources
from stage.errors import StageError

POINTER = f"{sources.LFS.decode()}v1\noid sha256:{64 * '0'}\nsize 12\n"

Mount = Callable[..., None]


def refusal(path: Path, of: Callable[[Path], Path] = sources.check_file) -> str:
    """What is said of an input."""
    with pytest.raises(StageError) as raised:
        of(path)
    return str(raised.value)


def test_a_file_and_a_folder_that_are_there_are_taken(tmp_path: Path) -> None:
    file, link = tmp_path / "movie.mkv", tmp_path / "link.mkv"
    file.write_text("x")
    link.symlink_to(file)

    assert sources.check_file(file) == file
    assert sources.check_file(link) == link
    assert sources.check_folder(tmp_path) == tmp_path


@pytest.mark.parametrize("of", [sources.check_file, sources.check_folder])
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
    assert "is a file, a folder is needed" in refusal(tmp_path / "movie.mkv", sources.check_folder)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "movie.mkv")

    assert "movie.mkv: is not a regular file" in refusal(tmp_path / "movie.mkv")


def test_a_git_lfs_pointer_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "cvat.zip").write_text(POINTER)

    assert "is a Git LFS pointer, not the file; run `git lfs pull`" in refusal(
        tmp_path / "cvat.zip"
    )


def test_a_git_lfs_pointer_of_a_real_branch_is_called_so() -> None:
    [pointer] = corpora.names("cvat/real/*/*.lfs-pointer")

    assert "is a Git LFS pointer" in refusal(corpora.path(pointer))


@pytest.mark.parametrize("of", [sources.check_file, sources.check_folder])
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
