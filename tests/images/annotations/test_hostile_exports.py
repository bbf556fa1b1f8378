"""The exports of the corpus that nobody should trust: refused by reason, or read as plain data."""

import re
from pathlib import Path

import pytest

import readings
from annotations import voc_file
from annotations.model import Annotation
from hostile import CONTENTS, EXPORTS, GOOD_ARCHIVES, ODD_EXPORTS, PICTURES
from stage import frames
from stage.errors import StageError


def read(path: Path) -> list[Annotation]:
    """Read an export of the ten frames that the corpus's files are about."""
    movie = [frames.Frame(n, f"frame_{n:06}.PNG", "", 64, 48) for n in range(10)]
    pictures = frames.Pictures(movie, Path("frames.csv"), complete=True)
    return readings.read(path, pictures)


def refusal(path: Path) -> str:
    """What is said of an export, without its folder."""
    with pytest.raises(StageError) as raised:
        read(path)
    return str(raised.value).removeprefix(f"{path.parent}/")


def test_every_xml_of_the_corpus_is_looked_at(corpus: Path) -> None:
    names = {path.name for path in (corpus / "hostile/xml").glob("x*")}

    assert names == {*EXPORTS, *ODD_EXPORTS}


@pytest.mark.parametrize("name", EXPORTS)
def test_hostile_xml_is_refused_by_line_and_reason(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile/xml" / name)

    assert re.match(re.escape(name) + EXPORTS[name], said), said
    assert len(said) < 500


@pytest.mark.parametrize("name", ODD_EXPORTS)
def test_odd_xml_is_read_as_plain_data(corpus: Path, name: str) -> None:
    found = read(corpus / "hostile/xml" / name)

    assert sum(len(annotation.objects) for annotation in found) == ODD_EXPORTS[name]
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_hostile_archive_is_refused_by_what_is_in_it(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile/zip" / name)

    assert re.match(re.escape(name) + CONTENTS[name], said), said


@pytest.mark.parametrize("name", GOOD_ARCHIVES)
def test_a_good_archive_is_read(corpus: Path, name: str) -> None:
    found = [
        each for annotation in read(corpus / "hostile/zip" / name) for each in annotation.objects
    ]

    assert [(each.label, each.box.xmin, each.box.xmax) for each in found] == [("Car", 1, 9)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_file_is_refused_by_line_and_reason(corpus: Path, name: str) -> None:
    with pytest.raises(StageError, match=re.escape(name) + PICTURES[name]):
        voc_file.read((corpus / "hostile/xml" / name).read_bytes(), name)
