"""Publishes that are killed, meet others, or are refused: nothing is lost, nothing half there."""

import itertools
import os
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.containers import Container

from publishing.worlds import EXPORT, World, with_less_of_a_car
from registries import GIT, PATH, PROJECT, Registry
from services.cvat import Cvat
from services.gitserver import git

DRIVER = """
import functools, json, os, shutil, signal, sys, time
from pathlib import Path
sys.path.insert(0, os.getcwd())
from pipelines import commands
from pipelines.publishing import attempt, publish, publish_checks, stored
from pipelines.storage import git
from pipelines.__main__ import main
from pipelines.errors import PipelineError, Transient
from pipelines.storage.git import Git
HERE = Path(__file__).parent

def die(*_):
    os.kill(0, signal.SIGKILL)
    time.sleep(60)

def wait(*_):
    name = os.environ.get("DRIVER", "driver")
    (HERE / f"{name}.reached").touch()
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.02)

def wrap(kind, name, before=None, after=None):
    old = getattr(kind, name)
    @functools.wraps(old)
    def new(*words, **options):
        if before:
            before(*words)
        done = old(*words, **options)
        if after:
            after(*words)
        return done
    setattr(kind, name, new)

def once(act):
    def first(*words):
        if not left:
            return
        left.clear()
        act(*words)
    left = [True]
    return first

CODE
sys.exit(main())
"""
"""Runs the pipelines of the folder it is started in, changed by CODE."""

STEPS = ["merge", "validate", "reproduce", "push_data", "commit"]
"""Those that write something, or start a container, in their order."""


class Driven:
    """A `publish` that a test has changed, in a process group of its own."""

    def __init__(
        self,
        world: World,
        code: str = "",
        *,
        words: str = "publish",
        where: Registry | None = None,
        name: str = "driver",
        **env: str,
    ) -> None:
        """Start it. name: of its files; those of the folder of the world."""
        self.world = world
        self.script = world.folder / f"{name}.py"
        self.script.write_text(DRIVER.replace("CODE", code))
        for path in (self.reached, self.go):
            path.unlink(missing_ok=True)
        folder = (where or world.clone).folder
        paths = {"PATH": PATH, "PWD": str(folder), "DRIVER": name}
        self.process = subprocess.Popen(
            [sys.executable, str(self.script), *words.split()],
            cwd=folder,
            env={**os.environ, **GIT, **paths, **world.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def reached(self) -> Path:
        """The file that it makes when it waits."""
        return self.script.with_suffix(".reached")

    @property
    def go(self) -> Path:
        """The file that it waits for."""
        return self.script.with_suffix(".go")

    def until(self, path: Path | None = None, seconds: float = 90) -> None:
        """Wait until it waits, or until a file is there."""
        end = time.monotonic() + seconds
        while not (path or self.reached).exists():
            assert time.monotonic() < end, f"{path or self.reached} never came"
            assert path or self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill its process group."""
        os.killpg(self.process.pid, signal.SIGKILL)
        assert self.end() == -signal.SIGKILL

    def end(self, seconds: float = 180) -> int:
        """Wait for its end; return its exit code, keep what it said."""
        self.out, self.err = self.process.communicate(timeout=seconds)
        self.world.said += [self.out, self.err]
        assert "Traceback" not in self.err, self.err
        return self.process.returncode


def published_by(world: World, branch: str) -> list[str]:
    """The commits of the default branch that publish a branch of CVAT."""
    title = f"Publish .* from {branch}$"
    return world.bare.git("log", "--first-parent", "--format=%H", f"--grep={title}", world.head
                          ).splitlines()  # fmt: skip


def same_in_every_commit(world: World) -> None:
    """Find that each commit of the default branch has the dvc.lock of its own export."""
    seen = 0
    for commit in world.bare.git("rev-list", "--first-parent", world.head).splitlines():
        listed = world.bare.git("ls-tree", "--name-only", commit).splitlines()
        if "dvc.lock" not in listed:
            continue
        lock = yaml.safe_load(world.file("dvc.lock", commit))
        for dep in lock["stages"]["prepare-annotations@movie2"]["deps"]:
            if dep["path"] == EXPORT:
                digest = subprocess.run(
                    ["md5sum"], input=world.file(EXPORT, commit), capture_output=True, check=True
                )
                assert dep["md5"] == digest.stdout.decode().split()[0], commit
                seen += 1
    assert seen


def only_fast_forwards(world: World) -> None:
    """Find that each push of the default branch was built on what was there."""
    name = f"refs/heads/{world.branch}"
    done = [u for push in world.bare.pushes() if push.done for u in push.updates if u.ref == name]
    for update in done[1:]:
        world.bare.git("merge-base", "--is-ancestor", update.old, update.new)


def test_a_publish_killed_after_any_step_leaves_no_trace_and_a_rerun_publishes(
    world: World,
) -> None:
    branch = world.sync()
    before = world.bare.refs()
    for step in ("work_tree", *STEPS):
        code = f"wrap(attempt, {step!r}, after=die)"
        if step == "work_tree":
            code = "wrap(attempt, 'merge', before=die)"
        assert Driven(world, code).end() == -signal.SIGKILL, step
        assert world.bare.refs() == before, step
    world.publish()
    assert len(published_by(world, branch)) == 1
    now = world.bare.refs()
    assert world.publish().stdout == "default branch: nothing to do\n"
    assert world.bare.refs() == now
    world.whole()
    same_in_every_commit(world)


def test_a_publish_killed_before_the_answer_of_git_push_has_published(world: World) -> None:
    branch = world.sync()
    before = world.head
    code = "wrap(Git, 'server', after=lambda self, *words: words[0] == 'push' and die())"
    assert Driven(world, code).end() == -signal.SIGKILL
    assert world.bare.git("rev-parse", f"{world.head}^1") == before

    now = world.bare.refs()
    assert world.publish().stdout == "default branch: nothing to do\n"
    assert world.bare.refs() == now
    assert len(published_by(world, branch)) == 1
    world.whole()


def test_a_server_that_hangs_after_the_push_has_published(world: World) -> None:
    branch = world.sync()
    hook = world.folder / "hook"
    world.bare.hook("post-receive", f'touch "{hook}"; sleep 15')
    client = Driven(world)
    client.until(hook)
    client.kill()
    world.bare.hook("post-receive", "")

    assert world.publish().stdout == "default branch: nothing to do\n"
    assert len(published_by(world, branch)) == 1
    same_in_every_commit(world)


def test_a_push_whose_answer_is_lost_is_told_to_be_published(world: World) -> None:
    branch = world.sync()
    code = """
def lose(self, *words):
    if words[0] == "push":
        raise Transient("git push: the connection was reset")
wrap(Git, "server", after=lose)
"""
    client = Driven(world, code)
    assert client.end() == 0, client.err
    assert f"{branch}: published as {world.head[:12]}" in client.out
    assert len(published_by(world, branch)) == 1


INSIDE = """
def inside(*command, **options):
    if not WORDS <= {*command}:
        return run(*command, **options)
    subprocess.Popen(command, cwd=options.get("folder"), env=options.get("env"),
                     stdin=subprocess.DEVNULL, start_new_session=False)
    for _ in range(TURNS):
        os.sched_yield()
    die()
import subprocess
run, commands.run = commands.run, inside
"""
"""Kills the publish inside a command, when other processes have had some turns."""

COMMANDS = [
    *("git init", "git fetch", "git worktree add", "git merge", "git read-tree", "dvc repro"),
    *("git hash-object", "dvc push", "git commit-tree", "git push"),
]
"""What writes, in the order of a publish; the last one may have published."""


def test_a_publish_killed_inside_any_command_is_published_by_the_next(world: World) -> None:
    """In turn as a command begins, and when it has done something."""
    branch = world.sync()
    for turns, words in zip(itertools.cycle([1000, 0]), COMMANDS, strict=False):
        assert not published_by(world, branch), words
        code = INSIDE.replace("WORDS", str({*words.split()})).replace("TURNS", str(turns))
        assert Driven(world, code).end() == -signal.SIGKILL, words
        git(world.clone.folder, "fetch", "-q")
    world.publish()
    assert len(published_by(world, branch)) == 1
    assert len(git(world.clone.folder, "worktree", "list").splitlines()) == 1
    world.whole()
    same_in_every_commit(world)


def left_by_an_earlier_version(world: World) -> None:
    """Leave what `git worktree add` does when it is killed: locked, and with a bad HEAD."""
    place = world.clone / ".git/data-registry"
    entry = world.clone / ".git/worktrees/work"
    entry.mkdir(parents=True)
    place.mkdir(exist_ok=True)
    (entry / "locked").write_text("initializing")
    (entry / "gitdir").write_text(f"{place}/work/.git\n")
    (entry / "HEAD").write_text("0" * 39 + "1\n")
    (entry / "commondir").write_text("../..\n")


def test_what_an_earlier_version_left_in_the_clone_is_put_right(world: World) -> None:
    branch = world.sync()
    left_by_an_earlier_version(world)
    broken = world.clone.sh("git worktree prune && git fsck", check=False)
    assert "worktrees/work/HEAD" in broken.stderr

    world.publish()

    assert len(published_by(world, branch)) == 1
    git(world.clone.folder, "fsck", "--no-dangling")
    assert not (world.clone / ".git/worktrees/work").exists()


@pytest.mark.parametrize("kind", ["a file", "a link", "a folder of junk"])
def test_a_publish_puts_its_own_place_right_whatever_is_there(world: World, kind: str) -> None:
    branch = world.sync()
    place = world.clone / ".git/data-registry"
    place.mkdir(exist_ok=True)
    names = ("work", "index", "index.lock", "repository", "lock")
    for name in names:
        path = place / name
        if path.exists():
            path.unlink()
        if kind == "a file":
            path.write_text("junk")
        elif kind == "a link":
            path.symlink_to("/nowhere" if name == "work" else "/etc")
        else:
            (path / "deep").mkdir(parents=True)
            (path / "deep/HEAD").write_text("junk")

    world.publish()

    assert len(published_by(world, branch)) == 1
    assert [path.name for path in place.iterdir()] == ["lock"]


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_a_place_that_is_no_folder_is_put_right(world: World, kind: str) -> None:
    place = world.clone / ".git/data-registry"
    if kind == "a file":
        place.write_text("junk")
    else:
        place.symlink_to(world.folder)

    assert world.publish().stdout == "default branch: nothing to do\n"
    assert place.is_dir()
    assert not place.is_symlink()
    assert (world.folder / "clone").is_dir()


def at_work(engine: docker.DockerClient, place: Path) -> list[Container]:
    """The containers of a publish that works in a folder."""
    label = f"data-registry={place}"
    return engine.containers.list(all=True, ignore_removed=True, filters={"label": label})


def test_a_killed_publish_leaves_nothing_at_work_once_the_next_has_begun(
    world: World, engine: docker.DockerClient
) -> None:
    branch = world.sync()
    place = world.clone / ".git/data-registry/work"
    client = Driven(world)
    end = time.monotonic() + 90
    while not at_work(engine, place) and time.monotonic() < end:
        time.sleep(0.02)
    client.kill()
    images = yaml.safe_load((PROJECT / "images.yaml").read_text("utf-8"))["images"]
    engine.containers.run(
        images["base"],
        ["600"],
        entrypoint="sleep",
        labels={"data-registry": str(place)},
        detach=True,
        remove=True,
    )
    try:
        world.publish()
        assert at_work(engine, place) == []
        assert len(published_by(world, branch)) == 1
    finally:
        for container in at_work(engine, place):
            container.remove(force=True)


def test_what_a_killed_publish_has_started_does_not_write_beside_the_next(world: World) -> None:
    world.sync()
    place = world.clone / ".git/data-registry/work"
    client = Driven(world)
    end = time.monotonic() + 90
    while not _dvc_at_work(place, "repro") and time.monotonic() < end:
        time.sleep(0.02)
    [left] = _dvc_at_work(place, "repro")
    os.kill(left, signal.SIGSTOP)  # as one that fetches for hours
    client.kill()
    try:
        end = time.monotonic() + 10
        while (gone := left not in _dvc_at_work(place, "repro")) is False:
            assert time.monotonic() < end, "DVC outlives a publish that was killed"
            time.sleep(0.1)
        assert gone
    finally:
        with suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    world.publish()


def _dvc_at_work(folder: Path, word: str) -> list[int]:
    """The processes of DVC that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            if "dvc" in words and word in words and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_a_publish_at_work_keeps_a_second_out_and_a_killed_one_does_not(world: World) -> None:
    branch = world.sync()
    first = Driven(world, "wrap(attempt, 'merge', before=wait)")
    first.until()
    second = world.publish(code=3)
    assert second.stderr == "error: another publish is at work in this clone; wait for it\n"
    first.kill()
    world.publish()
    assert len(published_by(world, branch)) == 1


def second_clone(world: World) -> Registry:
    """Make another clone where CI works."""
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.folder / "clone2"))
    return Registry(world.folder / "clone2")


def race(world: World) -> None:
    """Have two publishers read the same commit, and then go for it at once."""
    other = second_clone(world)
    code = "wrap(attempt, 'push_commit', before=once(wait))"
    both = [Driven(world, code), Driven(world, code, where=other, name="other")]
    for each in both:
        each.until()
    for each in both:
        each.go.touch()
    ends = [each.end() for each in both]
    assert ends == [0, 0], [each.err for each in both]


def test_two_publishers_of_one_branch_publish_it_once(world: World) -> None:
    branch, before = world.sync(), world.head
    race(world)
    assert len(published_by(world, branch)) == 1
    assert world.bare.git("rev-list", "--first-parent", "--count", f"{before}..{world.head}") == "1"
    only_fast_forwards(world)
    world.whole()


def test_two_publishers_of_two_branches_publish_each_once(world: World) -> None:
    first, other = world.sync(), sync_of_movie3(world)
    tips = [world.bare.refs()[f"refs/heads/{branch}"] for branch in (first, other)]
    race(world)
    for branch, tip in zip((first, other), tips, strict=True):
        assert len(published_by(world, branch)) == 1
        world.bare.git("merge-base", "--is-ancestor", tip, world.head)
    assert world.publish().stdout == "default branch: nothing to do\n"
    only_fast_forwards(world)
    world.whole()
    same_in_every_commit(world)


def sync_of_movie3(world: World) -> str:
    """Put the export of movie3 into git, as task 31's, and let CVAT push its branch."""
    path = "data/movie3/export.xml"
    stored = yaml.safe_load(world.file("data/movie3/annotations.zip.dvc"))["outs"][0]["md5"]
    packed = world.container.read(f"dvc/files/md5/{stored[:2]}/{stored[2:]}")
    text = zipfile.ZipFile(BytesIO(packed)).read("annotations.xml").decode()
    old = "export: data/movie3/annotations.zip\n"
    params = world.file("params.yaml").decode()
    assert old in params
    params = params.replace(old, f"export: {path}\n    cvat-task: 31\n")
    world.commit("a change", **{path: text.encode(), "params.yaml": params.encode()})
    cvat = Cvat(world.folder / "cvat3", world.bare.file_url, base=world.branch)
    return cvat.synchronize(31, "rain", path, text.replace("</annotations>", "\n</annotations>"
                                                           ).encode())  # fmt: skip


def test_a_commit_pushed_meanwhile_is_kept_and_the_result_is_built_on_it(world: World) -> None:
    branch = world.sync()
    code = "wrap(attempt, 'push_data', before=once(wait))"
    client = Driven(world, code, words="publish --max-drop 1")
    client.until()
    params = world.file("params.yaml").decode()
    setting = "concat-type-attribute: False"
    assert setting in params
    changed = params.replace(setting, "concat-type-attribute: True").encode()
    pushed = world.commit("a change", **{"params.yaml": changed, "README.md": b"for people\n"})
    client.go.touch()

    assert client.end() == 0, client.err
    [commit] = published_by(world, branch)
    assert world.bare.git("rev-parse", f"{commit}^1") == pushed
    assert world.file("README.md") == b"for people\n"
    assert world.file(EXPORT) == with_less_of_a_car(world.file(EXPORT, pushed).decode()).encode()
    lock = yaml.safe_load(world.file("dvc.lock"))["stages"]["prepare-annotations@movie2"]
    assert lock["params"]["params.yaml"]["annotations"]["concat-type-attribute"] is True
    only_fast_forwards(world)
    world.whole()
    same_in_every_commit(world)


def test_a_push_that_the_server_rejects_is_told_in_its_words(world: World) -> None:
    branch, before = world.sync(), world.head
    world.bare.hook("update", f'[ "$1" != refs/heads/{world.branch} ] || '
                              "{ echo 'protected on Fridays' >&2; exit 1; }")  # fmt: skip
    said = world.publish(code=3).stderr
    assert branch in said
    assert "protected on Fridays" in said
    assert world.head == before
    world.whole()
    world.bare.hook("update", "")
    world.publish()
    assert len(published_by(world, branch)) == 1


def test_a_default_branch_that_moves_at_each_try_is_given_up_after_five(world: World) -> None:
    branch, before = world.sync(), world.bare.refs()
    code = """
def moved(plan):
    print("try", plan.branch and plan.branch.name, flush=True)
attempt.publish_once = moved
publish.time.sleep = lambda seconds: None
"""
    client = Driven(world, code)
    assert client.end() == 3
    assert client.out.count(f"try {branch}\n") == 5
    assert f"{branch}: the default branch was moved by others 5 times" in client.err
    assert world.bare.refs() == before


CUT = """
def cut(work):
    def outputs(lock):
        found = stored.outputs(work, lock)
        return {name: [(each.path, each.md5) for each in outs] for name, outs in found.items()}
    path = work.folder / "dvc.lock"
    whole = path.read_text()
    wanted = outputs(whole)
    for length in range(0, len(whole), STEP):
        path.write_text(whole[:length])
        try:
            result = attempt.collect(work, frozenset())
            publish_checks.refuse_unnamed(work.stored, stored.outputs(work, result.lock))
            found = outputs(result.lock)
            if found != wanted:
                print("looked up", length, [found[n] for n in found if found[n] != wanted[n]])
                attempt.verify(work, result, attempt.push_data(work))
                print("accepted", length, whole[length - 80:length], flush=True)
        except PipelineError:
            print("refused", length, flush=True)
    path.write_text(whole[:LENGTH])
wrap(attempt, "reproduce", after=cut)
"""


@pytest.mark.parametrize(("length", "step"), [("0", "10**9"), ("len(whole) // 2", "211")])
def test_a_dvc_lock_cut_short_is_never_published(world: World, length: str, step: str) -> None:
    branch, before = world.sync(), world.bare.refs()
    client = Driven(world, CUT.replace("LENGTH", length).replace("STEP", step))
    assert client.end() in (1, 3)
    assert "refused 0\n" in client.out
    assert "accepted" not in client.out
    assert f"error: {branch}: " in client.err
    assert world.bare.refs() == before


def test_these_tests_notice_a_publish_that_moves_the_branch_before_it_sends_data(
    world: World,
) -> None:
    world.sync()
    path = world.clone / "pipelines/publishing/attempt.py"
    text = path.read_text()
    right = "        unsent = push_data(work)\n        verify(work, result, unsent)\n"
    assert right in text
    wrong = "        push_commit(work, result, commit(work, result))\n        push_data(work)\n"
    path.write_text(text.replace(right, wrong))
    before = world.head
    client = Driven(world, "wrap(attempt, 'push_data', before=die)")
    assert client.end() == -signal.SIGKILL
    assert world.head != before
    with pytest.raises(AssertionError):
        world.whole()
