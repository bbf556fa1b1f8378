"""The parameter files of the corpus: refused by line and reason, and nothing in them is run."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from hostile import PARAMETERS
from stage import parameters
from stage.errors import StageError


@dataclass(frozen=True)
class Annotations:
    """The section that the corpus's files have."""

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
def test_a_hostile_file_is_refused_by_line_and_reason(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile" / "yaml" / name)

    assert re.match(re.escape(name) + PARAMETERS[name], said), said


def test_nothing_that_a_file_names_is_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(corpus / "hostile" / "yaml" / "y01_python_object.yaml")

    assert list(tmp_path.iterdir()) == []


def test_the_other_files_of_the_corpus_are_read(corpus: Path) -> None:
    folder = corpus / "hostile" / "yaml"

    assert {path.name for path in folder.iterdir()} - PARAMETERS.keys() == {
        "y00_good.yaml",
        "y12_no_labels.yaml",
    }
    assert section(folder / "y00_good.yaml").valid_labels == ("Pedestrian", "Bicycle", "Car")
    assert section(folder / "y12_no_labels.yaml").valid_labels == ()
