"""The stages of the splits: written into dvc.yaml and pictures/dvc.yaml from params.yaml.

They stand between two comment lines; the rest of both files is the user's. `dvc.yaml` has what is
stored, `pictures/dvc.yaml` the pictures, which each machine makes for itself.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from pipelines.datasets import params
from pipelines.datasets.params import Settings, Split
from pipelines.errors import PipelineError

PIPELINE = Path("dvc.yaml")
PICTURES = Path("pictures/dvc.yaml")

BEGIN = "  # The stages of the splits: `registry splits` writes these lines from params.yaml."
END = "  # The end of the stages of the splits."
COMMAND = "run `registry splits`"


class Merge(NamedTuple):
    """A split whose stages are written; others: the splits that it is compared with."""

    name: str
    split: Split
    others: tuple[tuple[str, Split], ...]


def write(folder: Path) -> list[str]:
    """Write the stages of the splits; return the paths of the files that were changed."""
    changed = {path: text for path, old, text in _texts(folder) if text != old}
    for path, text in changed.items():
        _replace(folder, path, text)
    return [str(path) for path in changed]


def check(folder: Path) -> None:
    """Refuse a dvc.yaml or pictures/dvc.yaml that does not say what params.yaml says."""
    for path, old, text in _texts(folder):
        if text != old:
            raise PipelineError(f"{path}: does not have the splits of params.yaml; {COMMAND}")


def _texts(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield the path of each file, its text, and the text that it should have."""
    settings = params.parse(_read(folder, Path("params.yaml")))
    written = settings.splits is not None
    for path, lines in (PIPELINE, _merge_lines), (PICTURES, _link_lines):
        if not written and not (folder / path).exists():
            continue  # stages that were written by hand
        old = _read(folder, path)
        if written or BEGIN in old:
            yield path, old, _insert(old, _block(settings, lines), path)


def _block(settings: Settings, lines: Callable[[Merge, Settings], Iterator[str]]) -> list[str]:
    """Return the lines of all splits, with the comments around them."""
    stages = [["", *lines(merge, settings)] for merge in merges(settings.splits or {})]
    return [BEGIN, *[line for stage in stages for line in stage], "", END]


def _insert(text: str, block: list[str], path: Path) -> str:
    """Return text with the block in the place of the old one, or at its end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    if BEGIN not in lines and END not in lines:
        before, after = [*lines, ""], list[str]()
    elif lines.count(BEGIN) == lines.count(END) == 1 and lines.index(BEGIN) < lines.index(END):
        before, after = lines[: lines.index(BEGIN)], lines[lines.index(END) + 1 :]
    else:
        wanted = f"{BEGIN.strip()!r} and, below it, {END.strip()!r}"
        raise PipelineError(f"{path}: must have one line {wanted}; restore it from git")
    stages = {line for line in block if line.startswith("  ") and line[2] not in " #"}
    for line in sorted(stages & {*before, *after}):
        text = f"the stage {line.strip(' :')} stands outside the lines of the splits, too"
        raise PipelineError(f"{path}: {text}; delete it there, then {COMMAND}")
    return newline.join([*before, *block, *after, ""])


def merges(splits: dict[str, Split]) -> list[Merge]:
    """Return the splits that have datasets, each with the earlier ones it must be apart from."""
    used = {name: split for name, split in splits.items() if split.parts}
    apart = {
        (first, second)
        for first, second in combinations(used, 2)
        if _are_apart(first, used[first], second, used[second])
    }
    return [
        Merge(
            name,
            split,
            tuple((other, used[other]) for other in used if (other, name) in apart),
        )
        for name, split in used.items()
    ]


def _are_apart(one: str, first: Split, other: str, second: Split) -> bool:
    """Tell whether two splits must not share pictures; what is written counts, not the default."""
    said = [
        name in split.apart_from
        for name, split in ((other, first), (one, second))
        if split.apart_from is not None
    ]
    return any(said) or not said


def name_stages(split: str) -> tuple[str, str]:
    """Return the names of a split's stages: that of dvc.yaml, and that of pictures/dvc.yaml."""
    return f"merge-annotations-{split}", f"link-pictures-{split}"


def _merge_lines(merge: Merge, settings: Settings) -> Iterator[str]:
    """Yield the lines of the stage that merges a split's annotations."""
    destination = f"data/merged/{merge.name}"
    yield from _command(
        name_stages(merge.name)[0],
        "--parameters params.yaml",
        *_sources(merge.split),
        f"--destination {destination}",
        *(f"--against data/merged/{name}/merge.csv" for name, _ in merge.others),
        "--images none",
        f"--metrics {destination}/metrics.json",
    )
    yield "    params:"
    yield "      - annotations.valid-labels"
    yield from (f"      - datasets.{name}.annotations.valid-labels" for name in settings.relabelled)
    yield from _list("deps", _merge_deps(merge))
    made = ("Annotations", "ImageSets", "labelmap.txt", "merge.csv")
    yield from _list("outs", (f"{destination}/{name}" for name in made))
    yield from _list("metrics", [f"{destination}/metrics.json:\n          cache: false"])


def _merge_deps(merge: Merge) -> Iterator[str]:
    """Yield what the stage reads: `--against` and ranges need the frames, too."""
    for name in merge.split.datasets:
        yield f"data/{name}/${{annotations.destination}}"
        yield f"data/{name}/labelmap.txt"
    yield from (f"data/merged/{name}/merge.csv" for name, _ in merge.others)
    compared = [merge.split, *(split for _, split in merge.others)] if merge.others else []
    indexed = [name for split in compared for name in split.datasets]
    indexed += [name for name, range_ in merge.split.parts if range_]
    yield from (f"data/{name}/frames.csv" for name in dict.fromkeys(indexed))


def _link_lines(merge: Merge, _: Settings) -> Iterator[str]:
    """Yield the lines of the stage that links a split's pictures."""
    destination = f"data/merged/{merge.name}"
    name = name_stages(merge.name)[1]
    sources = _sources(merge.split)
    yield from _command(name, "--links-only", *sources, f"--destination {destination}", wdir=True)
    pictures = (f"data/{name}/JPEGImages" for name in merge.split.datasets)
    yield from _list("deps", [f"{destination}/merge.csv", *pictures])
    yield from _list("outs", [f"{destination}/JPEGImages:\n          cache: false"])


def _sources(split: Split) -> list[str]:
    """Return the options that name what is merged; a range of frames must be quoted."""
    quotes = {False: "", True: "'"}
    return [
        f"--source {quotes[bool(range_)]}data/{name}{range_}{quotes[bool(range_)]}"
        for name, range_ in split.parts
    ]


def _command(name: str, *options: str, wdir: bool = False) -> Iterator[str]:
    yield f"  {name}:"
    if wdir:
        yield "    wdir: .."
    yield "    cmd: >-"
    yield "      ${run} ${images.merge-annotations}"
    yield from (f"      {option}" for option in options)


def _list(key: str, entries: Iterable[str]) -> Iterator[str]:
    yield f"    {key}:"
    for entry in entries:
        yield from f"      - {entry}".split("\n")


def _read(folder: Path, path: Path) -> str:
    try:
        return (folder / path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise PipelineError(f"{path}: is not here; restore it from git") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path}: cannot be read: {error}") from None


def _replace(folder: Path, path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    aside = folder / path.with_name(f".partial-{path.name}")
    try:
        aside.write_bytes(text.encode("utf-8"))
        aside.replace(folder / path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise PipelineError(f"{path}: cannot be written: {error.strerror}") from None
