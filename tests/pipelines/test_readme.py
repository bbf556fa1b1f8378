"""What the README says of targets, stages, parameters and files is so."""

import re
from dataclasses import MISSING, Field, fields

import pytest
import yaml

import rules
import video_to_frame
from pipelines import __main__ as command_line
from pipelines.datasets.params import Settings
from pipelines.publishing import publish
from registries import PROJECT

README = (PROJECT / "README.md").read_text("utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.M))
STAGES = set(yaml.safe_load((PROJECT / "dvc.yaml").read_text("utf-8"))["stages"])
IMAGES = {path.parent.name for path in PROJECT.glob("images/*/Dockerfile")}
SECTIONS = {"frames": video_to_frame.Frames, "annotations": rules.Annotations}


def unnamed(readme: str) -> set[str]:
    """The targets, stages and images that a README does not name, and what it names in vain."""
    told = set(re.findall(r"[\w@-]+", readme))
    families = {re.sub(r"-(training|validation)$", "", stage) for stage in STAGES}
    made = set(re.findall(r"\bmake ([a-z]+)(?=`|\s+#|\s*$)", readme, re.M))
    return (({*TARGETS, *families, *IMAGES} - {"help"}) - told) | (made - TARGETS)


def test_it_names_every_target_stage_and_image() -> None:
    assert unnamed(README) == set()


@pytest.mark.parametrize("name", ["quick", "lint", "link-pictures", "index-frames", "base"])
def test_a_name_that_is_missing_shows(name: str) -> None:
    assert unnamed(README.replace(name, "")) == {name}


def test_a_target_that_there_is_not_shows() -> None:
    assert unnamed(README + "\nRun `make everything`.") == {"everything"}


def documented(readme: str) -> dict[str, object]:
    """The keys of params.yaml in the README's table, with their defaults."""
    rows = re.findall(r"^\| ((?:`[a-z]+\.[a-z-]+`(?:, )?)+) \|([^|]*)\|", readme, re.M)
    return {
        key: yaml.safe_load(default.strip().strip("`"))
        for keys, default in rows
        for key in re.findall(r"[a-z]+\.[a-z-]+", keys)
    }


def default_of(field: Field[object]) -> object:
    """A field's default as YAML has it."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    if field.default is MISSING:
        return "must be given"
    return list(field.default) if isinstance(field.default, tuple) else field.default


def test_it_says_every_parameter_and_its_default() -> None:
    code: dict[str, object] = {
        f"{section}.{field.name.replace('_', '-')}": default_of(field)
        for section, kind in SECTIONS.items()
        for field in fields(kind)
    }
    code["publish.max-drop"] = Settings.max_drop
    code["publish.max-size"] = Settings.max_size

    assert documented(README) == code


def test_it_says_every_key_of_a_dataset() -> None:
    told = set(re.findall(r"^\| `datasets\.<name>\.([a-z-]+)`", README, re.M))
    parameters = yaml.safe_load((PROJECT / "params.yaml").read_text("utf-8"))

    assert told >= {key for dataset in parameters["datasets"].values() for key in dataset}


def test_it_says_every_command_and_exit_code_of_publishing() -> None:
    told = re.findall(r"^\| `python -m pipelines ([a-z]+)[^`]*`", README, re.M)
    (codes,) = re.findall(r"^They end with (.*)$", README, re.M)

    assert {"check", "publish", "status"} <= set(told) <= set(command_line.COMMANDS)
    assert re.findall(r"\b\d\b", codes) == ["0", "1", "2", "3"]
    assert (publish.DONE, publish.REFUSED, publish.AGAIN) == (0, 1, 3)


def test_the_files_that_it_names_are_there() -> None:
    (tree,) = re.findall(r"## What is where\n\n```\n(.*?)```", README, re.S)
    named = [word for line in tree.splitlines() for word in re.split(r" {2,}", line)[0].split()]
    named += ["README.md", "Makefile", "params.yaml"]
    paths = [re.sub(r"<[a-z]+>", "*", name).rstrip("/") for name in named]

    assert len(paths) > 8
    assert [path for path in paths if not list(PROJECT.glob(path))] == []
