"""Branches of an attacker who holds CVAT's key: none gets anything but an export published."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from publishing.conftest import Published, made
from publishing.worlds import EXPORT, World, errors, with_less_of_a_car
from services import cvat
from services.folder_store import FolderStore
from services.gitserver import GitServer, git

OTHER = "data/movie3/annotations.xml"
PATHS = {
    "data/movie1/annotations.xml": EXPORT,
    "data/movie2/annotations.xml": OTHER,
}
"""Where the annotations of the hostile branches lie in the registry of these tests."""

TOUCHED = [
    *(".gitlab-ci.yml", ".github/workflows/cvat.yml", ".github/actions/x/action.yml", "dvc.yaml"),
    *("dvc.lock", "params.yaml", ".dvc/config", ".dvcignore", ".gitattributes", ".gitmodules"),
    *("Dockerfile", "scripts/publish.sh", OTHER, "data/movie2/movie.mkv.dvc"),
    *("data/movie2/extra.xml", ".GitLab-ci.yml", f"{EXPORT} ", "CODEOWNERS", "sitecustomize.py"),
    "conftest.py",
]
NOT_ITS = "is not task {task}'s to change; "
SYNC = "only its export may change; sync again"
FORBIDDEN = {
    **{f"touch_{i:02}": (path, NOT_ITS + SYNC) for i, path in enumerate(TOUCHED)},
    "touch_08": (".gitattributes", f"{NOT_ITS}switch off `Use LFS` in the task's dataset"),
    "symlink": (EXPORT, "is no plain file (mode 120000); sync again"),
    "symlink_dir": ("data/movie2 and ", NOT_ITS + SYNC),
    "exec_bit": (EXPORT, "is no plain file (mode 100755); sync again"),
    "gitlink": ("data/movie2/sub", NOT_ITS + SYNC),
    "deleted": (EXPORT, "is deleted; sync again, or delete the branch"),
    "orphan": ("", "has no history in common with the default branch; sync again"),
    "big_20MB": (EXPORT, "more than publish.max-size (16000000); raise that, or keep the export"),
    "zero_byte": (EXPORT, "is empty"),
    "lfs_pointer": (EXPORT, "Git LFS pointer"),
    "not_xml": (EXPORT, "XML"),
    "xxe": (EXPORT, "DOCTYPE"),
    "emptied": ("data/movie2/metrics.json", "would drop 100% of its "),
}
"""Branches of task 12: the path that is named, and the reason and remedy."""

HONEST = ("honest", "skip_ci", "evil_author", "no_change")
UNOWNED = ("cvat_18_" + "x" * 100, "cvat_19_--force", "cvat_25_HEAD", "cvat_26_-X")
"""Names that are allowed, of tasks that no dataset has."""

UNNAMEABLE = (
    *("cvat_13_$(touch${IFS}pwned)", "cvat_14_`id`", "cvat_15_a;touch${IFS}pwned"),
    *("cvat_16_a'b\"c", "cvat_17_\u0421ar", "cvat_20_a&b|c", "cvat_21_${{github.token}}"),
    *("cvat_22_a/__/b", "cvat_23_#x", "cvat_24_%0A", "cvat_27_refs/heads/master"),
)
UNSHOWABLE = ("cvat_31_\u202egnp", "cvat_32_a\u2028b", "cvat_33_a\x85b", "cvat_34_\x9b31m")
"""Names that would break a log's lines, or show another text; git allows them all."""


def task_of(name: str) -> int:
    """Each hostile branch is of task 12; give it a task of its own, but to `emptied`."""
    return 12 if name == "emptied" else 1200 + [*FORBIDDEN, *HONEST].index(name)


def of(name: str) -> str:
    """A branch's name with that task."""
    return f"cvat_{task_of(name)}_{name}"


@dataclass
class Attacked:
    """A registry where each branch is of a dataset of its own, and all have the same export."""

    world: World
    generated: Path

    def graft(self, *names: str, boxes: int = 1) -> dict[str, str]:
        """Push hostile branches upon the default branch; boxes: makes honest ones differ."""
        export = self.world.export
        honest = export()
        for _ in range(boxes):
            honest = with_less_of_a_car(honest.decode()).encode()
        emptied = export(lambda text: re.sub(r"<track.*</track>", "", text, flags=re.S))

        def content(data: bytes) -> bytes:
            if not data.startswith(b"<?xml") or b"L" * 1000 in data:
                return data
            return honest if b"<track" in data else emptied

        folder = self.world.folder / f"attacker {len(list(self.world.folder.iterdir()))}"
        bare = self.world.bare
        return cvat.graft(
            self.generated,
            folder,
            bare.file_url,
            self.world.head,
            paths=PATHS,
            content=content,
            only=names,
        )

    def forget(self) -> None:
        """Delete all branches of CVAT, and what they brought."""
        for line in self.refs:
            ref = line.partition(" ")[0]
            if ref != f"refs/heads/{self.world.branch}":
                self.world.bare.git("update-ref", "-d", ref)
        self.world.bare.git("prune", "--expire", "now")

    @property
    def refs(self) -> list[str]:
        """The refs with their commits; a name may hold what Python takes for an end of line."""
        return self.world.bare.git("for-each-ref", "--format=%(refname) %(objectname)").split("\n")

    @property
    def state(self) -> object:
        """All that a publish might change."""
        return self.refs, self.world.container.blobs()


@pytest.fixture(scope="module")
def attacked(
    published: Published,
    git_server: GitServer,
    hostile_branches: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Attacked:
    """A registry with as many datasets in params.yaml as there are hostile branches of task 12."""
    folder = tmp_path_factory.mktemp("attacked") / "my régistry"
    world = made(published, FolderStore("attacked", folder.parent / "remote"), git_server, folder)
    params = yaml.safe_load(world.file("params.yaml"))
    real = dict(params["datasets"])
    for name in (*FORBIDDEN, *HONEST):
        if task_of(name) != 12:
            entry = {"source": "x.mp4", "export": EXPORT, "cvat-task": task_of(name)}
            params["datasets"][f"of-{name}"] = entry
    stages = world.file("dvc.yaml").decode().replace("${datasets}", json.dumps(real))
    world.commit(
        "many datasets",
        **{"params.yaml": yaml.safe_dump(params).encode(), "dvc.yaml": stages.encode()},
    )
    return Attacked(world, hostile_branches)


@pytest.fixture
def scene(attacked: Attacked) -> Iterator[Attacked]:
    """The registry, with no branch of CVAT."""
    attacked.forget()
    yield attacked
    attacked.forget()


def refused(said: str, name: str, task: int, path: str, reason: str) -> None:
    """Find the one line that refuses a branch."""
    lines = [line for line in said.split("\n") if line.startswith(f"error: {name}: ")]
    assert len(lines) == 1, f"{name}: {lines}"
    assert path in lines[0]
    assert reason.format(task=task) in lines[0]


def shows_nothing_else(said: str) -> None:
    """Find no character that moves the cursor, ends a line or turns the text around."""
    bad = [c for c in said if not c.isprintable() and c != "\n"]
    assert not bad, ascii(bad)


def test_every_hostile_branch_is_refused_in_one_line_and_nothing_is_published(
    scene: Attacked,
) -> None:
    world = scene.world
    tips = scene.graft()
    assert len(tips) == 52
    for name in (*FORBIDDEN, *HONEST):
        world.bare.git("update-ref", "-d", f"refs/heads/cvat_12_{name}")
        if name in FORBIDDEN:
            world.bare.git("update-ref", f"refs/heads/{of(name)}", tips[f"cvat_12_{name}"])
    for name in UNSHOWABLE:
        world.bare.git("update-ref", f"refs/heads/{name}", tips["cvat_12_honest"])
    dateless = re.sub("(?m)^committer .*$", "committer x <x>", world.bare.git(
        "cat-file", "commit", tips["cvat_12_touch_00"]))  # fmt: skip
    tip = world.bare.git(
        *("hash-object", "-t", "commit", "-w", "--literally", "--stdin"),
        stdin=f"{dateless}\n".encode(),
    )
    world.bare.git("update-ref", "refs/heads/cvat_35_dateless", tip)
    before = scene.state

    said = world.publish(code=1)

    assert scene.state == before
    assert said.stdout == "default branch: nothing to do\n"
    for name, (path, reason) in FORBIDDEN.items():
        refused(said.stderr, of(name), task_of(name), ascii(path)[1:-1], reason)
    for name in (*UNOWNED, "cvat_35_dateless"):
        text = "task {task} is no dataset's cvat-task; set datasets.<name>.cvat-task, or delete it"
        refused(said.stderr, name, int(name.split("_")[1]), "params.yaml", text)
    for name in UNNAMEABLE + UNSHOWABLE:
        shown = name.encode("unicode_escape").decode()
        refused(said.stderr, shown, 0, "", "its name has characters other than A-Z a-z 0-9 . _")
    assert len(errors(said.stderr)) == len({*FORBIDDEN, *UNOWNED, *UNNAMEABLE, *UNSHOWABLE}) + 1
    shows_nothing_else(said.stderr)
    assert "refs/heads/master" not in said.stdout
    assert [*world.folder.rglob("pwned*")] == []


def test_of_the_honest_ones_the_newest_is_published_and_nothing_of_their_messages(
    scene: Attacked,
) -> None:
    world, before = scene.world, scene.world.head
    tips = scene.graft("cvat_12_honest", "cvat_12_skip_ci", "cvat_12_evil_author")

    said = world.publish(code=1)

    for name in "cvat_12_evil_author", "cvat_12_honest":
        refused(said.stderr, name, 12, "", "is newer and of the same task; delete the older one")
    assert "cvat_12_skip_ci: published as " in said.stdout
    tip = tips["cvat_12_skip_ci"]
    parents, _, message = world.bare.git("log", "-1", "--format=%P%n%B", world.head).partition("\n")
    assert parents == f"{before} {tip}"
    assert message.splitlines()[0] == "Publish movie2 from cvat_12_skip_ci"
    assert not re.search(r"CVAT|ci skip|::|add-mask", message)
    assert world.file(EXPORT) == world.file(EXPORT, tip)


def test_an_evil_author_is_not_ours_and_a_branch_without_a_change_is_no_commit(
    scene: Attacked,
) -> None:
    world, before = scene.world, scene.world.head
    tips = scene.graft("cvat_12_evil_author", "cvat_12_no_change", boxes=2)
    world.bare.git("update-ref", "-d", "refs/heads/cvat_12_no_change")
    unchanged = tips["cvat_12_no_change"]
    world.bare.git("update-ref", f"refs/heads/{of('no_change')}", unchanged)

    said = world.publish().stdout

    assert "cvat_12_evil_author: published as " in said
    assert f"{of('no_change')}: is published already, or changes nothing\n" in said
    assert world.bare.git("rev-list", "--first-parent", f"{before}..{world.head}") == world.head
    assert not world.bare.git("rev-list", world.head).count(unchanged)
    people = world.bare.git("log", "-1", "--format=%an %ae %cn %ce", world.head)
    assert people == "Tester tester@example.org Tester tester@example.org"
    assert [*world.folder.rglob("pwned*")] == []
    world.whole()


CHECKED = ("touch_00", "touch_12", "symlink", "deleted", "gitlink", "orphan", "lfs_pointer", "xxe")


@pytest.mark.parametrize("name", CHECKED)
def test_check_refuses_as_publish_does_and_needs_no_secret(scene: Attacked, name: str) -> None:
    world = replace(scene.world, env={})
    path, reason = FORBIDDEN[name]
    branch = f"cvat_12_{name}"
    scene.graft(branch)
    before = scene.state

    refused(world.pipelines(f"check {branch}", 1).stderr, branch, 12, path, reason)
    assert scene.state == before


def test_check_says_what_would_be_taken_of_an_honest_one_and_what_it_cannot_know(
    scene: Attacked,
) -> None:
    world = replace(scene.world, env={})
    scene.graft("cvat_12_honest", boxes=3)
    before = scene.state
    config = world.clone / ".git/config"
    text = config.read_text()

    said = world.pipelines("check cvat_12_honest").stdout
    absent = world.pipelines("check cvat_12_absent", 1).stderr
    unnameable = world.pipelines("check '$(touch pwned)'", 1).stderr

    assert said == f"cvat_12_honest: may be published: {EXPORT} of movie2\n"
    assert errors(absent) == ["error: cvat_12_absent: origin has no such branch of CVAT"]
    assert errors(unnameable) == ["error: $(touch pwned): origin has no such branch of CVAT"]
    assert scene.state == before
    assert config.read_text() == text
    assert git(world.clone.folder, "status", "--porcelain") == ""
    assert [*world.folder.rglob("pwned*")] == []


def test_a_guard_that_lets_everything_pass_would_be_found(scene: Attacked) -> None:
    world = scene.world
    scene.graft("cvat_12_touch_00")
    guard = world.clone / "pipelines/publishing/branch_rules.py"
    text = guard.read_text()
    try:
        assert "sorted(touched - {path})" in text
        guard.write_text(text.replace("sorted(touched - {path})", "[]"))
        said = world.pipelines("check cvat_12_touch_00", None).stderr
    finally:
        guard.write_text(text)

    path, reason = FORBIDDEN["touch_00"]
    with pytest.raises(AssertionError):
        refused(said, "cvat_12_touch_00", 12, path, reason)
