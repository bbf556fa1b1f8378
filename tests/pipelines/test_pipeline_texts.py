"""What dvc.yaml, pictures/dvc.yaml, params.yaml and .gitignore say of the same things."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage

from registries import Registry

Clone = Callable[[str], Registry]
Options = dict[str, list[str]]
Strings = set[str]


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml, its templates filled in."""

    name: str
    command: str
    image: str
    options: Options
    deps: Strings
    params: Strings
    outs: Strings
    uncached: Strings
    metrics: Strings


def stages(folder: Path) -> list[Stage]:
    """The stages of a registry, as DVC reads them."""
    settings = yaml.safe_load((folder / "images.yaml").read_text("utf-8"))
    names = {reference: name for name, reference in settings["images"].items()}
    with Repo(str(folder)) as repo:
        found = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
    made = []
    for stage in found:
        command = str(stage.cmd)
        assert command.startswith(settings["run"] + " "), f"{stage.name}: not by ${{run}}"
        reference, *words = shlex.split(command.removeprefix(settings["run"]))
        made.append(
            Stage(
                stage.name,
                command,
                names[reference],
                options(words),
                {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)},
                {key for dep in stage.params for key in dep.params},
                {out.def_path for out in stage.outs if not out.metric},
                {out.def_path for out in stage.outs if not out.use_cache},
                {out.def_path for out in stage.outs if out.metric and not out.use_cache},
            )
        )
    return made


def options(words: list[str]) -> Options:
    """The options of a command line with their values.

    >>> options(["--source", "a", "--source", "b", "--links-only"])
    {'--source': ['a', 'b'], '--links-only': []}
    """
    found: Options = {}
    for word in words:
        if word.startswith("--"):
            last = found.setdefault(word, [])
        else:
            last.append(word)
    return found


def video_to_frame_of(given: Options) -> tuple[Strings, Strings, Strings]:
    """What video-to-frame reads, writes and wants of params.yaml."""
    writes = {*given.pop("--index", []), *given.pop("--destination", [])}
    index = {"frames.format", "frames.max-pixels", "frames.max-count"}
    pictures = any(path.endswith("JPEGImages") for path in writes)
    return set(given.pop("--source")), writes, {"frames"} if pictures else index


def prepare_annotations_of(given: Options) -> tuple[Strings, Strings, Strings]:
    """What prepare-annotations reads, writes and wants of params.yaml."""
    (root,) = given.pop("--root")
    writes = {*given.pop("--destination"), *given.pop("--metrics", [])}
    if given.pop("--export-imagesets", None) is not None:
        writes |= {f"{root}/ImageSets", f"{root}/labelmap.txt"}
    params = {"annotations", f"datasets.{Path(root).name}"}
    return {f"{root}/frames.csv", *given.pop("--source")}, writes, params


def merge_annotations_of(given: Options) -> tuple[Strings, Strings, Strings]:
    """What merge-annotations reads, writes and wants of params.yaml; without what it compares."""
    given.pop("--against", None)
    sources, (to,) = given.pop("--source"), given.pop("--destination")
    pictures = {f"{source}/JPEGImages" for source in sources}
    if given.pop("--links-only", None) is not None:
        return {f"{to}/merge.csv", *pictures}, {f"{to}/JPEGImages"}, set()
    reads = {f"{one}/{name}" for one in sources for name in ("Annotations", "labelmap.txt")}
    writes = {f"{to}/{name}" for name in ("Annotations", "ImageSets", "labelmap.txt", "merge.csv")}
    if given.pop("--images", ["link"]) != ["none"]:
        reads, writes = reads | pictures, writes | {f"{to}/JPEGImages"}
    return reads, writes | set(given.pop("--metrics", [])), {"annotations.valid-labels"}


COMMANDS = {
    "video-to-frame": video_to_frame_of,
    "prepare-annotations": prepare_annotations_of,
    "merge-annotations": merge_annotations_of,
}


def compared(stage: Stage, found: list[Stage]) -> Strings:
    """What --against reads: the other splits, and the frame index of each dataset of all."""
    others = set(stage.options.get("--against", []))
    merges = [each for each in found if others and (each is stage or each.outs & others)]
    sources = {source for each in merges for source in each.options["--source"]}
    return others | {f"{source}/frames.csv" for source in sources}


def undeclared(stage: Stage, found: list[Stage]) -> Iterator[str]:
    """Where what a command does is not what DVC is told."""
    given = dict(stage.options)
    parameters = given.pop("--parameters", [])
    reads, writes, params = COMMANDS[stage.image](given)
    for what, does, told in (
        ("deps", reads | compared(stage, found), stage.deps),
        ("outs", writes, stage.outs | stage.metrics),
        ("params", params, stage.params),
        ("options", set(), set(given)),
        ("parameters", {"params.yaml"} if params else set(), set(parameters)),
        ("metrics", {path for path in writes if path.endswith(".json")}, stage.metrics),
    ):
        yield from (f"{stage.name}: {what}: {one}" for one in sorted(does ^ told))
    if re.search(r"[|;&<>\n`]", re.sub(r"\"[^\"]*\"|'[^']*'", "", stage.command)):
        yield f"{stage.name}: shell"


def unignored(found: list[Stage], registry: Registry) -> Iterator[str]:
    """The outputs that git would take, and the metrics that it would not."""
    outs = {out for stage in found for out in stage.outs}
    metrics = {out for stage in found for out in stage.metrics}
    paths = "\n".join(outs | metrics)
    ignored = registry.sh(f"echo {shlex.quote(paths)} | git check-ignore --no-index --stdin", False)
    yield from (f"git: {path}" for path in set(ignored.stdout.split()) ^ outs)


def problems(registry: Registry) -> set[str]:
    """Where the texts of a registry contradict each other."""
    found = stages(registry.folder)
    stored = {
        f"cache: {out}"
        for stage in found
        for out in stage.outs
        if (out in stage.uncached) is not out.endswith("/JPEGImages")
    }
    contradictions = (problem for stage in found for problem in undeclared(stage, found))
    return {*contradictions, *unignored(found, registry), *stored}


def test_the_texts_agree(clone: Clone) -> None:
    assert problems(clone("registry")) == set()


PIPELINES = ("dvc.yaml", "pictures/dvc.yaml")
METRICS = "      --metrics data/merged/training/metrics.json"
MERGE, LINK = "merge-annotations-training: ", "link-pictures-training: "
AGAINST = "merge-annotations-validation: "
FRAMES = "deps: data/movie{n}/frames.csv"
PREPARE, INDEX = "prepare-annotations@movie{n}: ", "index-frames@movie{n}: "


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("      - data/movie2/labelmap.txt\n", "", MERGE + "deps: data/movie2/labelmap.txt"),
        ("      - data/movie2/frames.csv\n", "", AGAINST + "deps: data/movie2/frames.csv"),
        ("      - data/movie2/JPEGImages\n", "", LINK + "deps: data/movie2/JPEGImages"),
        (
            f"      --images none\n{METRICS}",
            METRICS,
            f"{MERGE}deps: data/movie1/JPEGImages + {MERGE}deps: data/movie2/JPEGImages"
            f" + {MERGE}outs: data/merged/training/JPEGImages",
        ),
        (METRICS, f"{METRICS} || true", f"{MERGE}shell + {MERGE}outs: || + {MERGE}outs: true"),
        ("        - data/${key}/ImageSets\n", "", PREPARE + "outs: data/movie{n}/ImageSets"),
        ("        - datasets.${key}\n", "", PREPARE + "params: datasets.movie{n}"),
        ("        - data/${key}/frames.csv\n      outs", "      outs", PREPARE + FRAMES),
        ("        - frames.max-count\n", "", INDEX + "params: frames.max-count"),
        ("--index", "--only frames.txt --index", INDEX + "options: --only"),
        (
            "/JPEGImages:\n            cache: false\n\n  #",
            "/JPEGImages\n\n  #",
            "cache: data/movie{n}/JPEGImages",
        ),
    ],
)
def test_commands_that_dvc_is_not_told_of_show(
    clone: Clone, old: str, new: str, expected: str
) -> None:
    registry = clone("registry")
    (file,) = (path for path in PIPELINES if old in (registry / path).read_text("utf-8"))
    wrong = broken(registry, file, old, new)

    assert wrong == {one.format(n=n) for one in expected.split(" + ") for n in (1, 2, 3)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("/data/*/frames.csv\n", "", {f"git: data/movie{n}/frames.csv" for n in (1, 2, 3)}),
        (
            "/*/merge.csv",
            "",
            {f"git: data/merged/{split}/metrics.json" for split in ("training", "validation")},
        ),
    ],
)
def test_outputs_that_git_would_take_show(
    clone: Clone, old: str, new: str, expected: set[str]
) -> None:
    assert broken(clone("registry"), ".gitignore", old, new) == expected


def broken(registry: Registry, file: str, old: str, new: str) -> set[str]:
    """What shows when a text says something else."""
    text = (registry / file).read_text("utf-8")
    assert old in text
    (registry / file).write_text(text.replace(old, new), "utf-8")
    return problems(registry)


def test_a_stage_that_is_run_otherwise_shows(clone: Clone) -> None:
    registry = clone("registry")
    text = (registry / "dvc.yaml").read_text("utf-8")
    (registry / "dvc.yaml").write_text(text.replace("${run} ${images.", "docker run ${images.", 1))

    with pytest.raises(AssertionError, match="index-frames@movie1: not by"):
        stages(registry.folder)
