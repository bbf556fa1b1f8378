"""`new` makes a registry without datasets that DVC, git and both forges take as it is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cvat.settings import Cvat
from pipelines.datasets import new, params, split_stages
from pipelines.errors import PipelineError
from registries import PATH, PROJECT, SAMPLE, Registry

TEMPLATE = PROJECT / "pipelines/datasets/template"
IMAGES = PROJECT / "images.yaml"
Tools = Callable[..., Any]
Tree = Callable[[Path], dict[str, object]]


def test_a_new_registry_is_committed_and_has_nothing_to_do(fresh: Registry) -> None:
    status = fresh.sh("dvc status")
    reproduced = fresh.sh("dvc repro -P && dvc metrics show && dvc status")
    log = fresh.sh("git log --format=%s && git status --short && git symbolic-ref HEAD").stdout

    assert "ERROR" not in status.stderr + reproduced.stderr
    assert "up to date" in reproduced.stdout
    assert log == "A new registry\nrefs/heads/main\n"
    split_stages.check(fresh.folder)


def test_its_parameters_are_what_was_said(fresh: Registry) -> None:
    found = yaml.safe_load((fresh / "params.yaml").read_text("utf-8"))

    assert found["annotations"]["valid-labels"] == ["Pedestrian", "Bicycle", "Car"]
    assert found["datasets"] == {}
    assert found["splits"] == {"training": {"datasets": []}, "validation": {"datasets": []}}
    assert (fresh / "images.yaml").read_bytes() == IMAGES.read_bytes()


def test_the_line_that_names_a_cvat_is_right_once_it_is_no_comment(fresh: Registry) -> None:
    text = (fresh / "params.yaml").read_text("utf-8")
    said = params.parse(text.replace("# cvat: ", "cvat: "))

    assert params.parse(text).cvat is None
    assert said.cvat == Cvat("https://cvat.example.org", "videoteam", "accepted")


def test_labels_of_any_kind_stay_text(tmp_path: Path) -> None:
    labels = ("no", "12", "it's", "a: b", "Car", "#x")
    new.new(tmp_path / "one", labels, None, IMAGES)
    found = yaml.safe_load((tmp_path / "one/params.yaml").read_text("utf-8"))

    assert found["annotations"]["valid-labels"] == [*labels]


def test_its_ci_files_name_the_tools_and_pass_the_forges_schemas(fresh: Registry) -> None:
    gitlab = yaml.safe_load((fresh / ".gitlab-ci.yml").read_text("utf-8"))
    uses = re.findall(r"uses: (\S+)", (fresh / ".github/workflows/publish.yml").read_text("utf-8"))
    names = yaml.safe_load(IMAGES.read_text("utf-8"))["images"]

    assert gitlab["include"][0]["project"] == "group/tools"
    assert gitlab["include"][0]["ref"] == "0123abc"
    assert gitlab["include"][0]["inputs"]["image"] == names["tools"]
    assert uses == ["group/tools/.github/workflows/registry-publish.yml@0123abc"]
    fresh.sh("check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml")
    fresh.sh(
        "check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci"
        " .gitlab-ci.yml"
    )


def test_what_ci_files_name_is_there() -> None:
    """The files of the tools that they include, and the inputs that those have."""
    said = yaml.safe_load((TEMPLATE / "dot-gitlab-ci.yml").read_text("utf-8").replace("@", ""))
    head = (PROJECT / said["include"][0]["file"]).read_text("utf-8").partition("\n---\n")[0]
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    texts = [path.read_text("utf-8") for path in TEMPLATE.glob("dot-github/workflows/*.yml")]
    used = {name for text in texts for name in re.findall(r"@PROJECT@/(\S+)@@REF@", text)}

    assert said["include"][0]["inputs"].keys() <= inputs.keys()
    assert inputs["command"]["default"] == "pipelines/registry"
    assert (TEMPLATE / "pipelines/registry").exists()
    assert len(used) == 2
    assert all((PROJECT / path).is_file() for path in used)


def without_splits(text: str) -> str:
    return text.partition("\n" + split_stages.BEGIN)[0]


@pytest.mark.parametrize("name", ["dvc.yaml", "pictures/dvc.yaml"])
def test_the_pipeline_is_that_of_the_sample(name: str, fresh: Registry) -> None:
    own = (SAMPLE / name).read_text("utf-8")

    assert without_splits((fresh / name).read_text("utf-8")) == without_splits(own)


@pytest.mark.parametrize("name", [".dvc/config", ".dvc/.gitignore"])
def test_the_settings_of_dvc_are_those_of_the_sample(name: str, fresh: Registry) -> None:
    assert (fresh / name).read_bytes() == (SAMPLE / name).read_bytes()


@pytest.mark.parametrize("name", [".dvcignore", ".gitattributes"])
def test_the_small_files_are_those_of_the_tools(name: str, fresh: Registry) -> None:
    assert (fresh / name).read_bytes() == (PROJECT / name).read_bytes()


def test_what_it_ignores_the_tools_ignore_too(fresh: Registry) -> None:
    """And all that the pipeline makes is ignored: the lines that begin with /data/."""
    own = (fresh / ".gitignore").read_text("utf-8").splitlines()
    tools = (PROJECT / ".gitignore").read_text("utf-8").splitlines()

    assert {*own} <= {*tools}
    assert {line for line in tools if line.startswith("/data/")} <= {*own}


@pytest.mark.parametrize("there", ["file", "folder"])
def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, there: str, tree: Tree) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/file").touch()
    before = tree(tmp_path)
    with pytest.raises(PipelineError, match="is there already"):
        new.new(tmp_path / "one" / ("file" if there == "file" else ""), (), None, IMAGES)

    assert tree(tmp_path) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    new.new(tmp_path / "one", (), None, IMAGES)

    assert (tmp_path / "one/params.yaml").is_file()


def test_in_a_git_repository_nothing_is_committed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    around = Registry(tmp_path)
    around.sh("git init -q -b other && git commit -q --allow-empty -m first")
    new.new(tmp_path / "deep/one", (), None, IMAGES)

    assert not (tmp_path / "deep/one/.git").exists()
    assert around.sh("git log --format=%s; git status --short").stdout == "first\n?? deep/\n"
    assert f"it lies in the git repository {tmp_path}, so nothing" in capsys.readouterr().out


@pytest.mark.parametrize("tools", ["x", "https://example.org/group/tools", "/srv/tools@abc"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, tools: str) -> None:
    with pytest.raises(PipelineError, match="must be URL@COMMIT"):
        new.new(tmp_path / "one", (), tools, IMAGES)

    assert [*tmp_path.iterdir()] == []


def test_an_address_that_nobody_knows_is_marked_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new, "ROOT", tmp_path)  # the tools of an image are in no clone
    new.new(tmp_path / "one", (), None, IMAGES)

    assert (
        "project: GROUP/TOOLS\n    ref: COMMIT\n" in (tmp_path / "one/.gitlab-ci.yml").read_text()
    )
    assert "for GROUP/TOOLS and COMMIT in .gitlab-ci.yml" in capsys.readouterr().out


def test_the_address_is_that_of_the_clone_of_the_tools(tmp_path: Path) -> None:
    clone = Registry(tmp_path / "tools")
    clone.folder.mkdir()
    clone.sh(
        f"cp -r '{PROJECT}/pipelines' '{IMAGES}' . && git init -q && git add -A"
        " && git commit -q -m x && git remote add origin git@example.org:team/deep/tools.git"
    )
    clone.sh("python -m pipelines new ../one", PYTHONPATH=str(clone.folder))
    head = clone.sh("git rev-parse HEAD").stdout.strip()

    said = yaml.safe_load((tmp_path / "one/.gitlab-ci.yml").read_text("utf-8"))["include"][0]
    assert (said["project"], said["ref"]) == ("team/deep/tools", head)


def test_without_images_it_says_how_to_name_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match="by --images"):
        new.new(tmp_path / "one")

    assert [*tmp_path.iterdir()] == []


def test_its_script_passes_on_what_the_tools_need(fresh: Registry, stub: Path) -> None:
    (stub / "docker").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{stub}/calls\n')
    movie = stub / "movie.mp4"
    movie.touch()
    fresh.sh(
        f"pipelines/registry add a --movie '{movie}'",
        AZURE_STORAGE_CONNECTION_STRING="x",
        PATH=f"{stub}:{PATH}",
        HOME=str(stub),
        UNRELATED="x",
    )
    calls = (stub / "calls").read_text().splitlines()

    mounted = [word for word in calls if word.startswith("type=bind")]
    assert f"type=bind,source={fresh.folder},target={fresh.folder}" in mounted
    assert len(mounted) == len({*mounted})
    assert "AZURE_STORAGE_CONNECTION_STRING" in calls
    assert "UNRELATED" not in calls
    assert calls[-4:] == ["add", "a", "--movie", str(movie)]
    assert calls[-5] == yaml.safe_load(IMAGES.read_text("utf-8"))["images"]["tools"]


def test_its_script_says_when_there_is_no_image(fresh: Registry, stub: Path) -> None:
    (stub / "docker").write_text("#!/bin/sh\nexit 1\n")
    done = fresh.sh("pipelines/registry status", check=False, PATH=f"{stub}:{PATH}")

    assert done.returncode == 1
    assert re.fullmatch(r"error: \S+/tools:\w+: is not in the engine, and .*\n", done.stderr)
