"""How the commands are called."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import __main__ as main
from pipelines.datasets import command_line
from registries import PROJECT, Registry

WORDS = ("new", "add", "update", "remove", "rename")


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("program", ["registry", "python -m pipelines"])
def test_help_says_all_and_how_it_was_called(
    name: str,
    program: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = "/opt/x/registry" if program == "registry" else str(PROJECT / "pipelines/__main__.py")
    monkeypatch.setattr(sys, "argv", [called, name, "--help"])
    with pytest.raises(SystemExit):
        main.main([name, "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: {program} {name} ")
    assert command_line.COMMANDS[name] in said


@pytest.mark.parametrize("task", ["0", "-1", "x", "1.5"])
def test_a_number_that_is_no_task_is_a_wrong_option(task: str) -> None:
    words = ["add", "a", "--movie", "m", "--export", "e", "--cvat-task", task]
    with pytest.raises(SystemExit) as ended:
        main.main(words)

    assert ended.value.code == 2


def test_nothing_but_yaml_is_loaded_before_it_is_needed() -> None:
    """Images are built where Python has YAML and nothing else."""
    code = (
        "import sys, pipelines.__main__\n"
        "found = {name.partition('.')[0] for name, each in sys.modules.items()"
        " if 'site-packages' in (getattr(each, '__file__', None) or '')}\n"
        "print(sorted(found - {'_distutils_hack', '_yaml', 'yaml'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_the_command_in_venv_works_where_it_is_called(registry: Registry, tmp_path: Path) -> None:
    """The folder of the tools has a name as people have them, and is not changed into."""
    tools = Registry(tmp_path / "the tools' fôlder")
    (tools / ".venv/bin").mkdir(parents=True)
    (tools / ".venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tools / ".venv/bin/python").chmod(0o755)
    script = (PROJECT / "pipelines/setup/setup.sh").read_text("utf-8")
    start = script.index("quote() {")
    function = script[start : script.index("\n}\n", start) + 3]
    tools.sh(f"cp -r '{PROJECT}/pipelines' .")
    (tools / "make.sh").write_text(f"{function}command_registry\n", "utf-8")
    tools.sh("bash make.sh")
    (registry / "pipelines/__main__.py").write_text("raise SystemExit(9)\n")
    called = str(tools / ".venv/bin/registry").replace("'", "'\\''")
    done = registry.sh(f"'{called}' remove street && '{called}' splits")

    assert "registry repro" in done.stdout
    assert not (registry / "data/street").exists()


def test_commands_outside_a_registry_say_so(tmp_path: Path, tools: Callable[..., Any]) -> None:
    for words in ("add a --movie m --export e", "update a e", "remove a", "rename a b"):
        done = tools(Registry(tmp_path), words, 1)
        assert "run this in the folder of a registry" in done.stderr
    assert [*tmp_path.iterdir()] == []
