"""`fetch` as a process: what others see of it, and what is left when it is killed."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cvat_worlds import World, run
from registries import PROJECT
from services.cvat_answers import HANG
from services.processes import children


def command_lines() -> Iterator[bytes]:
    """The command lines of all processes of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it has ended
            continue


def wait(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


@pytest.fixture
def due(world: World) -> World:
    world.cvat.add_task(3, "bikes day 1", status="completed")
    world.cvat.add_task(12, "bikes day 1", status="completed")
    return world


def start(world: World):  # type: ignore[no-untyped-def]  # noqa: ANN201
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return run(sys.executable, "-m", "pipelines", "fetch", folder=world.clone, env=env)


def test_no_command_line_has_the_token(due: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at while it waits for CVAT, and while git pushes: the server's hook looks, too."""
    due.cvat.token = f"token-{uuid4().hex}"  # other tests may run, too
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", due.cvat.token)
    seen = due.folder / "seen"
    due.bare.hook("pre-receive", f"cat /proc/[0-9]*/cmdline >>'{seen}' 2>/dev/null; true")
    due.cvat.hold_exports()
    process = start(due)
    wait(lambda: due.cvat.asked("GET", "/api/requests/"))
    asked = list(command_lines())
    due.cvat.release_exports()

    out, err = process.communicate(timeout=120)

    due.said += [out, err]
    assert process.returncode == 0, err
    assert any(b"pipelines\0fetch" in line for line in asked)
    assert b"pipelines\0fetch" in seen.read_bytes()
    assert b"push\0" in seen.read_bytes()
    assert due.cvat.token.encode() not in b"\n".join([*asked, seen.read_bytes()])
    assert len(due.branches()) == 2


@pytest.mark.parametrize("where", ["download", "push"])
def test_killed_anywhere_it_is_simply_run_again(due: World, where: str) -> None:
    reached = due.folder / "reached"
    if where == "download":
        due.cvat.disturb("12/dataset/download", HANG, times=1)
    else:
        due.bare.hook("pre-receive", f"touch '{reached}'; sleep 1")
    process = start(due)
    wait(lambda: reached.exists() or due.cvat.asked("GET", "12/dataset/download"))
    if where == "push":
        wait(reached.exists)

    for pid in (*children(process.pid), process.pid):
        os.kill(pid, 9)
    process.communicate(timeout=60)
    due.bare.hook("pre-receive", "")
    wait(lambda: not any(str(due.bare.folder).encode() in line for line in command_lines()))

    for commit in due.branches().values():
        assert due.bare.git("diff", "--name-only", f"{commit}^", commit).startswith("data/")
    assert len(due.results()) == 2
    assert sorted(due.branches()) == ["cvat_12_bikes_day_1", "cvat_3_bikes_day_1"]
    assert due.bare.git("fsck", "--no-dangling", "--no-progress") == ""


def test_ctrl_c_ends_it_while_it_waits(due: World) -> None:
    due.cvat.hold_exports()
    process = start(due)
    wait(lambda: due.cvat.asked("GET", "/api/requests/"))

    process.send_signal(2)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err.endswith("error: stopped before it was done\n")
    assert due.branches() == {}
