"""What a command prints is told while it runs; of DVC, in short lines."""

import sys
from pathlib import Path

import pytest
import yaml

from pipelines import commands, messages
from pipelines.errors import PipelineError, Transient
from pipelines.output_lines import Line
from pipelines.storage.dvc import Dvc
from registries import Registry

SCRIPT = r"printf 'one\ntwo\rth'; printf 'rée \377 \nend'; echo warn >&2; exit 3"


def test_each_line_is_told_and_all_is_kept() -> None:
    told: list[Line] = []
    done = commands.run("/bin/sh", "-c", SCRIPT, listener=told.append)

    assert [line.text for line in told if not line.error] == ["one", "two", "thrée \ufffd", "end"]
    assert [line.text for line in told if line.error] == ["warn"]
    assert (done.stdout, done.returncode) == ("one\ntwo\rthrée \ufffd \nend", 3)
    assert done.stderr == "warn\n"


def test_a_line_is_told_before_the_command_ends(tmp_path: Path) -> None:
    """The command waits for what is done on its first line."""
    go = tmp_path / "go"
    script = f"echo one; while [ ! -e {go} ]; do sleep 0.01; done; echo two"
    told: list[str] = []

    def listen(line: Line) -> None:
        told.append(line.text)
        go.touch()

    commands.run("/bin/sh", "-c", script, listener=listen, timeout=60)
    assert told == ["one", "two"]


@pytest.mark.parametrize("script", ["echo x; sleep 60 & wait", "while :; do echo x; done"])
def test_a_command_that_is_listened_to_has_an_end_too(script: str) -> None:
    with pytest.raises(Transient, match="no end after 1 s; run again"):
        commands.run("/bin/sh", "-c", script, listener=lambda _: None, timeout=1)


def test_ctrl_c_lets_a_command_end_by_itself(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    code = f"""
import pathlib, signal, time
def end(*_):
    pathlib.Path({str(ended)!r}).touch()
    raise SystemExit
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""

    def press(_: Line) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commands.run(sys.executable, "-c", code, listener=press)
    assert ended.exists()


STAGES = {
    "prepare@one": "echo '> a table'; echo 'warning: odd' >&2; echo '50 % of one' >&2",
    "merge-all": "echo 'ERROR: none of DVC' >&2; printf 'mov\\033[31med\\n' >&2",
}
"""Stages of a pipeline that needs no engine -> their commands, which write their outputs, too."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Registry:
    """A repository of DVC with two stages, and code in it that must not be run."""
    registry = Registry(tmp_path / "my régistry")
    registry.folder.mkdir()
    registry.sh("git init -q -b main && dvc init -q")
    stages = {
        "prepare": {
            "foreach": {"one": {}},
            "do": {
                "cmd": f"{STAGES['prepare@one']}; mkdir -p data/one && echo 1 >data/one/a",
                "outs": ["data/one/a"],
            },
        },
        "merge-all": {
            "cmd": f"{STAGES['merge-all']}; mkdir -p data/all && cat data/one/a >data/all/b",
            "deps": ["data/one/a"],
            "outs": ["data/all/b"],
        },
    }
    (registry / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (registry / "dvc").mkdir()
    (registry / "dvc/__init__.py").write_text("print('pwned')\nraise SystemExit('pwned')\n")
    return registry


def test_of_dvc_the_stages_are_told_and_their_progress_and_warnings(
    pipeline: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc = Dvc(pipeline.folder, 60)
    stages = dvc.stages()

    done = dvc.repro([], stages)

    assert (done.ran, done.unchanged) == (["prepare@one", "merge-all"], [])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "one: prepare",
        "warning: one: odd",
        "one: 50 % of one",
        "all: merge",
        "all: mov?[31med",
    ]
    again = dvc.repro(["merge-all"], stages)
    assert (again.ran, again.unchanged) == ([], ["prepare@one", "merge-all"])
    assert capsys.readouterr().err == ""


def break_stage(pipeline: Registry, command: str) -> None:
    """Have a command in the place of the one that writes the output of prepare@one."""
    stages = yaml.safe_load((pipeline / "dvc.yaml").read_text())
    entry = stages["stages"]["prepare"]["do"]
    assert "echo 1 >data/one/a" in entry["cmd"]
    entry["cmd"] = entry["cmd"].replace("echo 1 >data/one/a", command)
    (pipeline / "dvc.yaml").write_text(yaml.safe_dump(stages))


def test_a_stage_that_fails_is_named_without_its_command(pipeline: Registry) -> None:
    break_stage(pipeline, "exit 7")
    dvc = Dvc(pipeline.folder, 60)

    with pytest.raises(PipelineError) as caught:
        dvc.repro([], dvc.stages())

    said = "dvc repro: failed to reproduce 'prepare@one': its command ended with 7"
    assert str(caught.value) == said


def test_a_stage_that_would_run_has_its_reason(pipeline: Registry) -> None:
    dvc = Dvc(pipeline.folder, 60)
    dvc.repro([], [])
    break_stage(pipeline, "exit 7")

    assert dvc.why(["merge-all"]) == [
        ("prepare@one", "changed command"),
        ("merge-all", "a stage that it depends on would run"),
    ]
    assert dvc.why([]) == []


def test_what_an_engine_says_of_a_container_is_told(pipeline: Registry) -> None:
    break_stage(pipeline, "echo docker: Error response from daemon: no such image >&2; exit 125")
    dvc = Dvc(pipeline.folder, 60)

    with pytest.raises(PipelineError, match=r"^docker: Error response from daemon: no such image"):
        dvc.repro([], dvc.stages())


def test_on_a_terminal_a_passing_line_is_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "20")

    messages.tell_passing("movie1: 1 frame")
    messages.tell_passing("movie1: 2 frames of very many")
    messages.tell("movie1: done")

    clear = "\r\x1b[K"
    shown = capsys.readouterr().err
    assert shown == f"{clear}movie1: 1 frame{clear}movie1: 2 frames of{clear}movie1: done\n"


def test_elsewhere_each_line_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    messages.tell_passing("movie1: 1 frame")
    messages.tell_passing("movie1: 2 frames")

    assert capsys.readouterr().err == "movie1: 1 frame\nmovie1: 2 frames\n"
