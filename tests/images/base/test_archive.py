"""Zip files of every kind: what is listed and read, and what is refused."""

import re
import tempfile
import zipfile
from pathlib import Path

import pytest

from stage import archive
from stage.errors import StageError

REFUSED = {
    "z01_zip_slip.zip": r"/\.\./.*pwned_slip\.xml: is no name of an export's file",
    "z02_symlink_file.zip": "/annotations.xml: is not a regular file",
    "z03_symlink_dir_then_write.zip": "/link: is not a regular file",
    "z04_device_and_setuid.zip": "/fifo.xml: is not a regular file",
    "z10_bomb_flat.zip": "/annotations.xml: unpacks to more than an export can hold",
    "z11_bomb_overlap.zip": "/annotations.xml: is in it twice",
    "z15_size_lie_small.zip": "/annotations.xml: is damaged",
    "z16_size_lie_huge.zip": "/annotations.xml: unpacks to more than an export can hold",
    "z20_empty.zip": ": the file is empty",
    "z21_text.zip": ": is not a zip file",
    "z22_truncated.zip": ": is not a zip file, or damaged",
    "z23_bad_crc.zip": "/annotations.xml: is damaged",
    "z24_git_lfs_pointer.zip": ": is a Git LFS pointer",
    "z25_encrypted_flag.zip": "/annotations.xml: is damaged .*encrypted",
    "z26_unknown_method.zip": "/annotations.xml: is damaged .*compression method",
    "z29_gzip_named.zip": ": is not a zip file",
    "z31_duplicate_names.zip": "/annotations.xml: is in it twice",
    "z33_case_collision.zip": "/annotations/Frame_000000.XML: is in it twice",
    "z34_file_and_dir_same_name.zip": "/Annotations",
    "z35_hostile_names.zip": "/-rf.xml: is no name of an export's file",
    "z36_non_utf8_name.zip": ": is not a zip file, or damaged",
}

READ = {
    "z00_good.zip": 1,
    "z12_bomb_nested.zip": 1,
    "z13_billion_laughs_inside.zip": 1,
    "z14_many_entries.zip": 3000,
    "z27_empty_archive.zip": 0,
    "z28_prefix_junk.zip": 1,
    "z30_no_xml.zip": 1,
    "z32_two_cvat_xml.zip": 2,
    "z37_nfc_nfd_names.zip": 2,
    "z38_voc_duplicate_ids.zip": 2,
    "z39_voc_filename_mismatch.zip": 1,
    "z40_voc_traversal_inside.zip": 1,
    "z41_macos_junk_good.zip": 1,
}
"""How many files each holds. What is wrong in them is for their reader to see (test_exports)."""


def contents(path: Path) -> dict[str, bytes]:
    """Every file of an archive."""
    with archive.opened(path) as opened:
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


def test_every_file_of_the_corpus_is_looked_at(corpus: Path) -> None:
    assert {path.name for path in (corpus / "hostile/zip").iterdir()} == {*REFUSED, *READ}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_archive_is_refused_by_file_and_reason(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile/zip" / name)

    assert re.match(re.escape(name) + REFUSED[name], said), said


@pytest.mark.parametrize("name", READ)
def test_an_archive_of_plain_files_is_read(corpus: Path, name: str) -> None:
    assert len(contents(corpus / "hostile/zip" / name)) == READ[name]


def test_nothing_is_written_where_a_name_leads(corpus: Path) -> None:
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob("pwned*"))
    for name in ("z01_zip_slip.zip", "z03_symlink_dir_then_write.zip", "z35_hostile_names.zip"):
        refusal(corpus / "hostile/zip" / name)

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
