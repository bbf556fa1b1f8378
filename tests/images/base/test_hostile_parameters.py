"""Hostile parameter files: refused by line and reason, and nothing in them is run."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from hostile.expected import PARAMETERS
from hostile.files import HostileFile
from hostile.parameters import FILES
from stage import parameters
from stage.errors import StageError


@dataclass(frozen=True)
class Annotations:
    """The section that these files have."""

    valid_labels: tuple[str, ...]
    concat_type_attribute: bool = False


def section(path: Path) -> Annotations:
    """Read a file's section."""
    return parameters.load(path).section(Annotations, ("annotations",))


def refusal(path: Path) -> str:
    """What is said of a file, without its folder."""
    with pytest.raises(StageError) as raised:
        section(path)
    return str(raised.value).removeprefix(f"{path.parent}/")


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_hostile_file_is_refused_by_line_and_reason(hostile_file: HostileFile, name: str) -> None:
    said = refusal(hostile_file(name))

    assert re.match(re.escape(name) + PARAMETERS[name], said), said


def test_nothing_that_a_file_names_is_run(
    hostile_file: HostileFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(hostile_file("y01_python_object.yaml"))

    assert list(tmp_path.iterdir()) == []


def test_the_others_are_read(hostile_file: HostileFile) -> None:
    good, empty = "y00_good.yaml", "y12_no_labels.yaml"

    assert FILES.keys() - PARAMETERS.keys() == {good, empty}
    assert section(hostile_file(good)).valid_labels == ("Pedestrian", "Bicycle", "Car")
    assert section(hostile_file(empty)).valid_labels == ()
