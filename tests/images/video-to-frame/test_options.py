"""Options: which frames, in which format, under which names; their numbers stay absolute."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from registries import picture
from stage import frames

Decode = Callable[[Path], Iterator[NDArray[np.uint8]]]
Run = Callable[..., tuple[int, str, str]]

CHOICES: dict[str, range] = {
    "": range(20),
    "--start 5": range(5, 20),
    "--stop 5": range(6),
    "--step 7": range(0, 20, 7),
    "--start 3 --stop 17 --step 4": range(3, 18, 4),
    "--start 3 --stop 15 --step 4": range(3, 16, 4),
    "--start 19": range(19, 20),
    "--start 8 --stop 8": range(8, 9),
    "--start 2 --step 100": range(2, 3),
    "--stop 999999999": range(20),
}
"""Options and the frames that they choose of 20, as CVAT numbers `start + step * n`."""


@pytest.mark.parametrize("options", CHOICES)
def test_chosen_frames_keep_their_numbers(
    options: str, movie: Path, tmp_path: Path, cvat: Decode, run: Run
) -> None:
    outputs = ("--destination", tmp_path / "J", "--index", tmp_path / "frames.csv")
    assert run("--source", movie, *outputs, *options.split())[0] == 0
    names = [f"frame_{number:06d}.PNG" for number in CHOICES[options]]
    shown = list(cvat(movie))

    assert sorted(path.name for path in (tmp_path / "J").iterdir()) == names
    for name, number in zip(names, CHOICES[options], strict=True):
        assert np.array_equal(picture(tmp_path / "J" / name), shown[number]), name
    assert [f.number for f in frames.read(tmp_path / "frames.csv")] == list(range(20))


@pytest.mark.parametrize("options", ["--start 20", "--start 9 --stop 8"])
def test_a_choice_of_no_frame_is_refused(
    options: str, movie: Path, tmp_path: Path, run: Run
) -> None:
    code, _, said = run("--source", movie, "--destination", tmp_path / "J", *options.split())

    assert code == 1
    assert "none of the frames from --start to --stop" in said
    assert [path.name for path in tmp_path.iterdir()] == ["movie.mkv"]


WRONG = (
    ["--step", "0"], ["--start", "-1"], ["--start", "1.5"], ["--stop", "x"], ["--stop", "٣"],
    ["--step", "1e3"], ["--start", ""], ["--format", "gif"], ["--format", "PNG"],
    *(["--prefix", p] for p in ("", ".", "..", ".x", "a/b", "/x", "../x", "a%06d", "%d", "a b",
                                "a\n", "é", "a\\b", "a:b", "a*")),
)  # fmt: skip


@pytest.mark.parametrize("options", WRONG, ids=lambda words: ascii("=".join(words)))
def test_wrong_options_are_not_understood(
    options: list[str],
    movie: Path,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        run("--source", movie, "--destination", tmp_path / "J", *options)

    assert end.value.code == 2
    assert options[0] in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["movie.mkv"]


def test_something_must_be_asked_for(
    movie: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run("--source", movie)

    assert end.value.code == 2
    assert "--destination, --index or both" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["cam-1_", "_", "2024.05.01-", "frame_"])
def test_names_start_with_the_prefix(prefix: str, movie: Path, tmp_path: Path, run: Run) -> None:
    outputs = ("--destination", tmp_path / "J", "--index", tmp_path / "frames.csv")
    assert run("--source", movie, *outputs, "--prefix", prefix)[0] == 0
    names = [f"{prefix}{number:06d}.PNG" for number in range(20)]

    assert sorted(path.name for path in (tmp_path / "J").iterdir()) == names
    assert [frame.name for frame in frames.read(tmp_path / "frames.csv")] == names


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("given", ["option", "parameter"])
def test_jpg_is_smaller_and_nearly_the_same(
    given: str, movie: Path, tmp_path: Path, run: Run
) -> None:
    words: tuple[str | Path, ...] = ("--format", "jpg")
    if given == "parameter":
        (tmp_path / "params.yaml").write_text("frames: {format: jpg}\n", "utf-8")
        words = ("--parameters", tmp_path / "params.yaml")
    run("--source", movie, "--destination", tmp_path / "png")
    outputs = ("--destination", tmp_path / "jpg", "--index", tmp_path / "frames.csv")
    assert run("--source", movie, *outputs, *words)[0] == 0
    names = [f"frame_{number:06d}.jpg" for number in range(20)]

    assert sorted(path.name for path in (tmp_path / "jpg").iterdir()) == names
    assert [frame.name for frame in frames.read(tmp_path / "frames.csv")] == names
    assert size(tmp_path / "jpg") < size(tmp_path / "png")
    for name in names:
        exact = picture(tmp_path / "png" / name.replace(".jpg", ".PNG")).astype(int)
        assert np.abs(exact - picture(tmp_path / "jpg" / name)).mean() < 6, name


def test_quality_is_a_parameter(movie: Path, tmp_path: Path, run: Run) -> None:
    parameters, sizes = tmp_path / "params.yaml", []
    for quality in (1, 2, 10, 31):
        parameters.write_text(f"frames: {{format: jpg, quality: {quality}}}\n", "utf-8")
        run("--source", movie, "--parameters", parameters, "--destination", tmp_path / "J")
        sizes.append(size(tmp_path / "J"))

    assert sizes == sorted(set(sizes), reverse=True)


def test_pictures_of_another_format_are_replaced(movie: Path, tmp_path: Path, run: Run) -> None:
    run("--source", movie, "--destination", tmp_path / "J")
    run("--source", movie, "--destination", tmp_path / "J", "--format", "jpg", "--step", "10")

    assert {path.name for path in (tmp_path / "J").iterdir()} == {
        "frame_000000.jpg",
        "frame_000010.jpg",
    }
