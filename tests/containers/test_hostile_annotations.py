"""What nobody should trust, given to prepare-annotations in its container: every hostile export
and parameter file is refused on one line, or read as plain data; nothing leaks."""

import hashlib
import json
import re
import shlex
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest

from hostile import expected, files
from hostile.exports import CANARY, CANARY_PATH
from hostile.files import HostileFile
from registries import Registry

SECONDS = 10
MEBIBYTES = 512
LINE = (
    "prepare-annotations --parameters params.yaml --root data/movie1 --source data/movie1/{source} "
    "--destination data/movie1/Annotations --export-imagesets --metrics data/movie1/metrics.json"
)
OUTPUTS = ("Annotations", "ImageSets", "labelmap.txt", "metrics.json")
ANNOTATIONS = "my régistry/data/movie1/Annotations"
GOOD = "z00_good.zip"
EARLIER = """<annotations><meta><task><mode>interpolation</mode></task></meta>
<track id="0" label="Bicycle">
<box frame="3" outside="0" occluded="0" keyframe="1" xtl="2" ytl="3" xbr="20" ybr="30"/>
<box frame="4" outside="0" occluded="0" keyframe="1" xtl="4" ytl="3" xbr="22" ybr="30"/>
</track></annotations>
"""
"""The export that the outputs of the earlier run are of; no hostile file gives the same."""

BARE = {
    "v01_filename_traversal.xml": ": is one picture's file, not an export of CVAT",
    "v11_xxe.xml": ":1: DOCTYPE is not allowed",
    "v14_namespaced.xml": ": has the root .*annotation>, not <annotations>",
}
PACKED = {
    Path(name).with_suffix(".zip").name: f"/Annotations/frame_000000.xml{text}"
    for name, text in expected.PICTURES.items()
}
"""Files of one picture each: in a zip of VOC made here, where they are read; as they are they are
no exports, so that one of each kind is enough."""

STAGE = {
    "x59_original_size_zero.xml": ": frame_000000.PNG is 0x48, but the movie's frames are 64x48",
    "y12_no_labels.yaml": ":3: annotations.valid-labels: is empty",
}
"""What only the stage as a whole refuses, or for another reason than the readers in it."""

REFUSED = {
    **expected.EXPORTS,
    **expected.ARCHIVES,
    **expected.CONTENTS,
    **expected.PARAMETERS,
    **BARE,
    **PACKED,
    **STAGE,
}

Box = tuple[str, str, tuple[float, ...]]
CAR: Box = ("frame_000000", "Car", (1, 1, 9, 9))
ACCEPTED: dict[str, tuple[list[Box], dict[str, int]]] = {
    **{name: ([CAR], {}) for name in expected.GOOD_ARCHIVES},
    **{
        name: ([CAR] * count, {})
        for name, count in expected.ODD_EXPORTS.items()
        if name not in STAGE
    },
    "x40_box_negative.xml": ([], {"box outside the picture": 1}),
    "x40_box_outside_image.xml": ([("frame_000000", "Car", (60, 40, 64, 48))], {}),
    "x40_box_zero_area.xml": ([], {"box without area": 1}),
    "x66_label_lookalike.xml": (
        [],
        {"label \u0421ar": 1, "label Car ": 1, "label car": 1, "label Cafe\u0301": 1},
    ),
    "x68_all_labels_unknown.xml": ([], {"label Zeppelin": 1}),
    "y00_good.yaml": ([CAR], {}),
}
"""Boxes that come out, and the objects that were dropped; no label's twin may pass for it."""

PARTS: dict[str, tuple[int, str, str, dict[int, str]]] = {
    "x62_image_name_traversal.xml": (
        11,
        "image",
        ".* is no picture's name",
        {8: "without picture", 9: "without picture"},
    ),
    "x63_label_traversal.xml": (3, "track", "the label .* is a path", {2: "label a/b"}),
    "x64_label_injection.xml": (
        7,
        "track",
        ".* is no label",
        {
            0: "label =HYPERLINK(1)",
            1: "label $(touch pwned)",
            3: "label ::set-output name=x::y",
            4: "label {{ 7*7 }}",
        },
    ),
}
"""Files of several attacks, of which the first hides the others: how many, the element that each
is in, how it is refused, and which are plain data that is dropped and counted so."""

Seen = dict[str, tuple[object, ...]]


def options(folder: Path) -> str:
    """The limits, and the secret where an entity that is resolved would find it."""
    return (
        f"--memory {MEBIBYTES}m --memory-swap {MEBIBYTES}m --entrypoint sleep --detach "
        f"--mount type=bind,source={folder}/canary.txt,target={CANARY_PATH},readonly"
    )


@dataclass(frozen=True)
class Held(Registry):
    """A registry that a container of the stage sees as dvc.yaml lets it; it runs what it is told.

    All tests have the same one: to start a container takes twice as long as what runs in it.
    """

    container: str


def run(registry: Held, line: str, seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command in the stage's container, within the limits.

    The time is taken in the container: it is the stage's own, however busy the engine is.
    """
    limited = f"timeout --kill-after=1 {seconds} {line}"
    return registry.sh(f"docker exec {registry.container} {limited}", check=False)


@pytest.fixture(scope="module")
def held(
    tmp_path_factory: pytest.TempPathFactory, hostile_file: HostileFile, engine: docker.DockerClient
) -> Iterator[Held]:
    """A registry, in it the outputs of an earlier run, and the secret all over."""
    folder = tmp_path_factory.mktemp("hostile")
    registry = Registry(folder / "my régistry")
    root = registry / "data/movie1"
    root.mkdir(parents=True)
    shutil.copy(hostile_file("y00_good.yaml"), registry / "params.yaml")
    lines = (f"{n},frame_{n:06}.PNG,,64,48,\n" for n in range(10))
    (root / "frames.csv").write_text("number,name,time,width,height,hash\n" + "".join(lines))
    (root / "earlier.xml").write_text(EARLIER)
    for path in (folder, registry.folder, registry / "data", root):
        (path / "canary.txt").write_text(CANARY)
    started = registry.run("prepare-annotations", "infinity", options=options(folder))
    held = Held(registry.folder, started.stdout.strip())
    try:
        done = run(held, LINE.format(source="earlier.xml"))
        assert done.returncode == 0, done.stderr
        shutil.copytree(root, registry / "data/movie2")
        yield held
    finally:
        engine.containers.get(held.container).remove(force=True)


@pytest.fixture(scope="module")
def template(held: Held, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the registry has before each test."""
    return shutil.copytree(held.folder, tmp_path_factory.mktemp("template") / "registry")


@pytest.fixture
def registry(held: Held, template: Path) -> Held:
    """The registry, as it was in the beginning; what the container has mounted is not replaced."""
    for path in (held / "data").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(template / "data", held / "data", dirs_exist_ok=True)
    (held / "params.yaml").write_bytes((template / "params.yaml").read_bytes())
    return held


def put(registry: Held, hostile_file: HostileFile, name: str) -> tuple[str, str]:
    """Put a hostile file where it is read; return the export and what a refusal names."""
    root = registry / "data/movie1"
    if name.endswith(".yaml"):
        shutil.copyfile(hostile_file(name), registry / "params.yaml")
        shutil.copy(hostile_file(GOOD), root)
        return GOOD, "params.yaml"
    if name in PACKED:
        with zipfile.ZipFile(root / name, "w") as zipped:
            original = hostile_file(Path(name).with_suffix(".xml").name)
            zipped.write(original, "Annotations/frame_000000.xml")
    else:
        shutil.copy(hostile_file(name), root)
    return name, f"data/movie1/{name}"


def snapshot(folder: Path) -> Seen:
    """What there is below a folder: kind, mode, owner, content and time of writing; of folders no
    time, as a stage makes its outputs beside where they go and has to clear that away."""
    return {str(path.relative_to(folder)): _seen(path) for path in folder.rglob("*")}


def _seen(path: Path) -> tuple[object, ...]:
    status, content = path.lstat(), ""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    time = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    return status.st_mode, status.st_uid, status.st_gid, time, content


def others(seen: Seen) -> Seen:
    """What is none of the stage's outputs."""
    roots = tuple(f"my régistry/data/movie1/{name}" for name in OUTPUTS)
    return {
        name: values
        for name, values in seen.items()
        if not any(name == root or name.startswith(f"{root}/") for root in roots)
    }


def leaks(folder: Path, said: str) -> set[str]:
    """Where the secret is besides the files that were made to hold it."""
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name != "canary.txt" and path.is_file() and CANARY.encode() in path.read_bytes()
    }
    return found | ({"output"} if CANARY in said else set())


def is_refusal(done: subprocess.CompletedProcess[str], start: str, text: str) -> bool:
    """Tell whether a run ended as a refusal does: one line, that names the file and the reason."""
    return (
        (done.returncode, done.stdout) == (1, "")
        and re.match(f"error: {re.escape(start)}{text}", done.stderr) is not None
        and done.stderr.endswith("\n")
        and done.stderr[:-1].isprintable()
        and "Traceback" not in done.stderr
        and len(done.stderr) < 1000
    )


def is_done(done: subprocess.CompletedProcess[str], start: str) -> bool:
    """Tell whether a run ended well, with nothing but warnings of the file on stderr."""
    return (
        done.returncode == 0
        and all(line.isprintable() for line in done.stdout.split("\n"))
        and all(line.startswith(f"warning: {start}: ") for line in done.stderr.splitlines())
        and all(line.isprintable() for line in done.stderr.split("\n"))
        and "Traceback" not in done.stdout + done.stderr
    )


def check_refused(registry: Held, source: str, start: str, text: str) -> None:
    """Run the stage on an export: refused, and nothing at all has changed."""
    before = snapshot(registry.folder.parent)
    done = run(registry, LINE.format(source=source))

    assert is_refusal(done, start, text), (done.returncode, done.stdout, done.stderr)
    assert snapshot(registry.folder.parent) == before
    assert not leaks(registry.folder.parent, done.stdout + done.stderr)


def check_accepted(registry: Held, source: str, boxes: list[Box], dropped: dict[str, int]) -> None:
    """Run the stage on an export: these boxes come out, and nothing else has changed."""
    before = snapshot(registry.folder.parent)
    done = run(registry, LINE.format(source=source))
    after = snapshot(registry.folder.parent)
    root = registry / "data/movie1"
    metrics = json.loads((root / "metrics.json").read_text("utf-8"))
    del metrics["labels"]
    metrics["dropped"].pop("picture without objects", None)

    assert is_done(done, f"data/movie1/{source}"), (done.returncode, done.stdout, done.stderr)
    assert others(after) == others(before)
    assert not leaks(registry.folder.parent, done.stdout + done.stderr)
    assert made(root) == boxes
    assert metrics == {
        "pictures": len({picture for picture, *_ in boxes}),
        "objects": len(boxes),
        "dropped": dropped,
    }
    assert (root / "ImageSets/Main/default.txt").read_text().split() == [box[0] for box in boxes]
    assert after.keys() - before.keys() <= {f"{ANNOTATIONS}/{box[0]}.xml" for box in boxes}


def made(root: Path) -> list[Box]:
    """Read the boxes of a dataset; it has nothing else."""
    return [
        (
            path.stem,
            each.findtext("name", ""),
            tuple(float(e.text or "") for e in each.iterfind("bndbox/*")),
        )
        for path in sorted((root / "Annotations").iterdir())
        for each in ElementTree.parse(path).iter("object")
    ]


def test_every_hostile_file_is_looked_at() -> None:
    names = {name for kind in ("xml", "zip", "yaml") for name in files.KINDS[kind]}

    assert names == (REFUSED.keys() | ACCEPTED.keys() | expected.PICTURES.keys()) - PACKED.keys()
    assert not REFUSED.keys() & ACCEPTED.keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_is_refused_on_one_line_and_changes_nothing(
    registry: Held, hostile_file: HostileFile, name: str
) -> None:
    source, start = put(registry, hostile_file, name)

    check_refused(registry, source, start, REFUSED[name])


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_it_is_read_as_plain_data(registry: Held, hostile_file: HostileFile, name: str) -> None:
    source, _ = put(registry, hostile_file, name)

    check_accepted(registry, source, *ACCEPTED[name])


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, (count, *_) in PARTS.items() for number in range(count)],
)
def test_each_of_several_attacks_is_met_alone(
    registry: Held, hostile_file: HostileFile, name: str, number: int
) -> None:
    count, element, text, dropped = PARTS[name]
    content = hostile_file(name).read_text("utf-8")
    parts = re.findall(rf"<{element} .*?</{element}>", content, re.DOTALL)
    alone = f"{content.partition(parts[0])[0]}{parts[number]}</annotations>"
    (registry / "data/movie1" / name).write_text(alone, "utf-8")

    assert len(parts) == count
    if number in dropped:
        check_accepted(registry, name, [], {dropped[number]: 1})
    else:
        check_refused(registry, name, f"data/movie1/{name}", f":[0-9]+: {text}")


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        (f"python3 -c \"b'x' * ({MEBIBYTES} << 20)\"", SECONDS, 137),
        (f"python3 -c \"b'x' * ({MEBIBYTES // 2} << 20)\"", SECONDS, 0),
        ("sleep 9", 1, 124),
    ],
)
def test_what_needs_too_much_memory_or_time_is_ended(
    registry: Held, command: str, seconds: int, code: int
) -> None:
    """The limits here are in force though images.yaml has a wider one before them."""
    assert run(registry, command, seconds).returncode == code


def test_a_stage_that_follows_names_would_show(registry: Held) -> None:
    """The broken variant: what is in the container could give the secret away, and change data."""
    before = snapshot(registry.folder.parent)
    words = f"cat {CANARY_PATH}; cp {CANARY_PATH} data/movie1/Annotations/frame_000003.xml; exit 1"
    done = run(registry, f"sh -c {shlex.quote(words)}")
    after = snapshot(registry.folder.parent)

    assert done.returncode == 1
    assert not is_refusal(done, "", "")
    assert leaks(registry.folder.parent, done.stdout) == {
        "output",
        f"{ANNOTATIONS}/frame_000003.xml",
    }
    assert {name for name in before if before[name] != after[name]} == {
        f"{ANNOTATIONS}/frame_000003.xml"
    }


def _same_again(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def _linked(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


MEDDLING: dict[str, Callable[[Path], object]] = {
    "other content": lambda path: path.write_text("changed"),
    "the same content, written again": _same_again,
    "a file more": lambda path: path.with_name("pwned").touch(),
    "a folder more": lambda path: path.with_name(".partial-1").mkdir(),
    "a file less": lambda path: path.unlink(),
    "another mode": lambda path: path.chmod(0o600),
    "a second name": lambda path: path.with_name("pwned").hardlink_to(path),
    "a link in its place": _linked,
}


@pytest.mark.parametrize("where", ["movie1/Annotations/frame_000003.xml", "movie2/frames.csv"])
@pytest.mark.parametrize("how", MEDDLING)
def test_a_change_would_show(registry: Held, how: str, where: str) -> None:
    """The broken variant of 'nothing has changed'; what is no output may never change."""
    before = snapshot(registry.folder.parent)
    MEDDLING[how](registry / "data" / where)
    after = snapshot(registry.folder.parent)

    assert after != before
    assert (others(after) == others(before)) is where.startswith("movie1")


@pytest.mark.parametrize(
    ("code", "stdout", "stderr"),
    [
        (1, "", "Traceback (most recent call last):\n"),
        (1, "", "error: data/a.xml: is bad\nTraceback (most recent call last):\n"),
        (1, "", "error: data/a.xml: is bad"),
        (1, "", "error: data/a.xml: is \x1b[31mbad\n"),
        (1, "", "error: data/b.xml: is bad\n"),
        (1, "", "error: data/a.xml: is good\n"),
        (1, "", ""),
        (1, "pictures", "error: data/a.xml: is bad\n"),
        (0, "", "error: data/a.xml: is bad\n"),
        (124, "", "error: data/a.xml: is bad\n"),
        (137, "", ""),
    ],
)
def test_another_end_is_no_refusal(code: int, stdout: str, stderr: str) -> None:
    right = subprocess.CompletedProcess("", 1, "", "error: data/a.xml: is bad\n")
    wrong = subprocess.CompletedProcess("", code, stdout, stderr)

    assert is_refusal(right, "data/a.xml", ": is bad")
    assert not is_refusal(wrong, "data/a.xml", ": is bad")
