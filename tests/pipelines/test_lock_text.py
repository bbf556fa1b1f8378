"""dvc.lock as DVC wrote it: what is published differs from it in nothing but dropped stages."""

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

from pipelines.errors import PipelineError
from pipelines.storage import dvc_files
from registries import Registry


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What DVC itself wrote, of commands that it wraps and names that it quotes."""
    registry = Registry(tmp_path_factory.mktemp("lock"))
    registry.sh("git init -q && dvc init -q")
    long = " ".join(f'--option-{i} "$PWD/å {i}"' for i in range(30))
    stages = {
        name: {"cmd": f"true {long} && echo {name} >{name}.txt", "outs": [f"{name}.txt"]}
        for name in ("one", "2024", "two", "null")
    }
    (registry / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    registry.sh("dvc repro -q")
    return (registry / "dvc.lock").read_text("utf-8")


def test_dropping_nothing_is_the_identity(lock: str) -> None:
    assert len(lock.splitlines()) > 40, "DVC wraps lines"
    assert dvc_files.drop_stages(lock, []) == lock
    assert dvc_files.drop_stages(lock, ["absent", "cmd"]) == lock


@pytest.mark.parametrize("dropped", ["one", "2024", "two", "null", "one two", "2024 null two"])
def test_what_is_left_is_what_dvc_writes_of_it(lock: str, dropped: str) -> None:
    left = dvc_files.drop_stages(lock, dropped.split())

    wanted = parse_yaml_for_update(lock, "dvc.lock")
    for name in dropped.split():
        del wanted["stages"][name]
    assert left == dumps_yaml(wanted)


def test_of_no_stage_nothing_is_left_that_dvc_cannot_read(lock: str) -> None:
    left = dvc_files.drop_stages(lock, dvc_files.of_lock(lock))

    assert yaml.safe_load(left) == {"schema": "2.0", "stages": {}}


def test_other_yaml_than_dvcs_is_refused_not_cut() -> None:
    text = "stages: {a: {cmd: x}, b: {cmd: y}}\n"
    with pytest.raises(PipelineError, match="is not as DVC writes it; restore it from git"):
        dvc_files.drop_stages(text, ["a"])
