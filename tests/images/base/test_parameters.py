"""params.yaml: what is read, and how what is not right is named."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stage import parameters
from stage.errors import StageError

Written = Callable[[str], Path]


@dataclass(frozen=True)
class Annotations:
    """A section with a value of every type."""

    valid_labels: tuple[str, ...] = ()
    concat_type_attribute: bool = False
    min_size: tuple[int, ...] = (1, 1)
    quality: int = 2
    share: float = 0.5
    prefix: str = "frame_"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a params.yaml."""

    def write(text: str) -> Path:
        (tmp_path / "params.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
        return tmp_path / "params.yaml"

    return write


def section_of(path: Path, *places: tuple[str, ...]) -> Annotations:
    """Read a file's section."""
    return parameters.load(path).section(Annotations, *(places or [("annotations",)]))


def refusal(path: Path, *places: tuple[str, ...]) -> str:
    """What is said of a file, without its folder."""
    with pytest.raises(StageError) as raised:
        section_of(path, *places)
    return str(raised.value).removeprefix(f"{path.parent}/")


def test_values_of_every_type_are_read(written: Written) -> None:
    text = """\
annotations:
  valid-labels: [Car, "No"]
  concat-type-attribute: on
  min-size: [8, 16]
  quality: 3
  share: 0.25
  prefix: "007"
"""

    assert section_of(written(text)) == Annotations(
        ("Car", "No"), concat_type_attribute=True, min_size=(8, 16), quality=3, share=0.25,
        prefix="007",
    )  # fmt: skip


def test_a_whole_number_is_a_number(written: Written) -> None:
    assert section_of(written("annotations: {share: 1}")).share == 1


LONG = pytest.param("9" * 5000, id="5000 digits")

WRONG = {
    "valid-labels: Car": "must be a list, `- ` lines, not 'Car'",
    "valid-labels: {Car: 1}": "must be a list",
    "valid-labels: [[Car]]": "must be text, not ['Car']",
    "valid-labels: [Car, 7]": "must be text, not 7; put it in quotes",
    "valid-labels: [null]": "must be text, not None; put it in quotes",
    "concat-type-attribute: 1": "must be True or False, not 1",
    "quality: True": "must be a whole number, not True",
    "quality: 2.5": "must be a whole number, not 2.5",
    "quality: '2'": "must be a whole number, not '2'",
    "share: half": "must be a number, not 'half'",
    "prefix: 7": "must be text, not 7; put it in quotes",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_value_of_another_type_is_refused_by_key_and_line(written: Written, line: str) -> None:
    said = refusal(written(f"# a comment\nannotations:\n  {line}\n"))
    key, _, _ = line.partition(":")

    assert said.startswith(f"params.yaml:3: annotations.{key}: {WRONG[line]}"), said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("annotations: 7", ":1: annotations: must be a mapping"),
        ("annotations:", ":1: annotations: must be a mapping"),
        ("annotations: [valid-labels]", ":1: annotations: must be a mapping"),
        ("- annotations", ": has none of the sections datasets, frames, annotations, publish"),
        ("# nothing\n", ": has none of the sections"),
        ("frames: {}\nlabels: []", ":2: labels: is no section"),
        ("annotations: &a {}\nframes: *a", ":2: is no plain YAML: aliases are not allowed"),
        ("annotations:\n  <<: {quality: 1}", ":2: annotations.<<: is no parameter"),
        ("annotations:\n  quality: 1\n  quality: 1", ":3: annotations.quality: is here twice"),
        ("frames:\n  a: {b: 1,\n      b: 2}", ":3: frames.a.b: is here twice"),
        ("annotations: {prefix: 2024-01-01}", ":1: is no plain YAML: .*timestamp"),
        ("annotations: {prefix: \udcff}", ": is not UTF-8 text"),
        ("annotations: {prefix: \0}", ": is no plain YAML: unacceptable character"),
        pytest.param("[" * 5000, ": is no plain YAML", id="deep"),
        pytest.param("# " + "x" * parameters.LIMIT, ": is larger than 1000000 bytes", id="long"),
    ],
)
def test_what_is_no_parameter_file_is_refused(written: Written, text: str, said: str) -> None:
    assert re.match(f"params.yaml{said}", refusal(written(text)))


@pytest.mark.parametrize(
    "value",
    ["0x_", "0b_", "!!int abc", "!!bool perhaps", LONG],
)
def test_a_value_that_yaml_takes_for_a_number_but_cannot_read_is_refused(
    written: Written, value: str
) -> None:
    assert refusal(written(f"frames:\n  quality: {value}")).startswith("params.yaml:2: ")


def test_a_dataset_overrides_key_by_key(written: Written) -> None:
    text = """\
datasets:
  movie1: {annotations: {quality: 9}}
  movie2: {}
annotations: {valid-labels: [Car], quality: 5, prefix: x}
"""
    own = [("annotations",), ("datasets", "movie1", "annotations")]
    none = [("annotations",), ("datasets", "movie2", "annotations")]

    assert section_of(written(text), *own) == Annotations(("Car",), quality=9, prefix="x")
    assert section_of(written(text), *none) == Annotations(("Car",), quality=5, prefix="x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{annotations: {qualty: 9}}", ":2: datasets.movie1.annotations.qualty: is no parameter"),
        ("{annotations: {quality: x}}", ":2: datasets.movie1.annotations.quality: must be a whole"),
        ("{annotations: Car}", ":2: datasets.movie1.annotations: must be a mapping"),
        ("movie.mkv", ":2: datasets.movie1: must be a mapping"),
    ],
)
def test_a_wrong_override_is_named_where_it_stands(written: Written, text: str, said: str) -> None:
    places = [("annotations",), ("datasets", "movie1", "annotations")]

    assert refusal(written(f"datasets:\n  movie1: {text}"), *places).startswith(
        f"params.yaml{said}"
    )


def test_a_key_without_default_must_be_there(written: Written) -> None:
    @dataclass(frozen=True)
    class Needed:
        valid_labels: tuple[str, ...]
        other: Any = None

    found = parameters.load(written("frames: {}\nannotations: {}"))

    with pytest.raises(StageError, match=r"yaml:2: annotations\.valid-labels: is missing"):
        found.section(Needed, ("annotations",))
    with pytest.raises(StageError, match=r"yaml:1: publish\.valid-labels: is missing"):
        found.section(Needed, ("publish",))


def test_a_single_value_is_read_whatever_else_its_section_has(written: Written) -> None:
    found = parameters.load(written("annotations: {valid-labels: [Car], other: 1}"))
    kind, nothing = tuple[str, ...], tuple[str, ...]()

    assert found.value(kind, ("annotations", "valid-labels"), nothing) == ("Car",)
    assert found.value(kind, ("annotations", "labels"), ("Bus",)) == ("Bus",)
    assert found.value(kind, ("frames", "labels"), None) is None
    with pytest.raises(StageError, match=r"yaml:1: annotations\.other: must be a list"):
        found.value(kind, ("annotations", "other"), ())


@pytest.mark.parametrize("section", parameters.FOREIGN)
@pytest.mark.parametrize("value", ["{a: {datasets: [b], apart-from: []}}", "[a]", "~"])
def test_a_section_of_another_program_is_not_looked_at(
    written: Written, section: str, value: str
) -> None:
    text = f"{section}: {value}\nannotations: {{quality: 9}}"

    assert section_of(written(text)) == Annotations(quality=9)
