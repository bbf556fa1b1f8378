"""Which folders a stage may replace."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from stage import outputs
from stage.errors import StageError

SUFFIXES = (".xml",)


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """An output of an earlier run."""
    folder = tmp_path / "movie1" / "Annotations"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.xml").touch()
    (folder / "deep" / "B.XML").touch()
    return folder


def refusal(final: Path, inputs: Sequence[Path] = (), links: bool = False) -> str:
    """Why a folder may not be replaced; nothing if it may."""
    try:
        outputs.replaceable(final, SUFFIXES, inputs, links=links)
    except StageError as error:
        return str(error)
    return ""


def test_an_output_of_an_earlier_run_may_be_replaced(final: Path) -> None:
    assert not refusal(final)


def test_an_absent_and_an_empty_folder_may_be_replaced(tmp_path: Path) -> None:
    absent, empty = tmp_path / "absent", tmp_path / "empty"
    empty.mkdir()

    assert not refusal(absent)
    assert not refusal(empty)


@pytest.mark.parametrize("path", ["/", ".", "./", "..", "movie1/..", "../.."])
def test_a_folder_without_a_name_of_its_own_is_refused(path: str) -> None:
    assert "is no plain folder that can be replaced; give another one" in refusal(Path(path))


@pytest.mark.parametrize("target", ["Annotations", "nowhere"])
def test_a_link_is_refused(final: Path, target: str) -> None:
    link = final.with_name("link")
    link.symlink_to(target)

    assert "link: is no plain folder" in refusal(link)


def test_a_file_is_refused(final: Path) -> None:
    assert "a.xml: is no plain folder" in refusal(final / "a.xml")


@pytest.mark.parametrize("name", ["notes.txt", "xml", ".xml", "a.xml.bak", "deep/movie.mkv"])
def test_a_foreign_file_is_named_and_kept(final: Path, name: str) -> None:
    (final / name).touch()

    assert f"{name}: was not made by this command, so {final} is not replaced" in refusal(final)
    assert (final / name).exists()


def test_a_link_among_the_files_is_foreign_unless_links_are_made_there(final: Path) -> None:
    (final / "c.xml").symlink_to("nowhere.xml")

    assert not refusal(final, links=True)
    assert "c.xml: was not made by this command" in refusal(final)


def test_a_link_to_a_folder_is_foreign(final: Path) -> None:
    (final / "elsewhere").symlink_to("/")

    assert "elsewhere: was not made by this command" in refusal(final, links=True)


@pytest.mark.parametrize("source", ["a.xml", "deep/B.XML", "deep", ".", "../Annotations/a.xml"])
def test_a_folder_that_holds_an_input_is_refused(final: Path, source: str) -> None:
    assert "was not made by this command" in refusal(final, [final / source])


def test_an_input_is_found_behind_a_link(final: Path) -> None:
    link = final.with_name("export.xml")
    link.symlink_to("Annotations/a.xml")

    assert "export.xml: was not made by this command" in refusal(final, [link])


def test_an_input_beside_it_is_no_obstacle(final: Path) -> None:
    beside = [final.parent, final.with_name("Annotations.zip"), final.with_name("Annotations2")]

    assert not refusal(final, beside)


def test_a_file_of_an_earlier_run_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").touch()

    outputs.replaceable_file(tmp_path / "metrics.json", ".json")
    outputs.replaceable_file(tmp_path / "absent.json", ".json")
    outputs.replaceable_file(None, ".json")


@pytest.mark.parametrize("name", ["movie.mkv", "params.yaml", "folder.json", "link.json", "json"])
def test_what_is_no_such_file_is_not_replaced(tmp_path: Path, name: str) -> None:
    for file in ("movie.mkv", "params.yaml", "json", "there.json"):
        (tmp_path / file).touch()
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to("there.json")

    with pytest.raises(StageError, match=name):
        outputs.replaceable_file(tmp_path / name, ".json")
