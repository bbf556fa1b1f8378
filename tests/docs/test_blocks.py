"""The blocks of the pages are what they say: they parse, and lines that people type work."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import make
from documents import block, blocks, pages, sections, text_of
from registries import PATH, PROJECT, Registry

PLACEHOLDER = re.compile(r"<[a-z][^>\n]*>")
"""What stands for a value, such as <git-url-of-the-registry>."""


def filled(text: str) -> str:
    """A block with a word in place of each placeholder."""
    return PLACEHOLDER.sub("value", text)


def wrong(page: str, text: str) -> list[str]:
    """Why blocks of a page cannot be typed or written as they are."""
    found = []
    for shell in map(filled, blocks(text, "sh")):
        done = subprocess.run(
            ["sh", "-n"], input=shell, text=True, capture_output=True, check=False
        )
        found += [f"{page}: sh: {done.stderr.strip()}"] if done.returncode else []
    for language, load in ("yaml", yaml.safe_load), ("toml", tomllib.loads):
        for one in map(filled, blocks(text, language)):
            try:
                load(one)
            except (yaml.YAMLError, tomllib.TOMLDecodeError) as error:
                found.append(f"{page}: {language}: {error}")
    return found


@pytest.mark.parametrize("page", pages())
def test_blocks_parse(page: str) -> None:
    assert wrong(page, text_of(page)) == []


@pytest.mark.parametrize(
    ("language", "text"), [("sh", "for x in a; do"), ("yaml", "a: [b"), ("toml", "[runners")]
)
def test_one_that_does_not_shows(language: str, text: str) -> None:
    (found,) = wrong("page", f"```{language}\n{text}\n```\n")

    assert found.startswith(f"page: {language}: ")


def test_the_lines_of_a_storage_store_the_data(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "my régistry")
    registry.folder.mkdir()
    (registry / "movie").write_bytes(b"a movie")
    registry.sh("git init -q && dvc init -q && dvc add -q movie && git add -A && git commit -qm 1")
    lines = block("docs/new-registry.md", "Store the data")
    assert "azure://container/path" in lines

    registry.sh(lines.replace("azure://container/path", f"'{tmp_path}/storage'"))

    stored = [path.read_bytes() for path in (tmp_path / "storage").rglob("*") if path.is_file()]
    assert stored == [b"a movie"]
    assert registry.sh("git status --porcelain").stdout == ""
    assert registry.sh("dvc config remote.storage.verify").stdout == "true\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a movie and two exports of it, and `registry` on the path as make has it."""
    made, home = tmp_path / "made", tmp_path / "home"
    make.make(made)
    for folder in ("Downloads", "bin", "tools"):
        (home / folder).mkdir(parents=True)
    (home / "street.mp4").write_bytes((made / "movie3/movie.mp4").read_bytes())
    for name in ("street.zip", "Downloads/new-export.zip"):
        (home / name).write_bytes((made / "movie3/annotations.zip").read_bytes())
    program = home / "bin/registry"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m pipelines "$@"\n'
    )
    program.chmod(0o755)
    return home


def test_a_registry_is_started_and_kept_by_the_lines_of_the_pages(home: Path, engine: Any) -> None:
    env = {"HOME": str(home), "PATH": f"{home / 'bin'}:{PATH}"}
    Registry(home / "tools").sh(block("README.md", "Start your own"), True, None, **env)
    registry = Registry(home / "street-registry")
    merged = "data/merged/training"

    links = sorted((registry / merged / "JPEGImages").iterdir())
    names = {path.stem for path in (registry / merged / "Annotations").iterdir()}
    assert all(link.is_symlink() and link.exists() for link in links)
    assert {link.stem for link in links} == names
    assert len(names) > 5

    registry.sh(f"dvc remote add -q --default storage '{home}/storage'")
    registry.sh(block("docs/datasets.md", "Add a dataset", 1), True, None, **env)
    registry.sh(block("docs/datasets.md", "Bring a new export"), True, None, **env)
    lines = block("docs/datasets.md", "Rename or remove a dataset").splitlines()
    (rename,) = [line for line in lines if line.startswith("registry rename ")]
    (remove,) = [line for line in lines if line.startswith("registry remove ")]
    registry.sh(f"{rename} && dvc repro", True, None, **env)
    renamed = {
        path.name.partition("__")[0] for path in (registry / merged / "Annotations").iterdir()
    }
    registry.sh(remove, True, None, **env)

    assert renamed == {"main-street"}
    assert yaml.safe_load((registry / "params.yaml").read_text())["datasets"] == {}
    assert not (registry / "data/main-street").exists()


def test_the_splits_that_the_page_shows_are_what_params_takes(tmp_path: Path) -> None:
    """`registry splits` writes stages for them, with the comparison that the page says."""
    (shown,) = blocks(sections(text_of("docs/datasets.md"))["Splits"], "yaml")
    names = [f"movie{n}" for n in range(1, 5)]
    values = {
        "datasets": {n: {"source": f"data/{n}/m.mp4", "export": f"data/{n}/e.zip"} for n in names},
        "annotations": {"valid-labels": ["Car"], "destination": "Annotations"},
    }
    (tmp_path / "pictures").mkdir()
    for name in ("dvc.yaml", "pictures/dvc.yaml"):
        (tmp_path / name).write_text("stages:\n")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values) + shown)

    Registry(tmp_path).sh(f"PYTHONPATH='{PROJECT}' python -m pipelines splits")

    stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]
    assert set(stages) == {"merge-annotations-training", "merge-annotations-validation"}
    command = stages["merge-annotations-validation"]["cmd"]
    assert "--source 'data/movie4[5000:]'" in command
    assert "--against data/merged/training/merge.csv" in command
