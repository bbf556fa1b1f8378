"""What is published of an honest branch: its export to the last byte, and nothing beside it."""

import json
import re
import time
from pathlib import Path

import pytest

from publishing.worlds import EXPORT, World, errors, with_less_of_a_car
from services.cvat import ATTRIBUTES, POINTER
from services.gitserver import git

MADE = {"dvc.lock", "data/movie2/metrics.json", "data/merged/training/metrics.json"}
"""What a publish of movie2 writes beside its export."""

ZIP = "data/movie3/annotations.zip"
"""The export of movie3, which is in DVC."""

ON_PUSH = """while read -r old new ref; do
  [ "$ref" = refs/heads/trunk ] || continue
  env -u GIT_QUARANTINE_PATH git update-ref {}
done"""
"""A hook: while a publish pushes, CVAT does something to its branch."""


def with_less_of_a_pedestrian(text: str) -> str:
    """Remove a box of a track that lies far from the car's."""
    start = text.index('label="Pedestrian"')
    begin = text.index("    <box", start)
    end = text.index("</box>\n", begin) + len("</box>\n")
    return text[:begin] + text[end:]


def with_few_tracks(text: str) -> str:
    """Remove all tracks but three."""
    for track in re.findall(r"  <track.*?</track>\n", text, flags=re.S)[3:]:
        text = text.replace(track, "")
    return text


def emptied(text: str) -> str:
    """Remove all tracks."""
    return re.sub(r"  <track.*?</track>\n", "", text, flags=re.S)


def is_the_branchs(world: World, tip: str, base: str) -> None:
    """Find in the default branch the export that CVAT wrote, and all else as it was."""
    blobs = [world.bare.git("rev-parse", f"{commit}:{EXPORT}") for commit in (world.head, tip)]
    assert blobs[0] == blobs[1], "nobody wrote this export"
    changed = world.bare.git("diff-tree", "-r", "--name-only", base, world.head).splitlines()
    assert {*changed} <= {*MADE, EXPORT}


def is_merged(world: World, tip: str) -> None:
    """Find what CVAT looks at before it calls a task merged."""
    world.bare.git("merge-base", "--is-ancestor", tip, world.head)


def forked(world: World) -> tuple[str, str]:
    """Let the default branch and a branch of CVAT change other tracks of one export.

    Return the commits of both.
    """
    branch = world.sync(world.export(with_less_of_a_car))
    base = world.commit("a change", **{EXPORT: world.export(with_less_of_a_pedestrian)})
    return base, world.bare.refs()[f"refs/heads/{branch}"]


def test_the_export_of_the_branch_is_published_whole_though_the_default_branch_changed_it(
    world: World,
) -> None:
    """And an older content is a content; a branch that moves meanwhile is taken the next time."""
    first = world.export()
    base, tip = forked(world)
    with pytest.raises(AssertionError):
        is_merged(world, tip)
    world.publish()
    is_the_branchs(world, tip, base)
    is_merged(world, tip)
    assert world.file(EXPORT) == with_less_of_a_car(first.decode()).encode()

    branch = world.sync(with_less_of_a_pedestrian(first.decode()).encode())
    later = world.bare.refs()[f"refs/heads/{branch}"]
    world.sync(first)
    back, base = world.bare.refs()[f"refs/heads/{branch}"], world.head
    world.bare.hook("pre-receive", ON_PUSH.format(f"refs/heads/{branch} {later}"))
    world.publish()
    assert world.bare.refs()[f"refs/heads/{branch}"] == later
    is_the_branchs(world, back, base)
    assert world.file(EXPORT) == first

    base = world.head
    world.bare.hook("pre-receive", ON_PUSH.format(f"-d refs/heads/{branch}"))
    world.publish()
    assert f"refs/heads/{branch}" not in world.bare.refs()
    is_the_branchs(world, later, base)
    is_merged(world, later)
    world.bare.hook("pre-receive", "")
    base = world.head
    assert world.publish().stdout == "default branch: nothing to do\n"
    assert world.head == base
    world.whole()


def test_a_merge_that_goes_by_hunks_would_be_found(world: World) -> None:
    attempt = world.clone / "pipelines/publishing/attempt.py"
    text = attempt.read_text()
    put, blob = 'here("read-tree", "--reset", "-u", wanted)', "= work.plan.change.blob\n"
    assert put in text
    assert text.count(blob) == 1
    text = text.replace(put, 'wanted = here("write-tree")')
    ours = "= git.blob((work.folder / work.plan.change.path).read_bytes())\n"
    attempt.write_text(text.replace(blob, ours))
    base, tip = forked(world)

    world.publish()

    with pytest.raises(AssertionError, match="nobody wrote"):
        is_the_branchs(world, tip, base)


def test_a_loss_of_objects_is_published_only_if_somebody_says_that_it_is_meant(
    world: World,
) -> None:
    world.sync(world.export(with_few_tracks))
    before, blobs = world.head, world.container.blobs()

    said = world.publish(code=1).stderr

    (line,) = errors(said)
    drop = r"error: cvat_12_main_street: data/movie2/metrics.json: would drop \d+% of its "
    rest = r"(pictures|objects) \(\d+ -> \d+, limit 20%\); .*--max-drop 1"
    assert re.fullmatch(drop + rest, line)
    assert (world.head, world.container.blobs()) == (before, blobs)

    assert "published as " in world.publish("--max-drop 1").stdout
    assert world.file(EXPORT).count(b"<track") == 3

    params = world.file("params.yaml") + b"\npublish:\n  max-drop: 1\n"
    world.commit("a change", **{"params.yaml": params})
    world.sync(world.export(emptied))
    assert "published as " in world.publish().stdout
    assert json.loads(world.file("data/movie2/metrics.json"))["objects"] == 0
    world.whole()


def of_task_31(world: World, **files: bytes) -> str:
    """Let movie3 be of a task, too, and push a branch of it; git there ignores its export."""
    params = world.file("params.yaml").decode()
    export = "    export: data/movie3/annotations.zip\n"
    assert export in params
    params = params.replace(export, f"{export}    cvat-task: 31\n")
    world.commit("a change", **{"params.yaml": params.encode()})
    there = world.folder / "cvat 31"
    git(world.folder, "clone", "-q", world.bare.file_url, str(there))
    for path, content in files.items():
        (there / path).write_bytes(content)
    git(there, "add", "-f", *files)
    git(there, "commit", "-q", "-m", "CVAT Annotation updated by annotator.")
    git(there, "push", "-q", "origin", "HEAD:refs/heads/cvat_31_zip")
    return "cvat_31_zip"


def test_what_is_refused_of_one_task_does_not_stop_another_and_the_newer_of_two_wins(
    world: World,
) -> None:
    pointer = POINTER.format("0" * 64, 5).encode()
    of_task_31(world, **{".gitattributes": ATTRIBUTES.encode(), ZIP: pointer})
    world.sync(world.export(with_less_of_a_pedestrian), "an older name")
    time.sleep(1.1)  # commits have whole seconds
    branch = world.sync(name="a newer name")
    tip = world.bare.refs()[f"refs/heads/{branch}"]
    base = world.head

    said = world.publish(code=1)

    assert errors(said.stderr) == [
        "error: cvat_12_an_older_name: cvat_12_a_newer_name is newer and of the same task; "
        "delete the older one",
        "error: cvat_31_zip: .gitattributes is not task 31's to change; "
        "switch off `Use LFS` in the task's dataset repository settings in CVAT",
    ]
    assert said.stdout.startswith(f"{branch}: published as ")
    is_the_branchs(world, tip, base)
    assert world.bare.git("log", "-1", "--format=%P", world.head).split() == [base, tip]


def test_an_export_that_is_in_dvc_is_not_brought_to_git_beside_it(world: World) -> None:
    branch = of_task_31(world, **{ZIP: b"PK"})

    said = world.pipelines(f"check {branch}", 1).stderr

    assert errors(said)[0].startswith(f"error: {branch}: {ZIP} is kept in DVC")


def all_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder, but git's own: their content."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if ".git" not in p.parts}


def a_label_less(text: str) -> str:
    """Take a label out of params.yaml."""
    assert "    - Bicycle\n" in text
    return text.replace("    - Bicycle\n", "")


def test_status_says_what_would_be_done_and_publish_does_it_without_a_branch(
    world: World,
) -> None:
    branch = world.sync()
    world.commit(
        "a change", **{"params.yaml": a_label_less(world.file("params.yaml").decode()).encode()}
    )
    before = world.head, world.bare.refs(), world.container.blobs(), all_of(world.clone.folder)

    said = world.pipelines("status").stdout

    after = world.head, world.bare.refs(), world.container.blobs(), all_of(world.clone.folder)
    assert after == before
    assert git(world.clone.folder, "status", "--porcelain", "--ignored") == ""
    assert [*(world.clone / ".git/data-registry").rglob("cache")] == []
    lines = said.splitlines()
    assert lines[0] == f"{branch}: waits"
    assert "  prepare-annotations@movie2: would run: changed deps: params.yaml" in said
    assert "  merge-annotations-training: would run: changed deps: params.yaml" in lines
    assert not [line for line in lines if "index-frames" in line]
    assert "lacks" not in said

    world.bare.git("update-ref", "-d", f"refs/heads/{branch}")
    params = world.file("params.yaml")
    base = world.head
    said = world.publish("--max-drop 1").stdout

    assert said.startswith("default branch: published as ")
    assert re.search(r"movie2: Bicycle \d+ -> 0\n", said)
    assert world.file("params.yaml") == params
    assert world.bare.git("log", "-1", "--format=%P", world.head) == base
    assert world.bare.git("log", "-1", "--format=%s", world.head) == "Publish what changed"
    world.whole()


def test_a_branch_that_becomes_a_folder_of_branches_stops_nobody(world: World) -> None:
    tip = world.bare.refs()[f"refs/heads/{world.branch}"]
    world.bare.git("update-ref", "refs/heads/cvat_77_x", tip)
    assert world.publish().stdout == "default branch: nothing to do\n"
    world.bare.git("update-ref", "-d", "refs/heads/cvat_77_x")
    world.bare.git("update-ref", "refs/heads/cvat_77_x/y", tip)
    branch = world.sync()

    assert f"{branch}: published as" in world.publish().stdout
    world.whole()
