"""The registry at the top of the project, whichever it is: it keeps every registry's contracts.

Nothing here knows a dataset, a label, a split or a number. What the sample's movies must give
stands in tests/sample, where the registry is the tests' own.
"""

import shlex
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from pipelines.datasets import declared_deps, params
from pipelines.storage.dvc import Dvc, Stage
from registries import PROJECT, Registry, commit_all, copy_files, under_git


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A fresh clone: what git has, as it is now, and no data that a remote holds."""
    folder = tmp_path_factory.mktemp("module") / "the régistry"
    copy_files(PROJECT, under_git(PROJECT), folder)
    (folder / "data").mkdir(exist_ok=True)
    return commit_all(folder)


@pytest.fixture(scope="module")
def stages(registry: Registry) -> list[Stage]:
    """The stages of dvc.yaml, the user's own ones too."""
    return Dvc(registry.folder, 60).stages() if (registry / "dvc.yaml").exists() else []


def test_params_yaml_can_be_read(registry: Registry) -> None:
    params.parse((registry / "params.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def ours(registry: Registry, stages: list[Stage]) -> list[Stage]:
    """The stages that run one of the images; the others are their owners'."""
    images = read_images(registry)
    return [stage for stage in stages if images & {*stage.command.split()}]


def read_images(registry: Registry) -> set[str]:
    """The references of the images that a registry names."""
    found = yaml.safe_load((registry / "images.yaml").read_text("utf-8"))["images"]
    return {str(reference) for reference in found.values()}


def test_each_stage_declares_what_its_command_reads(
    registry: Registry, stages: list[Stage]
) -> None:
    """Else what is published later is stale."""
    declared_deps.check(stages, read_images(registry))


def test_git_ignores_what_stages_make_and_takes_their_metrics(
    registry: Registry, ours: list[Stage]
) -> None:
    """DVC adds to .gitignore only what it caches, so the project's own must name the others."""
    uncached = [path for stage in ours if not stage.cached for path in stage.outs]
    metrics = [path for stage in ours for path in stage.metrics]

    assert find_unignored(registry, uncached) == []
    assert find_unignored(registry, metrics) == metrics


def find_unignored(registry: Registry, paths: list[str]) -> list[str]:
    """The paths that git does not ignore."""
    return [
        path
        for path in paths
        if registry.sh(f"git check-ignore -q --no-index -- {shlex.quote(path)}", False).returncode
    ]


def read_lock(registry: Registry) -> dict[str, Any]:
    """What dvc.lock says of each stage; of a registry that was never reproduced, nothing."""
    path = registry / "dvc.lock"
    found = yaml.safe_load(path.read_text("utf-8")) if path.exists() else None
    return dict((found or {}).get("stages") or {})


def find_runnable(stages: list[Stage], folder: Path) -> list[str]:
    """The stages that can run in a clone without a remote: git has all that they start from."""
    makers = {path: stage for stage in stages for path in (*stage.outs, *stage.metrics)}

    def is_there(path: str) -> bool:
        above = (str(each) for each in (Path(path), *Path(path).parents))
        maker = next((makers[each] for each in above if each in makers), None)
        return all(map(is_there, maker.deps)) if maker else (folder / path).exists()

    return [stage.name for stage in stages if all(map(is_there, stage.deps))]


def find_differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The stages that had the same command, dependencies and parameters, and gave something else.

    >>> one = {"cmd": "a", "deps": [{"path": "x", "md5": "0"}], "outs": [{"path": "y", "md5": "1"}]}
    >>> other = {**one, "outs": [{"path": "y", "md5": "2"}]}
    >>> [find_differing({"merge": one}, {"merge": new}) for new in (one, other)]
    [set(), {'merge'}]
    >>> find_differing({"merge": one, "old": one}, {"merge": {**other, "cmd": "b"}, "new": other})
    set()
    """
    inputs = ("cmd", "deps", "params")
    return {
        name
        for name in before.keys() & after.keys()
        if [before[name].get(key) for key in inputs] == [after[name].get(key) for key in inputs]
        and before[name].get("outs") != after[name].get("outs")
    }


def test_what_dvc_lock_says_comes_out(
    registry: Registry, ours: list[Stage], engine: docker.DockerClient
) -> None:
    """The same bytes on every machine.

    A registry that has no remote is reproduced by whoever commits, so its dvc.lock and metrics are
    current; with a remote, CI may not have published yet.
    """
    before = read_lock(registry)
    if names := find_runnable([each for each in ours if each.cached], registry.folder):
        registry.sh(f"dvc repro {shlex.join(names)}")

    assert find_differing(before, read_lock(registry)) == set()
    if not registry.sh("dvc remote list").stdout.strip():
        stale = registry.sh("git status --porcelain").stdout
        assert stale == "", f"run `dvc repro`, and commit what it writes:\n{stale}"
