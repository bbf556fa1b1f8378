"""The parts of publishing that need no engine: parameters, numbers, names, files, branches."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines import commands
from pipelines.datasets import params
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError, Transient
from pipelines.publishing import branch_rules, branches, changes, publish_checks
from pipelines.publishing.branches import Branch
from pipelines.publishing.changes import Line
from pipelines.storage import dvc, dvc_files
from pipelines.storage.dvc_files import Named
from pipelines.storage.git import BRANCHES, DEFAULT, Git
from services.gitserver import git

PARAMS = """
datasets:
  street: {source: s.mkv, export: data/street/annotations.xml, cvat-task: 7}
  "2024": {source: t.mkv, export: data/2024/cvat.zip}
"""


def test_the_parameters_of_publishing_have_defaults() -> None:
    exports = {"street": "data/street/annotations.xml", "2024": "data/2024/cvat.zip"}
    sources = {"street": "s.mkv", "2024": "t.mkv"}
    assert params.parse(PARAMS) == Settings(
        exports, {7: "street"}, 0.2, 16_000_000, sources=sources
    )
    own = params.parse(f"{PARAMS}publish: {{max-drop: 1, max-size: 5}}\n")
    assert (own.max_drop, own.max_size) == (1, 5)
    assert params.parse("datasets:\n") == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "params.yaml: must be a mapping"),
        ("[1]", "must be a mapping"),
        ("a: [", "params.yaml: is no plain YAML: "),
        ("a: !!python/object/apply:os.system [id]", "params.yaml: is no plain YAML: "),
        ("a: 1\n---\nb: 2\n", "params.yaml: is no plain YAML: "),
        ("datasets: [1]", "params.yaml: datasets: must be a mapping"),
        ("datasets: {a: x.mkv}", "params.yaml: datasets.a: must be a mapping"),
        ("datasets: {a: {cvat-task: '12'}}", "datasets.a.cvat-task: must be the number"),
        ("datasets: {a: {cvat-task: true}}", "datasets.a.cvat-task: must be the number"),
        ("datasets: {a: {cvat-task: 1}, b: {cvat-task: 1}}", "datasets.b.cvat-task: must be"),
        ("publish: 1", "params.yaml: publish: must be a mapping"),
        ("publish: {max-drops: 1}", "publish.max-drops: is no parameter; there are max-drop"),
        ("publish: {max-drop: 1.1}", "publish.max-drop: must be a number from 0 to 1"),
        ("publish: {max-drop: .nan}", "publish.max-drop: must be a number from 0 to 1"),
        ("publish: {max-drop: true}", "publish.max-drop: must be a number from 0 to 1"),
        ("publish: {max-size: '1'}", "publish.max-size: must be a number from 0 to"),
        ("publish: {3: 1, max-sizes: 2}", "is no parameter"),
    ],
)
def test_a_wrong_parameter_is_named(text: str, said: str) -> None:
    with pytest.raises(PipelineError, match=re.escape(said)) as caught:
        params.parse(text)
    assert "\n" not in str(caught.value)


def metrics(pictures: int, objects_: int, **labels: int) -> str:
    listed = ", ".join(f'"{name}": {count}' for name, count in labels.items())
    return f'{{"pictures": {pictures}, "objects": {objects_}, "labels": {{{listed}}}}}'


def test_what_changed_is_said_by_dataset_and_label_those_of_all_first() -> None:
    before = {"data/a/metrics.json": metrics(4, 5, Car=5), "data/b/metrics.json": metrics(1, 1)}
    after = {"data/a/metrics.json": metrics(3, 5, Car=4, Bus=1), "data/b/metrics.json": None}
    found = changes.lines(before, after)
    assert [str(line) for line in found] == [
        *("a: pictures 4 -> 3", "a: Bus 0 -> 1", "a: Car 5 -> 4"),
        *("b: objects 1 -> 0", "b: pictures 1 -> 0"),
    ]
    assert changes.lines(after, after) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "1", '{"pictures": 1, "objects": 2}', "{"])
def test_metrics_that_are_none_are_named(text: str) -> None:
    with pytest.raises(PipelineError, match=r"^data/a/metrics\.json: is no metrics\.json; "):
        changes.lines({}, {"data/a/metrics.json": text})


@pytest.mark.parametrize(
    ("had", "has", "limit", "said"),
    [
        ((10, 10), (8, 8), 0.2, []),
        ((10, 10), (7, 10), 0.2, ["30% of its pictures (10 -> 7, limit 20%)"]),
        ((10, 10), (10, 7), 0.2, ["30% of its objects (10 -> 7, limit 20%)"]),
        ((10, 10), (0, 0), 0.2, ["100% of its pictures (10", "100% of its objects (10"]),
        ((10, 10), (0, 0), 1, []),
        ((10, 10), (9, 10), 0, ["10% of its pictures (10 -> 9, limit 0%)"]),
        ((0, 0), (0, 0), 0, []),
        ((1, 1), (9, 9), 0, []),
    ],
)
def test_a_drop_over_the_limit_is_named(
    had: tuple[int, int], has: tuple[int, int], limit: float, said: Sequence[str]
) -> None:
    for path, expected in (
        ("data/a/metrics.json", said),
        ("data/merged/training/metrics.json", []),
    ):
        found = [*changes.drops({path: metrics(*had)}, {path: metrics(*has)}, limit)]
        assert len(found) == len(expected)
        for line, text in zip(found, expected, strict=True):
            assert line.startswith(f"{path}: would drop {text}")


def test_a_dataset_that_is_new_or_was_removed_is_no_drop() -> None:
    one = {"data/a/metrics.json": metrics(9, 9)}
    assert [*changes.drops(one, {}, 0), *changes.drops({}, one, 0)] == []
    assert [*changes.drops({"data/a/metrics.json": None}, one, 0)] == []


def test_the_message_of_a_commit_has_its_lines_and_asks_ci_to_start_nothing() -> None:
    said = changes.message("Publish a", [Line("a", "Car", 1, 2)], ["Export: e.xml"])
    assert said == "Publish a\n\na: Car 1 -> 2\n\nExport: e.xml\n[skip ci]\n"
    assert "no number of a dataset or label changed" in changes.message("Publish a", [], [])


LOCK = """schema: '2.0'
stages:
  one@a:
    cmd: x
    outs:
    - {path: data/a, hash: md5, md5: 11.dir, size: 3, nfiles: 2}
    - {path: data/b, hash: md5, md5: '22', size: 1}
  two:
    cmd: y
    deps: [{path: data/a, md5: 11.dir}]
"""


def test_a_lock_names_the_outputs_of_each_stage() -> None:
    named = [Named("data/a", "11.dir", 3, 2), Named("data/b", "22", 1, None)]
    assert dvc_files.of_lock(LOCK) == {"one@a": named, "two": []}
    assert dvc_files.of_lock("") == {}


def test_a_lock_loses_the_stages_that_are_not_published() -> None:
    left = dvc_files.drop_stages(LOCK, ["two", "three"])
    assert dvc_files.of_lock(left) == {"one@a": dvc_files.of_lock(LOCK)["one@a"]}
    assert dvc_files.drop_stages(left, []) == left


@pytest.mark.parametrize("text", ["- 1", "stages: 1", "stages: {a: 1}", "a: {", "1"])
def test_a_lock_that_is_none_is_named(text: str) -> None:
    with pytest.raises(PipelineError, match="restore it from git"):
        dvc_files.of_lock(text)


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ("outs: [{path: m.mkv, md5: '1', size: 2}]", "data/a/m.mkv.dvc", ["data/a/m.mkv"]),
        ("outs: [{path: m.mkv, md5: '1'}]", "m.mkv.dvc", ["m.mkv"]),
        ("deps: [{path: x, repo: {url: y}}]\nouts: [{path: m.mkv, md5: '1'}]", "m.mkv.dvc", []),
        ("deps: [{path: s3://x}]\nouts: [{path: m.mkv, md5: '1'}]", "m.mkv.dvc", ["m.mkv"]),
        ("outs: [{path: m.mkv, md5: '1', remote: other}]", "m.mkv.dvc", ["m.mkv"]),
        ("outs: [{path: m.mkv, md5: '1', cache: false}]", "m.mkv.dvc", []),
        ("outs: []", "m.mkv.dvc", []),
        ("", "m.mkv.dvc", []),
    ],
)
def test_a_dvc_file_names_what_this_registrys_remote_holds(
    text: str, path: str, found: list[str]
) -> None:
    assert [each.path for each in dvc_files.of_dvc_file(text, path)] == found


@pytest.fixture
def clone(tmp_path: Path) -> Git:
    """A repository with a default branch, as a fetch leaves it."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/annotations.xml").write_text("<a/>")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "base")
    git(tmp_path, "update-ref", DEFAULT, "HEAD")
    return Git(tmp_path)


def pushed(clone: Git, name: str, time: str = "1700000000", text: str = "") -> str:
    """Make a branch of CVAT with one commit, and return it; time: "" is none at all."""
    folder = clone.folder
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=(text or name).encode())
    entry = f"100644 blob {blob}\tannotations.xml\n"
    tree = git(folder, "mktree", stdin=entry.encode())
    for part in "a", "data":
        tree = git(folder, "mktree", stdin=f"040000 tree {tree}\t{part}\n".encode())
    who = "x <x>" if not time else f"x <x> {time} +0000"
    body = f"tree {tree}\nparent {clone.commit(DEFAULT)}\nauthor {who}\ncommitter {who}\n\nm\n"
    words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    tip = git(folder, *words, stdin=body.encode())
    git(folder, "update-ref", f"{BRANCHES}{name}", tip)
    return tip


def test_branches_wait_oldest_first_whatever_their_names_and_times_are(clone: Git) -> None:
    """Times are numbers, not texts; a commit may have none."""
    late = pushed(clone, "cvat_1_late", "1700000000")
    early = pushed(clone, "cvat_2_early", "999999999")
    none = pushed(clone, "cvat_3_(none)", "")
    git(clone.folder, "update-ref", f"{BRANCHES}cvat_4_merged", DEFAULT)

    waiting, passed = branches.find_waiting(clone, clone.commit(DEFAULT))

    assert waiting == [
        Branch("cvat_3_(none)", 3, none, 0),
        Branch("cvat_2_early", 2, early, 999_999_999),
        Branch("cvat_1_late", 1, late, 1_700_000_000),
    ]
    assert passed == []


def test_of_two_branches_of_a_task_the_newer_waits(clone: Git) -> None:
    new = pushed(clone, "cvat_12_a", "1700000002")
    pushed(clone, "cvat_12_b", "1700000001")
    pushed(clone, "cvat_012_c", "1700000000")

    waiting, passed = branches.find_waiting(clone, clone.commit(DEFAULT))

    assert [branch.tip for branch in waiting] == [new]
    assert [name for name, _ in passed] == ["cvat_012_c", "cvat_12_b"]


def test_a_branch_dated_in_the_future_makes_no_other_older(clone: Git) -> None:
    pushed(clone, "cvat_12_future", "4070908800")  # 2099-01-01
    honest = pushed(clone, "cvat_12_honest", "1700000000")
    alone = pushed(clone, "cvat_13_alone", "4070908800")

    waiting, passed = branches.find_waiting(clone, clone.commit(DEFAULT))

    assert {branch.tip for branch in waiting} == {honest, alone}
    assert [name for name, _ in passed] == ["cvat_12_future"]


STRANGE = ("cvat_1_\u2028x", "cvat_1_\x85x", "cvat_1_\u202ex", "cvat_x", "cvat_1_", "cvat_\u0661_x")


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_of_other_characters_is_passed_over_and_shown_in_ascii(
    clone: Git, name: str
) -> None:
    pushed(clone, name)
    kept = pushed(clone, "cvat_2_kept")

    waiting, passed = branches.find_waiting(clone, clone.commit(DEFAULT))

    assert [branch.tip for branch in waiting] == [kept]
    assert [shown for shown, _ in passed] == [name.encode("unicode_escape").decode()]


def test_a_branch_of_very_many_commits_is_refused_before_they_are_looked_at(clone: Git) -> None:
    folder, known = clone.folder, Settings({"a": "data/a/annotations.xml"}, {1: "a"})
    base = clone.commit(DEFAULT)
    told = "".join(
        f"commit refs/heads/long\ncommitter x <x> {1700000000 + i} +0000\ndata 1\nm\n"
        + (f"from {base}\n" if not i else "")
        for i in range(10_000)
    )
    git(folder, "fast-import", "--quiet", stdin=told.encode())
    branch = Branch("cvat_1_long", 1, clone.commit("refs/heads/long"), 0)

    with pytest.raises(PipelineError, match="has more than 100 commits; delete it and sync"):
        branch_rules.read_change(clone, base, branch, known)


def test_a_change_that_a_later_commit_takes_back_is_found(clone: Git) -> None:
    folder, known = clone.folder, Settings({"a": "data/a/annotations.xml"}, {1: "a"})
    base = clone.commit(DEFAULT)
    for path in "data/a/annotations.xml", "dvc.yaml\u202e\n":
        (folder / path).write_text("other")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "m")
    git(folder, "rm", "-q", "dvc.yaml\u202e\n")
    git(folder, "commit", "-q", "-m", "m")
    branch = Branch("cvat_1_x", 1, clone.commit("HEAD"), 0)

    with pytest.raises(PipelineError, match=r"x: dvc\.yaml\\u202e\\n is not task 1's") as caught:
        branch_rules.read_change(clone, base, branch, known)
    assert str(caught.value).isprintable()


def test_an_export_in_dvc_is_not_for_a_branch(clone: Git) -> None:
    folder, path = clone.folder, "data/a/annotations.xml"
    tip = pushed(clone, "cvat_1_x")
    (folder / f"{path}.dvc").write_text("outs: []\n")
    git(folder, "rm", "-q", "--cached", path)
    git(folder, "add", f"{path}.dvc")
    git(folder, "commit", "-q", "-m", "in DVC")

    known, branch = Settings({"a": path}, {1: "a"}), Branch("cvat_1_x", 1, tip, 0)
    base = clone.commit("HEAD")
    with pytest.raises(PipelineError, match="is kept in DVC"):
        branch_rules.read_change(clone, base, branch, known)


def test_a_commands_output_is_text_whatever_bytes_it_has() -> None:
    done = commands.run("/bin/sh", "-c", r"printf 'out \377'; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out \ufffd", "err\n", 3)
    with pytest.raises(PipelineError, match=r"ended with 3:\nout") as caught:
        commands.output("/bin/sh", "-c", "echo out; exit 3")
    assert not isinstance(caught.value, Transient)


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(Transient, match=r"^/bin/sh -c .*: no end after 1 s; run again$"):
        commands.run("/bin/sh", "-c", script, timeout=1)
    child = (tmp_path / "child").read_text().strip()
    end = time.monotonic() + 10  # a killed process dies as soon as it has a processor
    while (state := state_of(child)) not in ("", "Z"):
        assert time.monotonic() < end, f"process {child} lives: {state}"
        time.sleep(0.01)


def state_of(process: str) -> str:
    """The letter of a process's state; nothing if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(PipelineError, match=r"^no-such-command: no such command; install it"):
        commands.run("no-such-command")


def test_stages_see_only_what_docker_needs_of_the_environment(tmp_path: Path) -> None:
    shell = Path(dvc.__file__).with_name("stage-shell")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": f"{tmp_path}/it's $(touch pwned) home",
        "DOCKER_OPTIONS": "--memory 8g",
        "DOCKER_HOST": "",
        "AZURE_STORAGE_CONNECTION_STRING": "canary",
        "CI_JOB_TOKEN": "canary",
        "SHELL": str(shell),
    }
    done = subprocess.run(
        [shell, "-c", f"'{sys.executable}' -c 'import os; print(dict(os.environ))'"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen: dict[str, str] = eval(done.stdout)  # noqa: S307  # printed by ourselves
    kept = {"PATH", "HOME", "DOCKER_OPTIONS"}
    assert {key: seen[key] for key in kept} == {key: env[key] for key in kept}
    assert {*seen} <= {*kept, "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert [*tmp_path.iterdir()] == []


def out(folder: Path, files: int | None = 1) -> Named:
    """A folder with one file, as dvc.lock names it."""
    (folder / "data/a").mkdir(parents=True)
    (folder / "data/a/one.xml").write_text("1")
    return Named("data/a", "11.dir", 1, files)


def test_plain_files_as_many_as_the_lock_says_pass_and_what_is_not_here_too(tmp_path: Path) -> None:
    file = Named("data/a/one.xml", "22", 1, None)
    publish_checks.refuse_odd_files(
        tmp_path, [out(tmp_path), file, Named("data/absent", "33.dir", 1, 5)]
    )


@pytest.mark.parametrize("name", ["link", "fifo", *publish_checks.CONTROL, "deep/.dvcignore"])
@pytest.mark.parametrize("folder", [False, True])
def test_an_output_with_what_is_no_plain_file_is_refused(
    tmp_path: Path, name: str, folder: bool
) -> None:
    named, path = out(tmp_path, None), tmp_path / "data/a" / name
    path.parent.mkdir(exist_ok=True)
    if name == "link":
        path.symlink_to("/etc" if folder else "one.xml")
    elif name == "fifo":
        os.mkfifo(path)
    elif folder:
        path.mkdir()
    else:
        path.touch()
    with pytest.raises(PipelineError, match=f"^data/a/{re.escape(name)}: is no plain file of data"):
        publish_checks.refuse_odd_files(tmp_path, [named])


def test_an_output_that_is_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").symlink_to("absent")
    with pytest.raises(PipelineError, match=r"^labelmap\.txt: is no plain file"):
        publish_checks.refuse_odd_files(tmp_path, [Named("labelmap.txt", "11", 1, None)])


@pytest.mark.parametrize("files", [0, 2])
def test_an_output_of_another_count_than_the_lock_says_is_refused(
    tmp_path: Path, files: int
) -> None:
    with pytest.raises(PipelineError, match=f"data/a: has 1 files, but dvc.lock says {files}"):
        publish_checks.refuse_odd_files(tmp_path, [out(tmp_path, files)])
