"""A backup of a task that is none, or is not to be had whole, changes nothing.

And `add` that is ended while it comes leaves nothing.
"""

import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import corpora
from cvat_backups import ADD, MOVIE, RIGHT, asked, claim_sizes, pack
from pipelines import messages
from pipelines.cvat import movies
from pipelines.cvat.http import Server
from pipelines.cvat.movies import Progress
from pipelines.cvat.settings import Cvat
from pipelines.datasets import add, from_cvat
from pipelines.datasets.edits import Edit
from pipelines.errors import PipelineError
from registries import GIT, PATH, PROJECT, Registry
from services.cvat_answers import Answer, change, claim, cut, drip, redirect, refuse
from services.cvat_server import CvatServer

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]

GIVE = "give the movie by --movie FILE"

HOSTILE: dict[str, tuple[bytes, str]] = {
    "two movies": (pack(RIGHT, ("data/b.mp4", b"b")), "has 2 files of data, not one movie"),
    "no movie": (pack(("data/manifest.jsonl", b"{}")), "has 0 files of data, not one movie"),
    "pictures, of a real CVAT": (
        corpora.path("cvat/real/cvat-ai+cvat/task_30_backup.zip").read_bytes(),
        "has 6 files of data, not one movie",
    ),
    "outside": (pack(RIGHT, ("../x", b"x")), "has a file with the name '../x'"),
    "outside data": (pack(("data/../../x.mp4", b"x")), "has a file with the name 'data/../../x"),
    "from the root": (pack(("/etc/x.mp4", b"x")), "has a file with the name '/etc/x.mp4'"),
    "another movie": (
        pack(("data/a\u202e\nb.mp4", b"x")),
        r"has 'a\u202e\nb.mp4', but its movie is 'bikes?day?1.MP4'",
    ),
    "no backup": (pack(RIGHT).replace(b"task.json", b"desk.json"), "has no task.json"),
    "a bomb": (
        pack((RIGHT[0], bytes(10_000_000)), kind=zipfile.ZIP_DEFLATED),
        "has a movie that is packed to less than 1/10 of its size",
    ),
    "packed otherwise": (pack(RIGHT, kind=zipfile.ZIP_BZIP2), "has a movie that is packed in an"),
    "a wrong checksum": (pack(RIGHT).replace(b"a movie", b"a novel"), "is no whole zip (BadZip"),
    "more than there is": (claim_sizes(pack(RIGHT), 100_000), "is no whole zip ("),
    "less than there is": (claim_sizes(pack(RIGHT), 3), "is no whole zip (BadZipFile)"),
    "half of it": (pack(RIGHT)[:60], "is no whole zip (BadZipFile)"),
    "a page": (b"<html>Bad gateway</html>", "is no whole zip (BadZipFile)"),
    "nothing": (b"", "is no whole zip (BadZipFile)"),
    "a list that is too long": (
        pack(*((f"assets/{number:0200}", b"") for number in range(5000))),
        "is no whole zip (BadZipFile)",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_backup_that_is_none_changes_nothing(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tree: Tree, case: str
) -> None:
    cvat.tasks[3].backup, expected = HOSTILE[case]
    before, around = tree(registry.folder), {*registry.folder.parent.iterdir()}
    said = tools(registry, ADD, 1).stderr.splitlines()
    (error,) = [line for line in said if line.startswith("error: ")]

    assert error.startswith(f"error: task 3: its backup {expected}")
    assert error.endswith(f"; {GIVE}")
    assert tree(registry.folder) == before
    assert {*registry.folder.parent.iterdir()} == around


def test_a_movie_in_a_folder_of_cvats_share_is_taken(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools
) -> None:
    """And one that is packed, beside what older and newer versions of CVAT add."""
    more = [("data/index.json", b"{}"), ("data/manifest.jsonl", b"{}"), ("assets/a/b.png", b"x")]
    movie = ("data/2024/street/bikes.MP4", MOVIE.read_bytes())
    cvat.tasks[3].backup = pack(("data/2024/", b""), movie, *more, kind=zipfile.ZIP_DEFLATED)
    frame = {"width": 640, "height": 272, "name": "2024/street/bikes.MP4"}
    cvat.disturb("GET .*/data/meta", change(frames=[frame]))
    tools(registry, ADD)

    assert (registry / "data/lake/movie.MP4").read_bytes() == MOVIE.read_bytes()


def test_of_a_movies_name_nothing_but_a_plain_extension_is_kept(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools
) -> None:
    cvat.tasks[3].movie = ("$(touch x).mp4;x", b"movie")
    tools(registry, ADD)

    assert (registry / "data/lake/movie").read_bytes() == b"movie"


FAILING: dict[str, tuple[str, Any, int, str]] = {
    "403": ("POST .*/backup", refuse(403), 1, f"the token may not back it up; {GIVE}"),
    "404": ("POST .*/backup", refuse(404), 1, f"CVAT makes no backup of it; {GIVE}"),
    "failed": (
        "GET /api/requests/.*backup",
        change(status="failed", message="AssertionError\n"),
        1,
        f"CVAT could not make its backup; CVAT's page Requests says why, or {GIVE}",
    ),
    "not to be downloaded": ("backup/download", refuse(403), 1, "the token may not back it up"),
    "gone": ("backup/download", refuse(404), 3, "its backup was gone before it could be"),
    "elsewhere": ("backup/download", redirect("http://127.0.0.1:1/x"), 1, "leads elsewhere"),
    "another host": (
        "GET /api/requests/.*backup",
        change(status="finished", result_url="http://127.0.0.1:1/api/x"),
        1,
        "calls itself http://127.0.0.1:1, where the token does not go",
    ),
    "cut each time": ("backup/download", cut(500), 3, "its answer was cut off; nothing was"),
    "longer than it says": ("backup/download", claim(100), 1, "is no whole zip"),
    "a body of nothing": ("backup/download", Answer(204), 1, "answers with 204, without a file"),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_backup_that_is_not_to_be_had_changes_nothing(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tree: Tree, case: str
) -> None:
    match, fault, code, expected = FAILING[case]
    cvat.disturb(match, fault)
    before = tree(registry.folder)
    said = tools(registry, ADD, code).stderr

    assert said.splitlines()[-1].startswith("error: task 3: ")
    assert expected in said.splitlines()[-1]
    assert tree(registry.folder) == before


def test_a_backup_that_is_cut_off_or_gone_once_is_asked_for_again(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools
) -> None:
    cvat.disturb("backup/download", refuse(404), times=1)
    cvat.disturb("backup/download", cut(40_000), times=1)
    tools(registry, ADD)

    assert (registry / "data/lake/movie.MP4").read_bytes() == MOVIE.read_bytes()
    again = ["POST backup/export", *["GET backup/download"] * 2]
    assert asked(cvat)[2:] == ["POST backup/export", "GET backup/download", *again]


def test_what_is_downloaded_again_has_nothing_of_before(cvat: CvatServer) -> None:
    """A zip would bear it."""
    server = Server(Cvat(cvat.url, "videoteam"), cvat.token)
    cvat.disturb("users/self", cut(20), times=2)
    file = io.BytesIO()
    server.download("/api/users/self", file, 10_000, Progress("x").watch)

    assert json.loads(file.getvalue())["username"] == "bridge"
    assert cvat.asked("GET", "users/self") == 3


@pytest.mark.parametrize("told", [True, False], ids=["and says so", "and does not say so"])
def test_a_backup_for_which_there_is_no_room_is_refused(
    registry: Registry,
    stub: Path,
    cvat: CvatServer,
    tools: Tools,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    told: bool,
) -> None:
    """One that says how long it is, before a byte of it is written."""
    room = 1_000_000 if told else 10_000
    monkeypatch.setattr(movies, "LARGEST", room)
    written = list[int]()
    monkeypatch.setattr(Progress, "watch", lambda _, count, __: written.append(count))
    lie = claim(10**15) if told else lambda answer: answer.having(Content_Length="")
    cvat.disturb("backup/download", lie)
    before = tree(registry.folder)
    said = tools(registry, ADD, 1).stderr

    assert f"task 3: its backup has more than {room} bytes, and that is the room here" in said
    assert [count for count in written if told or count > room] == []
    assert asked(cvat).count("GET backup/download") == 1
    assert tree(registry.folder) == before


def test_beside_the_backup_there_is_room_for_the_movie(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize

    assert movies._find_room(tmp_path) <= min(free / 2 * 1.1, movies.LARGEST)


def test_a_backup_that_stays_in_the_queue_is_left_in_time(
    registry: Registry,
    stub: Path,
    cvat: CvatServer,
    tools: Tools,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(from_cvat, "LONGER", 0.2)
    cvat.disturb("GET /api/requests/.*backup", change(status="queued", result_url=None))
    before = tree(registry.folder)

    assert "look whether its export worker runs; nothing" in tools(registry, ADD, 3).stderr
    assert tree(registry.folder) == before


@pytest.mark.parametrize("step", ["dvc", "write", "git", "_install"])
def test_what_fails_after_it_came_is_undone(
    registry: Registry,
    stub: Path,
    cvat: CvatServer,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    before = tree(registry.folder)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Edit, step, fail)
    with pytest.raises(PipelineError, match="No space left on device; nothing was changed"):
        add.add(registry.folder, add.New("lake", None, None, "training", 3))

    assert tree(registry.folder) == before


def test_a_movie_that_another_split_has_is_refused(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tree: Tree
) -> None:
    content = (registry / "data/road/movie.mp4").read_bytes()
    cvat.add_task(3, status="completed", movie=("road.mp4", content))
    before = tree(registry.folder)
    said = tools(registry, ADD, 1).stderr

    assert "the movie of task 3: is the movie of road, which is in the split validation" in said
    assert tree(registry.folder) == before


def start(registry: Registry, stub: Path, *before: str) -> "subprocess.Popen[str]":
    """Start `add` as a process of its own, perhaps after commands of a shell."""
    script = "; ".join([*before, f"exec python -m pipelines {ADD}"])
    return subprocess.Popen(
        ["bash", "-c", script],
        cwd=registry.folder,
        env={**os.environ, **GIT, "PATH": f"{stub}:{PATH}", "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_disk_that_is_full_ends_it_at_once(
    registry: Registry, stub: Path, cvat: CvatServer, tree: Tree
) -> None:
    """It is no fault of the server's, which is not asked again."""
    before = tree(registry.folder)
    with start(registry, stub, "ulimit -f 40") as process:  # of 1024 bytes
        _, said = process.communicate(timeout=60)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]

    assert process.returncode == 1
    assert errors == ["error: data: cannot be written: File too large; nothing was changed"]
    assert asked(cvat).count("GET backup/download") == 1
    assert tree(registry.folder) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_when_it_is_ended_while_a_backup_comes_nothing_of_it_stays(
    registry: Registry, stub: Path, cvat: CvatServer, tree: Tree, number: int
) -> None:
    cvat.disturb("backup/download", drip(0.001))
    before = tree(registry.folder)
    with start(registry, stub) as process:
        while not cvat.asked("GET", "backup/download"):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    after = tree(registry.folder)

    if number == signal.SIGKILL:
        left = {name: each for name, each in after.items() if ".partial-" in name}
        assert {name: each for name, each in after.items() if name not in left} == before
        assert [name for name in left if "movie" in name or "tmp" in name] == []
    else:
        assert said.splitlines()[-1] == "error: stopped before it was done; nothing was changed"
        assert after == before


def test_the_token_is_nowhere(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tmp_path: Path
) -> None:
    cvat.disturb("backup/download", refuse(403), times=1)
    said = [tools(registry, ADD, 1), tools(registry, ADD)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert len(files) > 100
    assert [path for path in files if cvat.token.encode() in path.read_bytes()] == []
    assert cvat.token not in f"{said}"
    assert cvat.token not in registry.sh("git log -p --all").stdout


def test_progress_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list[str]()
    monkeypatch.setattr(messages, "tell_passing", lines.append)
    progress = Progress("x")
    for count in range(0, 10**10 + 1, 10**6):
        progress.watch(count, 10**10)
    counts = len(lines)
    progress.watch(65536, 10**10)

    assert counts == 21
    assert lines[counts - 1] == "x: 10000.0 of 10000.0 MB"
    assert lines[counts] == "x: 0.1 of 10000.0 MB"
