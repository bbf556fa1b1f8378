"""`add` with a task of CVAT in place of files. What CVAT sends that is no backup: test_backups.py.

What the stages say of both files: test_stages.py.
"""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cvat_sdk import make_client
from cvat_sdk.core.proxies.types import Location

from cvat_backups import ADD, BACKUP, EXPORT, MOVIE, NAME, asked
from cvat_worlds import without_the_lines
from pipelines.datasets import split_stages
from registries import Registry
from services.cvat_answers import change, refuse
from services.cvat_server import CvatServer
from services.cvat_state import backed_up

Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]

DROPPED = ("dumped", "updated", "email", "url")
"""Elements that change though nobody changed anything."""


def test_one_command_makes_a_dataset_of_a_task(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools
) -> None:
    said = tools(registry, ADD)
    entry = yaml.safe_load((registry / "params.yaml").read_text())["datasets"]["lake"]
    task = cvat.tasks[3]
    export = (registry / "data/lake/annotations.xml").read_bytes()

    assert entry == {
        "source": "data/lake/movie.MP4",
        "export": "data/lake/annotations.xml",
        "cvat-task": 3,
    }
    assert (registry / "data/lake/movie.MP4").read_bytes() == MOVIE.read_bytes()
    assert b"<deleted_frames>6 24</deleted_frames>" in export
    assert without_the_lines(export, "deleted_frames") == without_the_lines(
        task.annotations(cvat.url, task.updated), *DROPPED
    )
    assert registry.sh("git ls-files data/lake").stdout == "data/lake/annotations.xml\n"
    assert (registry / "data/lake/movie.MP4.dvc").exists()
    assert not [*registry.folder.glob("data/.partial-*")]
    assert asked(cvat) == EXPORT + BACKUP
    assert "lake: added, in the split training" in said.stdout
    assert "task 3: its backup: 0.1 of 0.1 MB" in said.stderr
    assert "warning" not in said.stderr


def test_cvats_own_client_asks_the_same_and_gets_the_same(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tmp_path: Path
) -> None:
    cvat.tasks[3].backup = backup = backed_up(cvat.tasks[3], cvat.clock.now())
    tools(registry, ADD)
    with make_client(cvat.url, access_token=cvat.token) as sdk:
        sdk.organization_slug = "videoteam"
        sdk.tasks.retrieve(3).download_backup(
            tmp_path / "backup.zip", location=Location.LOCAL, status_check_period=0
        )
    ours, theirs = [one for one in cvat.requests if one.where.endswith("backup/export")]
    loaded = [one for one in cvat.requests if one.where.endswith("backup/download")]

    assert ours.query == {key: value.lower() for key, value in theirs.query.items()}
    assert loaded[0].query == loaded[1].query
    assert (tmp_path / "backup.zip").read_bytes() == backup
    with zipfile.ZipFile(tmp_path / "backup.zip") as theirs_too:
        movie = (registry / "data/lake/movie.MP4").read_bytes()
        assert theirs_too.read(f"data/{NAME}") == movie


@pytest.mark.parametrize("given", ["movie", "export", "both"])
def test_what_is_given_as_a_file_is_not_fetched(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tmp_path: Path, given: str
) -> None:
    (tmp_path / "m.mkv").write_bytes(b"own movie")
    (tmp_path / "e.zip").write_bytes(b"own export")
    words = {"movie": f" --movie '{tmp_path}/m.mkv'", "export": f" --export '{tmp_path}/e.zip'"}
    tools(registry, f"{ADD} --move {words.get(given) or ''.join(words.values())}")

    left = {"movie": EXPORT, "export": BACKUP, "both": []}
    assert asked(cvat) == left[given]
    assert (registry / "data/lake/movie.mkv").exists() is (given != "export")
    assert (registry / "data/lake/annotations.zip").exists() is (given != "movie")
    assert (tmp_path / "m.mkv").exists() is (given == "export")
    assert bool(cvat.requests) is (given != "both")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("accepted", "not accepted yet (1 of 3 jobs)"),
        ("completed", "not completed yet (2 of 3 jobs)"),
    ],
)
def test_a_task_that_is_not_done_is_taken_and_that_is_said(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, when: str, said: str
) -> None:
    set_when(registry, when)
    done, half, new = (
        ("acceptance", "completed"),
        ("annotation", "completed"),
        ("annotation", "new"),
    )
    cvat.add_task(3, jobs=[done, half, new])
    warnings = [each for each in tools(registry, ADD).stderr.splitlines() if "warning" in each]

    assert warnings == [f"warning: task 3: {said}; what it has now is taken"]


def test_a_registry_that_takes_what_is_saved_waits_for_no_job(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools
) -> None:
    set_when(registry, "saved")
    cvat.add_task(3, jobs=[("annotation", "new")])

    assert "warning" not in tools(registry, ADD).stderr


def set_when(registry: Registry, when: str) -> None:
    text = (registry / "params.yaml").read_text()
    (registry / "params.yaml").write_text(text.replace("cvat: {", f"cvat: {{when: {when}, "))


@pytest.fixture
def published(registry: Registry, stub: Path, cvat: CvatServer, tools: Tools) -> Registry:
    """The registry with a server that has its default branch."""
    registry.sh("git commit -q -a -m 'Its CVAT' && git init -q --bare -b main ../server.git")
    registry.sh("git remote add origin ../server.git && git push -q -u origin HEAD:main")
    registry.sh("git remote set-head origin main")
    return registry


@pytest.mark.parametrize("as_told", [True, False], ids=["as told", "in other words"])
def test_the_first_fetch_finds_it_unchanged(
    published: Registry, cvat: CvatServer, tools: Tools, as_told: bool
) -> None:
    """With the commit that `add` names, it does not even export; with another, it does."""
    said = tools(published, ADD).stdout
    (commit,) = re.findall(r"^ +(git commit .*)$", said, re.M)
    published.sh("git add data params.yaml dvc.yaml pictures/dvc.yaml")
    published.sh(commit if as_told else "git commit -q -m 'A lake'")
    published.sh("git push -q origin HEAD:main")
    before = len(asked(cvat))

    done = tools(published, "fetch lake")

    why = "unchanged" if as_told else "unchanged: it was saved in CVAT without a change"
    assert f"lake: task 3: {why}" in (done.stdout + done.stderr).splitlines()
    assert asked(cvat)[before:] == ([] if as_told else EXPORT)
    assert published.sh("git -C ../server.git branch --list 'cvat_*'").stdout == ""


def lose_the_section(registry: Registry, cvat: CvatServer, _: pytest.MonkeyPatch) -> None:
    text = (registry / "params.yaml").read_text()
    (registry / "params.yaml").write_text(re.sub("(?m)^cvat: .*\n", "", text))


def lose_the_token(registry: Registry, cvat: CvatServer, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("CVAT_ACCESS_TOKEN")


def take_the_folder(registry: Registry, cvat: CvatServer, _: pytest.MonkeyPatch) -> None:
    (registry / "data/lake").mkdir()


def nothing(registry: Registry, cvat: CvatServer, _: pytest.MonkeyPatch) -> None:
    pass


Spoil = Callable[[Registry, CvatServer, pytest.MonkeyPatch], None]

NOT_ASKED: dict[str, tuple[Spoil, str, str]] = {
    "no section": (lose_the_section, ADD, "params.yaml: cvat.url: is missing"),
    "no token": (lose_the_token, ADD, "CVAT_ACCESS_TOKEN: is not set"),
    "a task of another dataset": (
        nothing,
        "add lake --cvat-task 12",
        "cvat-task: must be the number of a task that no other dataset has",
    ),
    "a name that exists": (nothing, "add park --cvat-task 3", "there is a dataset park"),
    "a folder that exists": (take_the_folder, ADD, "is there already"),
    "no such split": (nothing, "add lake --cvat-task 3 --split x", "there is no split x"),
    "no such file": (nothing, f"{ADD} --movie none", "none: is not there"),
}


@pytest.mark.parametrize("case", NOT_ASKED)
def test_what_is_plain_is_refused_before_cvat_is_asked(
    registry: Registry,
    stub: Path,
    cvat: CvatServer,
    tools: Tools,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    spoil, command, expected = NOT_ASKED[case]
    spoil(registry, cvat, monkeypatch)
    before = tree(registry.folder)

    assert expected in tools(registry, command, 1).stderr
    assert cvat.requests == []
    assert tree(registry.folder) == before


def test_a_pipeline_that_is_damaged_is_refused_before_anything_is_made(
    registry: Registry,
    stub: Path,
    cvat: CvatServer,
    tools: Tools,
    tree: Tree,
) -> None:
    text = (registry / "dvc.yaml").read_text()
    (registry / "dvc.yaml").write_text(text.replace(split_stages.END, ""))
    before = tree(registry.folder)

    assert "dvc.yaml: must have one line" in tools(registry, ADD, 1).stderr
    assert asked(cvat) == []
    assert tree(registry.folder) == before


@pytest.mark.parametrize("words", ["", "--movie m", "--export e"])
def test_without_a_task_both_files_are_required(
    registry: Registry, words: str, capsys: pytest.CaptureFixture[str], tools: Tools
) -> None:
    with pytest.raises(SystemExit) as ended:
        tools(registry, f"add lake {words}")
    missing = [each for each in ("--movie", "--export") if each not in words]

    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: without --cvat-task, these are required: {', '.join(missing)}")


NOT_MADE: dict[str, tuple[Callable[[CvatServer], object], int, str]] = {
    "pictures": (
        lambda cvat: cvat.add_task(3, mode="annotation"),
        1,
        "task 3: is of pictures, and datasets are of movies; if these are a movie's frames, "
        "export it in CVAT and give --movie and --export",
    ),
    "no data": (lambda cvat: cvat.tasks[3].without_data(), 1, "task 3: has no data yet; upload"),
    "no such task": (lambda cvat: cvat.remove_task(3), 1, "task 3: is not in CVAT; look at its"),
    "forbidden": (lambda cvat: cvat.forbid(3), 1, "task 3: the token may not see or export it"),
    "another meta": (
        lambda cvat: cvat.disturb("GET .*/data/meta", change(frames=[])),
        1,
        "task 3: CVAT does not tell the name of its movie as expected",
    ),
    "a wrong token": (
        lambda cvat: cvat.disturb("GET ", refuse(401)),
        1,
        "CVAT_ACCESS_TOKEN: is wrong, revoked or expired",
    ),
    "away": (lambda cvat: cvat.disturb("GET ", refuse(502)), 3, "nothing was changed, try again"),
}


@pytest.mark.parametrize("case", NOT_MADE)
def test_a_task_that_is_not_to_be_had_is_refused_before_anything_is_made(
    registry: Registry, stub: Path, cvat: CvatServer, tools: Tools, tree: Tree, case: str
) -> None:
    harm, code, expected = NOT_MADE[case]
    harm(cvat)
    before = tree(registry.folder)

    assert expected in tools(registry, ADD, code).stderr
    assert asked(cvat) == []
    assert tree(registry.folder) == before
