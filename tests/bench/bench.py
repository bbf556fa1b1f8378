"""`make bench`: how fast the stages are, against what one would use without them.

Each comparison runs ours and the rival's in turn, as whole processes, several times; the table has
the medians and the ratio of each pair's times. TMPDIR chooses the file system to work on.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import inputs

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "images"
RUNS = 5
PICTURES = 20_000
DATASETS = 5
MEGABYTES = 300
FEW = 2_000
"""Pictures for datumaro, which needs a tenth of a second for each few."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    ours: str
    rival: str
    ratio: str
    goal: str = ""


def main() -> None:
    """Print the table, and the machine that it was made on."""
    print(machine(), "\n")
    print("| what | ours | rival | ratio | goal |\n|---|---|---|---|---|")
    for measure in (prepared, packed, against_datumaro, video, merged):
        with tempfile.TemporaryDirectory() as folder:
            row = measure(Path(folder))
        print(f"| {row.what} | {row.ours} | {row.rival} | {row.ratio} | {row.goal} |", flush=True)


def machine() -> str:
    """Describe the machine in a line."""
    info = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
    model = next((line.partition(": ")[2] for line in info if line.startswith("model name")), "")
    count = len(os.sched_getaffinity(0))
    return f"{count} x {model or platform.machine()}, Linux, Python {platform.python_version()}"


def stage(folder: Path, name: str, *words: str) -> float:
    """Run a stage in folder and return its time in seconds."""
    code = f"import sys, {name.replace('-', '_')} as stage; sys.exit(stage.main(sys.argv[1:]))"
    path = os.pathsep.join(str(IMAGES / each) for each in ("base", "annotations", name))
    return timed(folder, [sys.executable, "-c", code, *words], PYTHONPATH=path)


def timed(folder: Path, command: Sequence[str], **env: str) -> float:
    """Run a command and return its time in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, **env}, check=True, capture_output=True)
    return time.perf_counter() - started


def compared(ours: Callable[[], float], rival: Callable[[], float]) -> tuple[str, str, str]:
    """Run both in turn; return the medians and the median of the ratios, after a warm-up."""
    ours(), rival()
    pairs = [(ours(), rival()) for _ in range(RUNS)]
    one, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratios = sorted(b / a for a, b in pairs)
    spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    return f"{one:.2f} s", f"{other:.2f} s", spread


def prepare(folder: Path, source: Path, destination: str) -> float:
    """Prepare the dataset data/movie of a folder, anew."""
    subprocess.run(["rm", "-rf", destination], cwd=folder, check=True)
    words = ["--parameters", "data/params.yaml", "--root", "data/movie", "--source", str(source)]
    return stage(folder, "prepare-annotations", *words, "--destination", destination)


def element_tree(folder: Path, source: Path, destination: str) -> float:
    """Filter the same export by the rival's method."""
    subprocess.run(["rm", "-rf", destination], cwd=folder, check=True)
    words = [str(HERE / "element_tree.py"), str(source), destination, *inputs.KEPT]
    return timed(folder, [sys.executable, *words])


def prepared(folder: Path) -> Row:
    """Filter a VOC export into a folder."""
    return filtered(folder, "data/movie/Annotations", "out", "folder", "4")


def packed(folder: Path) -> Row:
    """Filter a VOC export into a zip."""
    return filtered(folder, "data/movie/Annotations.zip", "out.zip", "zip", "5")


def filtered(folder: Path, ours: str, rivals: str, kind: str, goal: str) -> Row:
    """Compare the two ways to filter."""
    source = folder / "voc.zip"
    inputs.dataset(folder / "data/movie", PICTURES)
    inputs.voc(source, PICTURES)
    figures = compared(
        lambda: prepare(folder, source, ours), lambda: element_tree(folder, source, rivals)
    )
    return Row(f"{PICTURES:,} VOC files, zip to {kind}; ElementTree", *figures, f"≥ {goal}")


def against_datumaro(folder: Path) -> Row:
    """Read and write a VOC export as datumaro does."""
    source = folder / "voc.zip"
    inputs.dataset(folder / "data/movie", FEW)
    inputs.voc(source, FEW)
    words = [str(HERE / "with_datumaro.py"), str(source), *inputs.LABELS]
    figures = compared(
        lambda: prepare(folder, source, "data/movie/Annotations"),
        lambda: timed(folder, [os.environ["DATUMARO_PYTHON"], *words]),
    )
    return Row(f"{FEW:,} VOC files, zip to folder; datumaro", *figures)


def video(folder: Path) -> Row:
    """Read a large 'CVAT for video' document."""
    source = folder / "annotations.xml"
    count = inputs.video(source, MEGABYTES * 1_000_000)
    inputs.dataset(folder / "data/movie", count)
    size = source.stat().st_size / 1e6
    rates = [size / prepare(folder, source, "data/movie/Annotations") for _ in range(3)]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    what = f"'CVAT for video' of {size:.0f} MB, {count:,} frames, written as a folder"
    figure = f"{statistics.median(rates):.1f} MB/s, {peak:.2f} GB"
    return Row(what, figure, "", "", "≥ 15 MB/s in ≤ 1 GB")


def merge(folder: Path, sources: Sequence[str]) -> float:
    """Merge datasets, anew."""
    subprocess.run(["rm", "-rf", "data/merged"], cwd=folder, check=True)
    return stage(folder, "merge-annotations", *sources, "--destination", "data/merged/all")


def merged(folder: Path) -> Row:
    """Merge datasets, against making as many links."""
    names = [f"movie{n}" for n in range(DATASETS)]
    for name in names:
        root = folder / "data" / name
        inputs.dataset(root, PICTURES)
        inputs.voc(folder / "voc.zip", PICTURES)
        words = ["--parameters", "data/params.yaml", "--root", f"data/{name}"]
        stage(
            folder, "prepare-annotations", *words, "--source", "voc.zip", "--export-imagesets",
            "--destination", f"data/{name}/Annotations",
        )  # fmt: skip
        (root / "JPEGImages").mkdir()
        for place in range(PICTURES):
            (root / "JPEGImages" / f"frame_{place:06}.PNG").touch()
    sources = [word for name in names for word in ("--source", f"data/{name}")]
    figures = compared(
        lambda: merge(folder, sources),
        lambda: timed(folder, [sys.executable, str(HERE / "link.py"), *names]),
    )
    what = f"merging {DATASETS} x {PICTURES:,} pictures; a link for each picture and file"
    return Row(what, *figures)


if __name__ == "__main__":
    main()
