"""What the pages say of targets, stages, parameters, files and exit codes is so."""

import re
import subprocess
from dataclasses import MISSING, Field, fields

import pytest
import yaml

import rules
import video_to_frame
from documents import manual, pages, sections, text_of
from pipelines.cvat.settings import Cvat
from pipelines.datasets.params import Settings
from pipelines.publishing import publish
from registries import PROJECT, SAMPLE

ALL = "\n".join(text_of(page) for page in pages())
MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.M))
SECTIONS = {"frames": video_to_frame.Frames, "annotations": rules.Annotations}


def families() -> set[str]:
    """The kinds of stages of the sample: without the name of a split."""
    found: dict[str, object] = {}
    for file in (SAMPLE / "dvc.yaml", *SAMPLE.glob("pictures/dvc.yaml")):
        found |= yaml.safe_load(file.read_text("utf-8"))["stages"]
    return {re.sub(r"-(training|validation)$", "", stage) for stage in found}


def unnamed(text: str) -> set[str]:
    """The targets and stages that a text does not name, and the targets that it names in vain."""
    told = set(re.findall(r"[\w-]+", text))
    made = set(re.findall(r"\bmake ([a-z]+)(?=`|\s+#|\s*$)", text, re.M))
    return (({*TARGETS, *families()} - {"help"}) - told) | (made - TARGETS)


def test_they_name_every_target_and_stage() -> None:
    assert unnamed(ALL) == set()


@pytest.mark.parametrize("name", ["quick", "lint", "link-pictures", "index-frames"])
def test_a_name_that_is_missing_shows(name: str) -> None:
    assert name in unnamed(ALL.replace(name, ""))


def test_a_target_that_there_is_not_shows() -> None:
    assert unnamed(ALL + "\nRun `make everything`.") == {"everything"}


def test_contributing_lists_every_target() -> None:
    told = re.findall(r"^\| `make ([a-z]+)`", text_of("CONTRIBUTING.md"), re.M)

    assert sorted(told) == sorted(TARGETS - {"help"})


def documented(page: str) -> dict[str, object]:
    """The keys of params.yaml in a page's table, with their defaults."""
    rows = re.findall(r"^\| ((?:`[a-z]+\.[a-z-]+`(?:, )?)+) \|([^|]*)\|", page, re.M)
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


def test_every_parameter_and_its_default_is_in_the_table() -> None:
    code: dict[str, object] = {
        f"{section}.{field.name.replace('_', '-')}": default_of(field)
        for section, kind in SECTIONS.items()
        for field in fields(kind)
    }
    for field in fields(Cvat):
        code[f"cvat.{field.name.replace('_', '-')}"] = default_of(field)
    code["publish.max-drop"] = Settings.max_drop
    code["publish.max-size"] = Settings.max_size

    assert documented(manual()["docs/parameters.md"]) == code


@pytest.mark.parametrize("section", ["datasets", "splits"])
def test_every_key_of_a_dataset_and_a_split_is_in_the_table(section: str) -> None:
    page = manual()["docs/parameters.md"]
    told = set(re.findall(rf"^\| `{section}\.<name>\.([a-z-]+)`", page, re.M))
    used = yaml.safe_load((SAMPLE / "params.yaml").read_text("utf-8")).get(section) or {}

    assert told
    assert told >= {key for entry in used.values() for key in entry}


def test_the_exit_codes_are_those_of_the_code() -> None:
    (codes,) = re.findall(r"^They end with (.*)$", manual()["docs/commands.md"], re.M)

    assert re.findall(r"\b\d\b", codes) == ["0", "1", "2", "3"]
    assert (publish.DONE, publish.REFUSED, publish.AGAIN) == (0, 1, 3)


def test_the_files_that_the_readme_names_are_there() -> None:
    (tree,) = re.findall(r"```\n(.*?)```", sections(text_of("README.md"))["What is where"], re.S)
    named = [word for line in tree.splitlines() for word in re.split(r" {2,}", line)[0].split()]
    own = [name for name in named if not name.startswith("data/")]  # what is there is the user's
    paths = [re.sub(r"<[a-z]+>", "*", name).rstrip("/") for name in own]

    assert len(paths) > 8
    assert [path for path in paths if not list(PROJECT.glob(path))] == []


def test_dependabot_looks_at_every_folder_that_has_pins() -> None:
    entries = yaml.safe_load((PROJECT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    folders = {each["package-ecosystem"]: each.get("directories") for each in entries}
    command = ["git", "ls-files", "*/requirements.txt"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True)

    assert set(folders) == {"pip", "docker", "github-actions", "npm"}
    assert set(folders["pip"]) == {f"/{path.rpartition('/')[0]}" for path in listed.stdout.split()}
    assert all(each["cooldown"]["default-days"] > 0 for each in entries)
    assert all(each["schedule"]["interval"] == "weekly" and each["groups"] for each in entries)
