"""Movies that are none, or that are after something: refused; nothing read, sent or changed."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

import corpora
from hostile import files, movies
from hostile.exports import CANARY, CANARY_PATH, PORT
from hostile.files import HostileFile
from registries import Registry
from stage import frames

ACCEPTED = {
    "m00_good_10frames.mkv": 10,
    "m09_full_100frames.mkv": 100,
    "m21_timestamp_gap_10h.mkv": 2,
    "m22_20000_frames.mkv": 20_000,
    "m31_two_video_streams.mkv": 10,
    "m32_variable_rate.mkv": 4,
    "m33_rotated.mp4": 10,
    "m34_odd_size.mkv": 10,
    "m35_mp4_named.mkv": 10,
}
"""Sound movies, and how many frames they have."""

REFUSED = {
    "m01_zero_byte.mkv": "the file is empty",
    "m02_text.mkv": "is not a movie",
    "m03_random.mkv": "is not a movie",
    "m04_truncated.mkv": "ended prematurely",
    "m05_header_only.mkv": "ended prematurely",
    "m06_bit_rot.mkv": "damaged",
    "m07_html_404.mkv": "is not a movie",
    "m08_git_lfs_pointer.mkv": "Git LFS pointer",
    "m09_truncated_silent.mkv": "7[0-9] of about 100 frames",
    "m10_hls_file.m3u8": "is not a movie",
    "m10_hls_file.mkv": "is not a movie",
    "m11_hls_http.m3u8": "is not a movie",
    "m11_hls_http.mkv": "is not a movie",
    "m12_hls_concat_exfil.mkv": "is not a movie",
    "m13_ffconcat_sibling.mkv": "is not a movie",
    "m14_ffconcat_absolute.mkv": "is not a movie",
    "m15_sdp_network.mkv": "is not a movie",
    "m16_dash_mpd.mkv": "is not a movie",
    "m17_xspf_svg.mkv": "is not a movie",
    "m20_pixel_bomb_8192.mkv": "frames.max-pixels",
    "m30_audio_only.mkv": "no picture",
    "m36_png_named.mkv": "is not a movie",
}
"""The others, and a pattern of the reason that is to be given. How much is left of a movie that
ends between two frames depends on who encoded it."""

Run = Callable[..., tuple[int, str, str]]

LARGER = corpora.has("hostile/video")


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """The address that hostile movies would call."""
    with socket.create_server(("127.0.0.1", PORT), reuse_port=True) as server:
        server.setblocking(False)
        yield server
    Path(CANARY_PATH).unlink(missing_ok=True)


@pytest.fixture
def trap(listener: socket.socket) -> Iterator[None]:
    """A secret that must not be read and an address that must not be called."""
    Path(CANARY_PATH).write_text(CANARY, "utf-8")
    yield
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A dataset with pictures and an index of an earlier run."""
    (tmp_path / "old/JPEGImages").mkdir(parents=True)
    (tmp_path / "old/JPEGImages/frame_000007.PNG").write_bytes(b"an old picture")
    (tmp_path / "old/frames.csv").write_text(",".join(frames.HEADER) + "\n", "utf-8")
    return tmp_path / "old"


@pytest.fixture(params=["made here", *(["of the larger corpus"] * LARGER)])
def hostile_movie(request: pytest.FixtureRequest, hostile_file: HostileFile) -> HostileFile:
    """Return where a hostile movie is, by its name. Those of the corpus are of another ffmpeg."""
    if request.param == "made here":
        return hostile_file
    return lambda name: corpora.path(f"hostile/video/{name}")


def content(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, also hidden files."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_no_hostile_movie_is_left_out() -> None:
    assert movies.FILES.keys() == {*ACCEPTED, *REFUSED}


@pytest.mark.parametrize("name", ACCEPTED)
def test_sound_movies_are_whole(name: str, hostile_movie: HostileFile, old: Path, run: Run) -> None:
    source = hostile_movie(name)
    outputs = ("--destination", old / "JPEGImages", "--index", old / "frames.csv")
    step = 1 if ACCEPTED[name] < 1000 else 100
    code, _, said = run("--source", source, *outputs, "--step", str(step))
    found = frames.read(old / "frames.csv")

    assert code == 0
    assert all(line.startswith(f"{source}: ") for line in said.splitlines())  # progress
    assert len(found) == ACCEPTED[name]
    names = {path.name for path in (old / "JPEGImages").iterdir()}
    assert names == {frame.name for frame in found[::step]}
    assert {path.name for path in old.iterdir()} == {"JPEGImages", "frames.csv"}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("trap")
def test_others_are_refused_and_change_nothing(
    name: str, hostile_movie: HostileFile, old: Path, run: Run
) -> None:
    before, source = content(old), hostile_movie(name)
    outputs = ("--destination", old / "JPEGImages", "--index", old / "frames.csv")
    code, told, said = run("--source", source, *outputs)

    assert (code, told) == (1, "")
    assert said.startswith(f"error: {source}: ")
    assert said.count("\n") == 1
    assert said.removesuffix("\n").isprintable()
    assert re.search(REFUSED[name], said)
    assert CANARY not in said
    assert content(old) == before
    assert {path.name for path in old.iterdir()} == {"JPEGImages", "frames.csv"}


@pytest.mark.parametrize(
    "name",
    ["m06_bit_rot.mkv", "m10_hls_file.mkv", "m13_ffconcat_sibling.mkv", "m20_pixel_bomb_8192.mkv"],
)
def test_the_container_refuses_too(name: str, engine: docker.DockerClient, bare: Registry) -> None:
    files.write(name, bare / "data")
    (bare / "data/JPEGImages").mkdir()
    (bare / "data/JPEGImages/frame_000007.PNG").write_bytes(b"an old picture")
    before = content(bare / "data")
    done = bare.run(
        "video-to-frame",
        f"--source data/{name} --destination data/JPEGImages",
        check=False,
        options="--memory 512m --memory-swap 512m",
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: data/{name}: ")
    assert done.stderr.count("\n") == 1
    assert re.search(REFUSED[name], done.stderr)
    assert content(bare / "data") == before
