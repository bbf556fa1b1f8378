"""`--check`: whether an export can be read, with nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest

import prepare_annotations

BOX = (1.0, 2.0, 30.0, 40.0)
WORDS = "--parameters params.yaml --root data/movie1 --source {} --check"


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], int]:
    """Run the stage in the registry's folder, as the command line would."""
    monkeypatch.chdir(root.parents[1])

    def main(source: Path) -> int:
        words = WORDS.format(source.relative_to(Path.cwd()))
        before = sorted(Path.cwd().rglob("*"))
        code = prepare_annotations.main(words.split())
        assert sorted(Path.cwd().rglob("*")) == before
        return code

    return main


def test_what_would_be_kept_is_said_with_and_without_frame_index(
    root: Path,
    voc: Callable[..., Path],
    run: Callable[[Path], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = voc({"frame_000001.PNG": [("Car", BOX, {})], "frame_000002.PNG": [("Bus", BOX, {})]})
    with_index = (run(source), capsys.readouterr().out)
    (root / "frames.csv").unlink()

    assert with_index == (run(source), capsys.readouterr().out)
    counted = [line.split() for line in with_index[1].splitlines()]
    assert ["objects", "1"] in counted
    assert ["Car", "1"] in counted


def test_an_export_that_cannot_be_read_is_refused(
    root: Path, run: Callable[[Path], int], capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "frames.csv").unlink()
    (root / "annotations.xml").write_text("<annotations><track")

    assert run(root / "annotations.xml") == 1
    assert "annotations.xml:1: is no XML" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "--check --destination data/movie1/Annotations"])
def test_either_check_or_destination_must_be_given(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        prepare_annotations.main(f"--parameters p --root r --source s {words}".split())
    assert "give either --destination or --check" in capsys.readouterr().err
