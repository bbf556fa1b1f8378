"""Zip files of every kind: what is listed and read, and what is refused."""

import re
import tempfile
import zipfile
from pathlib import Path

import pytest

from hostile import archives
from hostile.expected import ARCHIVES, PLAIN_ARCHIVES
from hostile.files import HostileFile
from stage import archive
from stage.errors import StageError


def contents(path: Path) -> dict[str, bytes]:
    """Every file of an archive."""
    with archive.open_archive(path) as opened:
        return {name: opened.read(name) for name in opened.names}


def refusal(path: Path) -> str:
    """What is said of a file, without its folder."""
    with pytest.raises(StageError) as raised:
        contents(path)
    return str(raised.value).removeprefix(f"{path.parent}/")


def made(path: Path, *names: str, method: int = zipfile.ZIP_STORED) -> Path:
    """Make an archive of files that hold their own name, many times."""
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name in names:
            zipped.writestr(name, name * 100)
    return path


def test_every_hostile_archive_is_looked_at() -> None:
    assert archives.FILES.keys() == {*ARCHIVES, *PLAIN_ARCHIVES}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_by_file_and_reason(
    hostile_file: HostileFile, name: str
) -> None:
    said = refusal(hostile_file(name))

    assert re.match(re.escape(name) + ARCHIVES[name], said), said


@pytest.mark.parametrize("name", PLAIN_ARCHIVES)
def test_an_archive_of_plain_files_is_read(hostile_file: HostileFile, name: str) -> None:
    assert len(contents(hostile_file(name))) == PLAIN_ARCHIVES[name]


def test_nothing_is_written_where_a_name_leads(hostile_file: HostileFile) -> None:
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob("pwned*"))
    for name in ("z01_zip_slip.zip", "z03_symlink_dir_then_write.zip", "z35_hostile_names.zip"):
        refusal(hostile_file(name))

    assert set(folder.glob("pwned*")) == before


def test_names_are_sorted_and_without_folders_and_junk(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", "b/2.xml", "b/", "a.xml", "__MACOSX/a.xml", "b/.DS_Store")

    assert contents(path) == {"a.xml": b"a.xml" * 100, "b/2.xml": b"b/2.xml" * 100}


@pytest.mark.parametrize(
    "name",
    ["/abs.xml", "a/../b.xml", "./a.xml", "a//b.xml", "a\\b.xml", "C:a.xml", "-rf", "a/-b.xml",
     "a\nb.xml", "a\x1bb.xml", "\u202exml.a", "x" * 501],
)  # fmt: skip
def test_a_name_that_some_system_takes_for_another_path_is_refused(
    tmp_path: Path, name: str
) -> None:
    assert "is no name of an export's file" in refusal(made(tmp_path / "a.zip", name))


@pytest.mark.parametrize("name", ["sub/deep/車 一.png", "[br]#%.xml", "a..b.xml", "été/a-b.xml"])
def test_an_odd_but_plain_name_is_read(tmp_path: Path, name: str) -> None:
    assert contents(made(tmp_path / "a.zip", name)) == {name: name.encode() * 100}


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_refused_whatever_the_compression(
    tmp_path: Path, method: int, place: int
) -> None:
    path = made(tmp_path / "a.zip", "annotations.xml", method=method)
    content = bytearray(path.read_bytes())
    start = 30 + len("annotations.xml") + 4 * place
    content[start : start + 4] = b"\xa5" * 4
    path.write_bytes(content)

    assert "annotations.xml: is damaged" in refusal(path)


def test_too_many_and_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "a.zip", "a.xml", "b.xml", "c.xml")

    monkeypatch.setattr(archive, "TOTAL", 1200)
    assert "c.xml: unpacks to more than an export can hold" in refusal(path)
    monkeypatch.setattr(archive, "MEMBERS", 2)
    assert "a.zip: has more than 2 entries" in refusal(path)


def test_a_zip_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("<annotations/>")

    assert archive.is_zip(made(tmp_path / "a.xml", "a"))
    assert archive.is_zip(made(tmp_path / "empty.zip"))
    assert not archive.is_zip(tmp_path / "b.zip")
