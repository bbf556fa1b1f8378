"""Names of movies and folders: whatever a file is called, it is that file that is read."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from registries import Registry
from stage import frames

Make = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]

NAMES = (
    "-i.mkv", "--help.mkv", "a b.mkv", "a;touch pwned;.mkv", "$(touch pwned).mkv", "a'b.mkv",
    'a"b.mkv', "a\nb.mkv", "a\x1b[31mb.mkv", "frame_%06d.mkv", "%d%s%n.mkv", "concat:a|b.mkv",
    "pipe:0.mkv", "http:x.mkv", "file:x.mkv", "a:b.mkv", "a,b=c.mkv", "a\\b.mkv", "café.mkv",
    "cafe\u0301.mkv", "車.mkv", "\u202egnp.mkv", "*.mkv", "[x].mkv", "~.mkv",
    " .mkv", "{{x}}.mkv", "${x}.mkv", "movie", "movie.png", "x" * 250 + ".mkv",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_a_files_name(
    name: str, tmp_path: Path, movie: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")  # so that the name is all there is of the path
    os.link(movie, name)
    code, told, said = run(f"--source={name}", "--index", "../frames.csv")

    assert code == 0, said
    assert len(frames.read(tmp_path / "frames.csv")) == 20
    assert told.removesuffix("\n").isprintable()
    assert not list(tmp_path.rglob("pwned*"))


@pytest.mark.parametrize("folder", ["a:b", "a,b", "a b\n", "%06d", "-x", "concat:a|b"], ids=ascii)
def test_any_folder_will_do(
    folder: str, tmp_path: Path, movie: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    os.link(movie, "movie.mkv")

    assert run("--source", "movie.mkv", "--destination", f"./{folder}/J")[0] == 0
    assert len(list((tmp_path / folder / folder / "J").iterdir())) == 20


@pytest.mark.parametrize("name", ["-i.mkv", "a\nb.mkv", "caf\udce9.mkv"], ids=ascii)
def test_a_refusal_is_one_printable_line(name: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / name).write_bytes(b"no movie at all")
    code, told, said = run("--source", tmp_path / name, "--index", tmp_path / "frames.csv")

    assert (code, told) == (1, "")
    assert said.startswith("error: ")
    assert said.removesuffix("\n").isprintable()


def test_a_name_that_is_not_utf8_is_no_accident(tmp_path: Path, movie: Path, run: Run) -> None:
    latin1 = movie.rename(tmp_path / "caf\udce9.mkv")
    code, told, said = run("--source", latin1, "--index", tmp_path / "frames.csv")

    assert code == (0 if (tmp_path / "frames.csv").exists() else 1)
    assert (told + said).removesuffix("\n").isprintable()


@pytest.mark.parametrize("beside", ["frame_000000.mkv", "movie.m3u8", "movie.srt", "movie.idx"])
def test_files_beside_the_movie_are_not_read(
    beside: str, tmp_path: Path, movie: Path, ffmpeg: Make, run: Run
) -> None:
    name = "frame_%06d.mkv" if beside.startswith("frame") else "movie.mkv"
    run("--source", movie, "--index", tmp_path / "alone.csv")
    other = ffmpeg("-f", "lavfi", "-i", "testsrc=d=1", "-frames:v", "3", "other.mkv")
    (tmp_path / "in").mkdir()
    shutil.copy(movie, tmp_path / "in" / name)
    shutil.copy(other, tmp_path / "in" / beside)
    run("--source", tmp_path / "in" / name, "--index", tmp_path / "beside.csv")

    assert (tmp_path / "beside.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


def test_mp4_named_mkv_is_told_by_its_content(
    tmp_path: Path, movie: Path, ffmpeg: Make, run: Run
) -> None:
    mp4 = ffmpeg("-i", str(movie), "-c", "copy", "movie.mp4")
    code, _, _ = run("--source", mp4.rename(tmp_path / "b.mkv"), "--index", tmp_path / "i.csv")

    assert code == 0
    assert len(frames.read(tmp_path / "i.csv")) == 20


@pytest.mark.parametrize(
    "name", ["a\nb.mkv", "concat:a|b.mkv", "-i.mkv", "frame_%06d.mkv", "車.mkv"]
)
def test_any_name_in_the_container(
    name: str, engine: docker.DockerClient, bare: Registry, movie: Path
) -> None:
    shutil.copy(movie, bare / "data" / name)
    done = bare.run("video-to-frame", f"--source 'data/{name}' --destination data/J")

    assert len(list((bare / "data/J").iterdir())) == 20
    assert done.stdout.removesuffix("\n").isprintable()
