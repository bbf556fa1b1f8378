"""Frame indexes, and pictures found by number or by name."""

from pathlib import Path

import pytest

from stage import frames
from stage.errors import StageError
from stage.frames import Frame, Pictures

HEADER = "number,name,time,width,height,hash\n"


def index(folder: Path, *lines: str) -> Path:
    """Write a frame index by hand."""
    path = folder / "frames.csv"
    path.write_bytes((HEADER + "".join(f"{line}\n" for line in lines)).encode("latin-1"))
    return path


def listed(root: Path, *names: str) -> Pictures:
    """Pictures of these names in JPEGImages, looked up."""
    for name in names:
        path = root / "JPEGImages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return frames.find_pictures(root)


def numbers(pictures: Pictures) -> dict[str, int]:
    """Name -> number."""
    return {frame.name: frame.number for frame in pictures}


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [
        Frame(0, "frame_000000.PNG", "0.000000", 640, 480, "0123456789abcdef"),
        Frame(7, 'sub/été, "車".jpg', "", 1, 2),
        Frame(1234567, "frame_1234567.PNG", "12.345678"),
    ]
    frames.write(written, tmp_path / "frames.csv")

    assert frames.read(tmp_path / "frames.csv") == written


def test_an_index_is_plain_csv(tmp_path: Path) -> None:
    frames.write([Frame(3, "frame_000003.PNG", "0.120000", 64, 48, "ff")], tmp_path / "frames.csv")

    assert (tmp_path / "frames.csv").read_bytes() == (
        b"number,name,time,width,height,hash\n3,frame_000003.PNG,0.120000,64,48,ff\n"
    )


@pytest.mark.parametrize(
    "line",
    ["0,a.PNG,,64,48", "0,a.PNG,,64,48,,", "x,a.PNG,,64,48,", "0,a.PNG,,64,,", "0.0,a.PNG,,1,1,",
     "", "-1,a.PNG,,64,48,", "0,a.PNG,,6_4,48,", "0,,,64,48,"],
)  # fmt: skip
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = index(tmp_path, "0,frame_000000.PNG,,64,48,", line)

    with pytest.raises(StageError, match=r"frames\.csv:3: is no line of a frame index"):
        frames.read(path)


@pytest.mark.parametrize("name", ["../a.PNG", "/etc/a.PNG", "a/../../b.PNG", "a\x1b.PNG"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StageError, match=r"frames\.csv:2: "):
        frames.read(index(tmp_path, f"0,{name},,64,48,"))


@pytest.mark.parametrize("line", ["0,\xe9.PNG,,64,48,", f"0,{'x' * 200_000},,64,48,"])
def test_bytes_that_are_no_text_and_endless_fields_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(StageError, match=r"frames\.csv"):
        frames.read(index(tmp_path, line))


@pytest.mark.parametrize("text", ["a,b\n", HEADER.replace(",hash", ""), "\n", "<html>"])
def test_another_file_in_its_place_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "frames.csv").write_text(text)

    with pytest.raises(StageError, match=r"frames\.csv:1: is no frame index"):
        frames.read(tmp_path / "frames.csv")


@pytest.mark.parametrize(
    "name",
    ["sub/frame_000001.PNG", "sub/frame_000001.png", "sub/frame_000001", "SUB/Frame_000001.jpeg"],
)
def test_a_picture_is_found_whatever_the_extension_and_case(name: str) -> None:
    frame = Frame(1, "sub/frame_000001.PNG")
    pictures = Pictures([Frame(0, "frame_000001.PNG"), frame], Path("x"), complete=True)

    assert pictures.named(name) == frame


@pytest.mark.parametrize(
    "name", ["frame_000002.PNG", "sub/frame_000001.PNG", "frame_000001.v2.PNG"]
)
def test_another_picture_is_not_found(name: str) -> None:
    pictures = Pictures([Frame(1, "frame_000001.PNG")], Path("x"), complete=True)

    assert pictures.named(name) is None
    assert pictures.numbered(2) is None


@pytest.mark.parametrize("name", ["a.png", "A.jpg", "a"])
def test_two_pictures_of_one_name_are_refused(name: str) -> None:
    with pytest.raises(StageError, match="x: has two pictures called"):
        Pictures([Frame(0, "a.jpg"), Frame(1, name)], Path("x"), complete=True)


def test_frames_in_a_folder_have_the_numbers_of_their_names(tmp_path: Path) -> None:
    pictures = listed(tmp_path, "frame_000004.PNG", "frame_000010.PNG", "frame_1000000.PNG")

    assert [frame.number for frame in pictures] == [4, 10, 1000000]
    assert not pictures.complete
    assert len(pictures) == 3


def test_other_pictures_in_a_folder_are_counted_in_their_order(tmp_path: Path) -> None:
    pictures = listed(tmp_path, "sub/b.jpg", "a.jpg", "sub/車 一.png")

    assert numbers(pictures) == {"a.jpg": 0, "sub/b.jpg": 1, "sub/車 一.png": 2}


@pytest.mark.parametrize("stray", [".DS_Store", "Thumbs.db", "README.txt", ".nfs0001"])
def test_a_stray_file_is_no_picture_and_renumbers_nothing(tmp_path: Path, stray: str) -> None:
    pictures = listed(tmp_path, "frame_000004.PNG", "frame_000007.PNG", stray)

    assert numbers(pictures) == {"frame_000004.PNG": 4, "frame_000007.PNG": 7}


def test_pictures_of_several_folders_may_end_in_the_same_number(tmp_path: Path) -> None:
    pictures = listed(tmp_path, "north/img_000001.jpg", "south/img_000001.jpg")

    assert numbers(pictures) == {"north/img_000001.jpg": 0, "south/img_000001.jpg": 1}


def test_the_index_counts_and_not_the_folder(tmp_path: Path) -> None:
    index(tmp_path, "0,frame_000000.PNG,0.000000,64,48,ff")
    pictures = listed(tmp_path, "frame_000000.PNG", "frame_000001.PNG")

    assert list(pictures) == [Frame(0, "frame_000000.PNG", "0.000000", 64, 48, "ff")]
    assert pictures.complete


def test_without_index_and_pictures_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        StageError, match=r"neither frames\.csv nor JPEGImages .* run video-to-frame"
    ):
        frames.find_pictures(tmp_path)
