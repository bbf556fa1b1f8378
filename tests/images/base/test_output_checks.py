"""What a stage may replace."""

import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from annotations import dataset
from annotations.metrics import Metrics
from annotations.model import Annotation
from stage import archive, frames, output_checks
from stage.errors import StageError
from stage.output_checks import Folder, Kind, Output

XML = re.compile(r".+\.(?i:xml)")


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """An output of an earlier run."""
    folder = tmp_path / "movie1" / "Annotations"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.xml").touch()
    (folder / "deep" / "B.XML").touch()
    return folder


def refusal(
    final: Path, inputs: Sequence[Path] = (), links: bool = False, kind: Kind | None = None
) -> str:
    """Why an output may not be replaced; nothing if it may."""
    return refusal_of([Output("--it", final, kind or Folder(XML, links=links))], inputs)


def refusal_of(made: Sequence[Output], inputs: Sequence[Path] = ()) -> str:
    """Why outputs may not be replaced; nothing if they may."""
    try:
        output_checks.check_outputs(made, inputs)
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
    assert "is no name for an output; give another path" in refusal(Path(path))


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


def test_what_is_in_a_file_counts_in_a_folder_too(final: Path) -> None:
    kind = Folder(XML, output_checks.starts_with("<a>"))
    (final / "a.xml").write_text("<a></a>")
    (final / "deep/B.XML").write_text("<b></b>")

    assert f"{final}/deep/B.XML: was not made by this command" in refusal(final, kind=kind)


@pytest.mark.parametrize("source", ["a.xml", "deep/B.XML", "deep", ".", "../Annotations/a.xml"])
def test_a_folder_that_holds_an_input_is_refused(final: Path, source: str) -> None:
    said = refusal(final, [final / source])

    assert said.startswith(
        f"{final}: {'is' if source == '.' else 'holds'} the input {final / source}"
    )


def test_an_input_is_found_behind_a_link(final: Path) -> None:
    link = final.with_name("export.xml")
    link.symlink_to("Annotations/a.xml")

    assert f"holds the input {link}; give another path" in refusal(final, [link])


def test_a_link_that_is_read_is_itself_not_replaced(final: Path, tmp_path: Path) -> None:
    (final / "c.xml").symlink_to(tmp_path / "elsewhere.xml")

    assert f"holds the input {final}/c.xml;" in refusal(final, [final / "c.xml"], links=True)


def test_an_output_in_a_folder_that_is_read_is_refused(final: Path) -> None:
    linked = final.with_name("linked")
    linked.symlink_to("Annotations")

    assert f"lies in the input {final}; give" in refusal(linked / "new", [final])


def test_an_input_beside_it_is_no_obstacle(final: Path) -> None:
    beside = [final.with_name(name) for name in ("movie.mkv", "Annotations.zip", "Annotations2")]

    assert not refusal(final, beside)


@pytest.mark.parametrize("other", ["there.csv", "../{}/there.csv", "linked/there.csv", "hard.csv"])
def test_an_input_is_not_replaced_however_it_is_spelled(tmp_path: Path, other: str) -> None:
    (tmp_path / "there.csv").write_text("number,name,time,width,height,hash\n")
    (tmp_path / "linked").symlink_to(".")
    os.link(tmp_path / "there.csv", tmp_path / "hard.csv")
    final = tmp_path / other.format(tmp_path.name)

    assert not refusal(final, kind=frames.KIND)
    assert f": is the input {tmp_path}/there.csv; give another path" in refusal(
        final, [tmp_path / "there.csv"], kind=frames.KIND
    )


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("J", "J: is for --destination and for --index; give two paths"),
        ("../{}/J", "J: is for --destination and for --index; give two paths"),
        ("linked/J", "J: is for --destination and for --index; give two paths"),
        ("J/frames.csv", "frames.csv: lies in {}/J, which is replaced by --destination; give --in"),
        ("linked/J/deep/f.csv", "f.csv: lies in {}/J, which is replaced by --destination; give"),
        (".", "J: lies in {}, which is replaced by --index; give --destination another path"),
    ],
)
def test_two_outputs_have_two_places(tmp_path: Path, index: str, said: str) -> None:
    (tmp_path / "linked").symlink_to(".")
    made = [
        Output("--destination", tmp_path / "J", Folder(XML)),
        Output("--index", tmp_path / index.format(tmp_path.name), frames.KIND),
    ]

    assert said.format(tmp_path) in refusal_of(made)


def test_outputs_beside_each_other_and_what_is_not_asked_for_are_no_obstacle(final: Path) -> None:
    made = [
        Output("--destination", final, Folder(XML)),
        Output("--index", final.with_name("Annotations.csv"), frames.KIND),
        Output("--metrics", None, frames.KIND),
    ]

    assert not refusal_of(made)


def write_zip(path: Path) -> None:
    archive.write(path, [("a.xml", b"<annotation/>", 0)])


WRITERS: dict[str, tuple[Kind, Callable[[Path], object]]] = {
    "frames.csv": (frames.KIND, lambda path: frames.write([], path)),
    "metrics.json": (dataset.KINDS["metrics.json"], Metrics().write),
    "labelmap.txt": (
        dataset.KINDS["labelmap.txt"],
        lambda path: dataset.write_labelmap(["Car"], path),
    ),
    "Annotations.zip": (dataset.KINDS["Annotations.zip"], write_zip),
    "Annotations": (
        dataset.KINDS["Annotations"],
        lambda path: dataset.Folder(path).put(Annotation("sub/a.png", 1, 1, ())),
    ),
    "ImageSets": (
        dataset.KINDS["ImageSets"],
        lambda path: dataset.write_imagesets([], ["Car"], path),
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_we_wrote_may_be_replaced_under_any_name(tmp_path: Path, name: str) -> None:
    kind, write = WRITERS[name]
    write(tmp_path / "a")

    assert not refusal(tmp_path / "a", kind=kind)
    assert not refusal(tmp_path / "absent", kind=kind)


def foreign_zip(path: Path, name: str = "annotations.xml") -> None:
    """An export 'CVAT for video 1.1' is one XML file, compressed, with the date of its making."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(name, "<annotations/>")


FOREIGN: dict[str, Callable[[Path], object]] = {
    "an empty file": Path.touch,
    "a movie": lambda path: path.write_bytes(b"\x1aE\xdf\xa3" * 99),
    "a table": lambda path: path.write_text("number,name\n1,a\n"),
    "JSON of others": lambda path: path.write_text(json.dumps({"pictures": [], "labels": []})),
    "JSON that is a list": lambda path: path.write_text("[]"),
    "JSON that was cut": lambda path: path.write_text('{"pictures": 1, "objects": 2, "labels'),
    "JSON without end": lambda path: path.write_text('{"a":' * 100_000),
    "an export of CVAT": foreign_zip,
    "a zip of others": lambda path: archive.write(path, [("a.png", b"", 0)]),
}


@pytest.mark.parametrize("kind", [name for name in WRITERS if "." in name])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_others_wrote_is_not_replaced_whatever_it_is_called(
    tmp_path: Path, kind: str, what: str
) -> None:
    FOREIGN[what](tmp_path / kind)
    said = refusal(tmp_path / kind, kind=WRITERS[kind][0])

    assert f"{kind}: is no " in said
    assert "so it is not replaced; give another path, or delete it if nobody needs it" in said


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_of_another_sort_is_not_replaced(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/movie.mkv").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("folder" if kind in ("Annotations", "ImageSets") else "file")
    os.mkfifo(tmp_path / "pipe")

    for name in ("folder", "file", "link", "pipe"):
        assert refusal(tmp_path / name, kind=WRITERS[kind][0]), name


HAND_KEPT = "<annotation>\n\t<folder>VOC2012</folder>\n</annotation>\n"
"""As the Pascal VOC devkit has it, and labelImg writes it."""


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("Annotations", "a.xml", HAND_KEPT),
        ("Annotations", "a.xml", ""),
        ("ImageSets", "Layout/train.txt", "a\n"),
        ("ImageSets", "train.txt", "a\n"),
    ],
)
def test_folders_of_others_are_not_replaced(
    tmp_path: Path, kind: str, name: str, content: str
) -> None:
    file = tmp_path / kind / name
    file.parent.mkdir(parents=True)
    file.write_text(content)

    assert f"{name}: was not made by this command" in refusal(
        tmp_path / kind, kind=WRITERS[kind][0]
    )
