"""What `make fuzz` found, and who read the code beside it: each left a reader as no StageError."""

import io
import resource
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from unittest import mock

import pytest

import prepare_annotations
from annotations.export_file import ANY, Choice
from stage import frames
from stage.errors import StageError

MOVIE = [frames.Frame(n, f"frame_{n:06}.PNG", "", 64, 48) for n in range(5)]

PARAMETERS = {
    "IndexError: !!int of nothing": b'{valid-labels: [a], rotated: !!int ""}',
    "IndexError: !!float of nothing": b'{valid-labels: [a], rotated: !!float "_"}',
    "OverflowError: no float": b"{valid-labels: [a], rotated: 1" + b":59" * 180 + b".}",
    "OverflowError: no character": b'{valid-labels: [a], rotated: "\\UFFFFFFFF"}',
    "ValueError: no character": b'{valid-labels: [a], rotated: "\\U00110000"}',
    "ValueError: too long to be shown": b"{valid-labels: [a], rotated: 0x" + b"f" * 3600 + b"}",
    "ValueError: too long to be text": b"{valid-labels: [a]}\ndatasets: {movie: {cvat-task: 0x"
    + b"f" * 3600
    + b"}}",
}


@pytest.mark.parametrize("content", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_refused(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, b"annotations: " + content)


def test_a_yaml_version_too_long_to_be_a_number_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, b"%YAML 1." + b"9" * 4400 + b"\n---\nannotations: {valid-labels: [a]}")


def refused(folder: Path, parameters: bytes) -> None:
    """The parameters are not taken, though all else is as it should be."""
    with pytest.raises(StageError, match=r"params\.yaml"):
        prepare(folder, b"<annotations/>", parameters)


def prepare(folder: Path, export: bytes, parameters: bytes, choice: Choice = ANY) -> None:
    """Prepare the dataset of a movie of five frames."""
    (root := folder / "movie").mkdir()
    frames.write(MOVIE, root / frames.INDEX)
    (folder / "params.yaml").write_bytes(parameters)
    (folder / "export").write_bytes(export)
    prepare_annotations.prepare(
        folder / "params.yaml", root, folder / "export", root / "Annotations", choice=choice
    )


GOOD = b"annotations: {valid-labels: [a]}"

KEYFRAMES = b"""<annotations><meta><task>%s</task></meta><track id="0" label="Car">
<box frame="0" xtl="1" ytl="1" xbr="9" ybr="9"/>
<box frame="%d" xtl="5" ytl="5" xbr="9" ybr="9"/></track></annotations>"""


@pytest.fixture
def two_seconds() -> Iterator[None]:
    """End what takes longer before it has taken the machine's memory."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, 2)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@pytest.mark.usefixtures("two_seconds")
@pytest.mark.parametrize(
    ("task", "frame"), [(b"", 999_999_999), (b"<stop_frame>999999999</stop_frame>", 3)]
)
def test_a_billion_frames_are_refused_before_they_are_interpolated(
    tmp_path: Path, task: bytes, frame: int
) -> None:
    with pytest.raises(StageError, match="frame"):
        prepare(tmp_path, KEYFRAMES % (task, frame), GOOD, Choice(interpolate=True))


LZMA = b"\x09\x04\x05\x00\x5d"
"""How LZMA data in a zip begins; the size of the dictionary, four bytes, follows."""


@pytest.fixture
def gigabyte() -> Iterator[None]:
    """Let this process take one more gigabyte and no more, as a container might."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.usefixtures("gigabyte")
def test_an_archive_that_wants_a_dictionary_of_gigabytes_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as zipped:
        zipped.writestr("annotations.xml", "<annotations/>")
    before, _, after = buffer.getvalue().partition(LZMA)

    with pytest.raises(StageError, match=r"export/annotations\.xml: "):
        prepare(tmp_path, before + LZMA + b"\xff" * 4 + after[4:], GOOD)


@pytest.mark.parametrize("behind", [8, 16, 24], ids=["offset", "packed size", "size"])
def test_an_archive_with_numbers_of_64_bits_that_no_file_has_is_refused(
    tmp_path: Path, behind: int
) -> None:
    buffer = io.BytesIO()
    with mock.patch("zipfile.ZIP64_LIMIT", 10), zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("ImageSets/Main/default.txt", "frame_000000\n")
        zipped.writestr("annotations.xml", "<annotations/>")
    content = buffer.getvalue()
    place = content.index(b"PK\6\6") - behind  # size, packed size and offset end the listing

    with pytest.raises(StageError, match="export"):
        prepare(tmp_path, content[:place] + b"\xff" * 8 + content[place + 8 :], GOOD)


@pytest.mark.usefixtures("gigabyte")
def test_an_archive_whose_file_says_that_it_is_larger_than_the_archive_is_refused(
    tmp_path: Path,
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("annotations.xml", "<annotations/>" * 9)
    content = bytearray(buffer.getvalue())
    content[content.index(b"PK\1\2") + 23] |= 0x70  # the packed size's highest byte: 1.75 GB

    with pytest.raises(StageError, match=r"export/annotations\.xml: .* after the archive's end"):
        prepare(tmp_path, bytes(content), GOOD)
