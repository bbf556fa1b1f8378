"""Exports that nobody should trust: refused by reason, or read as plain data."""

import re
from pathlib import Path

import pytest

import readings
from annotations import voc_file
from annotations.model import Annotation
from hostile import exports
from hostile.expected import CONTENTS, EXPORTS, GOOD_ARCHIVES, ODD_EXPORTS, PICTURES
from hostile.files import HostileFile
from stage import frames
from stage.errors import StageError


def read(path: Path) -> list[Annotation]:
    """Read an export of the ten frames that the hostile files are about."""
    movie = [frames.Frame(n, f"frame_{n:06}.PNG", "", 64, 48) for n in range(10)]
    pictures = frames.Pictures(movie, Path("frames.csv"), complete=True)
    return readings.read(path, pictures)


def refusal(path: Path) -> str:
    """What is said of an export, without its folder."""
    with pytest.raises(StageError) as raised:
        read(path)
    return str(raised.value).removeprefix(f"{path.parent}/")


def test_every_hostile_xml_is_looked_at() -> None:
    assert exports.FILES.keys() == {*EXPORTS, *ODD_EXPORTS, *PICTURES}


@pytest.mark.parametrize("name", EXPORTS)
def test_hostile_xml_is_refused_by_line_and_reason(hostile_file: HostileFile, name: str) -> None:
    said = refusal(hostile_file(name))

    assert re.match(re.escape(name) + EXPORTS[name], said), said
    assert len(said) < 500


@pytest.mark.parametrize("name", ODD_EXPORTS)
def test_odd_xml_is_read_as_plain_data(hostile_file: HostileFile, name: str) -> None:
    found = read(hostile_file(name))

    assert sum(len(annotation.objects) for annotation in found) == ODD_EXPORTS[name]
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_hostile_archive_is_refused_by_what_is_in_it(
    hostile_file: HostileFile, name: str
) -> None:
    said = refusal(hostile_file(name))

    assert re.match(re.escape(name) + CONTENTS[name], said), said


@pytest.mark.parametrize("name", GOOD_ARCHIVES)
def test_a_good_archive_is_read(hostile_file: HostileFile, name: str) -> None:
    found = [each for annotation in read(hostile_file(name)) for each in annotation.objects]

    assert [(each.label, each.box.xmin, each.box.xmax) for each in found] == [("Car", 1, 9)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_file_is_refused_by_line_and_reason(
    hostile_file: HostileFile, name: str
) -> None:
    with pytest.raises(StageError, match=re.escape(name) + PICTURES[name]):
        voc_file.read(hostile_file(name).read_bytes(), name)
