"""Model repositories, as docs/using-the-data.md has them: what a publish or a failure brings."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import md5
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from documents import block
from pipelines.storage import dvc_files, remote
from publishing.test_crashes import Driven
from publishing.worlds import EXPORT, World, with_less_of_a_car, with_remote
from registries import Registry
from services import azurite as azure
from services.gitserver import GitServer, git

pytestmark = pytest.mark.azure

USE = "docs/using-the-data.md"
VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"
FOLDERS = ("data/movie2/Annotations", "data/training")
DANGLING = "failed to load directory|missing-files|Checkout failed|does not exist|failed to pull"

Files = dict[str, bytes]


def imported(world: World, name: str = "model", secret: str = "") -> Registry:
    """A fresh model repository, after the page's commands for an import."""
    secret = secret or world.env.get(VARIABLE, "")
    words = {"git-url-of-the-registry": address(world), "connection-string": secret}
    model = world.model(name)
    model.sh(block(USE, "Import", values=words))
    return model


def address(world: World) -> str:
    """The registry's address for DVC, which reads no %20 in file:// addresses."""
    return shlex.quote(str(world.bare.folder))


def update(
    model: Registry, secret: str | None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the page's commands for an update; without a secret in the environment for None."""
    words = block(USE, "Update")
    lines = [line for line in words.splitlines() if not line.startswith("git ")]
    said = {} if secret is None else {VARIABLE: secret}
    return model.sh("\n".join(lines), check, None, **said)


def files(model: Registry, folders: tuple[str, ...] = FOLDERS) -> Files:
    """What a model repository has in its imported folders."""
    paths = [p for folder in folders for p in (model / folder).rglob("*") if p.is_file()]
    return {p.relative_to(model.folder).as_posix(): p.read_bytes() for p in paths}


def imports(model: Registry) -> dict[str, str]:
    """The .dvc files that say what is imported."""
    return {path.name: path.read_text() for path in sorted(model.folder.glob("data/**/*.dvc"))}


def boxes(export: bytes) -> set[tuple[str | None, str | None]]:
    """Each track and frame with a box in an export."""
    root = ElementTree.fromstring(export)
    return {
        (track.get("id"), box.get("frame"))
        for track in root.iterfind("track")
        for box in track.iterfind("box")
        if box.get("outside") == "0"
    }


@dataclass(frozen=True)
class Story:
    """A registry that was published three times; a model repository that has the first of it."""

    world: World
    azurite: azure.Azurite
    reader: str
    template: Registry
    first: str

    def model(self, folder: Path) -> Registry:
        """A copy of the model repository, to be updated."""
        shutil.copytree(self.template.folder, folder / "model", symlinks=True)
        return Registry(folder / "model")


@pytest.fixture(scope="module")
def story(
    worlds_at: Callable[[azure.Container], World], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Tests stop this Azurite, so it is their own; what is published stays as it is."""
    with azure.serving(tmp_path_factory.mktemp("azurite")) as own:
        container = own.container("downstream")
        world = worlds_at(container)
        first = world.head
        template = imported(world, secret=container.sas("rl"))
        for _ in range(2):
            world.sync()
            world.publish()
        yield Story(world, own, container.sas("rl"), template, first)


def test_an_update_brings_exactly_what_was_published(story: Story, tmp_path: Path) -> None:
    model, world = story.model(tmp_path), story.world
    before, after = world.file(EXPORT, story.first), world.file(EXPORT)
    frames = {int(frame or 0) for _, frame in boxes(before) ^ boxes(after)}
    old = files(model)

    said = update(model, story.reader).stdout
    new = files(model)

    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    xmls = {f"data/movie2/Annotations/frame_{frame:06d}.xml" for frame in frames}
    xmls |= {f"data/training/Annotations/movie2__frame_{frame:06d}.xml" for frame in frames}
    assert len(frames) == 6
    assert {path for path in changed if path.endswith(".xml")} == xmls
    assert {path.split("/")[-1] for path in changed - xmls} == {
        "merge.csv",
        "metrics.json",
        "Car_default.txt",
    }
    assert sum(path.endswith(".xml") for path in old) > 2 * len(xmls)
    assert all(path in said for path in xmls)
    assert new["data/training/metrics.json"] == world.file("data/merged/training/metrics.json")
    assert counted(new, "data/training/") == counted_in_metrics(new)
    model.sh("git commit -q -a -m 'Update the data'")
    assert model.sh("git status --porcelain").stdout == ""


def counted(found: Files, folder: str) -> int:
    """How many objects the annotations of a folder have."""
    texts = [data for path, data in found.items() if path.startswith(f"{folder}Annotations/")]
    return sum(len(ElementTree.fromstring(text).findall("object")) for text in texts)


def counted_in_metrics(found: Files) -> int:
    """How many objects a split has, as it says itself."""
    return int(yaml.safe_load(found["data/training/metrics.json"])["objects"])


def test_the_import_is_what_the_commit_names(story: Story) -> None:
    named = dvc_files.of_lock(story.world.file("dvc.lock", story.first).decode())
    (folder,) = [n for n in named["prepare-annotations@movie2"] if n.path.endswith("Annotations")]
    (out,) = yaml.safe_load(imports(story.template)["Annotations.dvc"])["outs"]

    assert (out["md5"], out["nfiles"]) == (folder.md5, folder.files)
    assert "Annotations" in story.template.sh("git ls-files").stdout
    assert "sig=" not in story.template.sh("git log -p --all; cat .dvc/config").stdout


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "requires either account_name or connection_string"),
        ("expired", "AuthenticationFailed|not authorized|AuthorizationFailure"),
        ("nonsense", "onnection string"),
    ],
)
def test_an_update_without_the_secret_fails_and_checkout_brings_the_data_back(
    story: Story, tmp_path: Path, given: str | None, why: str
) -> None:
    model = story.model(tmp_path)
    old, said = files(model), imports(model)
    wrong = story.world.azure.sas("rl", -5) if given == "expired" else given

    failed = update(model, wrong, check=False)

    assert failed.returncode != 0
    assert re.search(why, failed.stderr), failed.stderr
    assert not re.search(r"sig=(?!\*)\w|AccountKey=\w", failed.stdout + failed.stderr)
    assert imports(model) == said
    model.sh(block(USE, "When an update fails"))
    model.sh("dvc checkout")
    assert files(model) == old
    assert model.sh("git status --porcelain").stdout == ""
    update(model, story.reader)
    assert files(model) != old


def test_the_pictures_are_made_by_the_lines_of_the_page(world: World) -> None:
    model, names = imported(world), yaml.safe_load(world.file("images.yaml"))["images"]
    values = {
        "git-url-of-the-registry": address(world),
        "video-to-frame, as images.yaml of the registry names it": names["video-to-frame"],
        "merge-annotations, likewise": names["merge-annotations"],
    }
    lines = block(USE, "Get the pictures", values=values)
    for mine in ("movie1/movie.mkv ", "--source data/movie1 "):  # which this registry lacks
        assert mine in lines
        lines = lines.replace(mine, "")

    model.sh(lines, True, None, **{VARIABLE: world.azure.sas("rl")})

    pictures = {
        path.stem for path in (model / "data/training/JPEGImages").iterdir() if path.exists()
    }
    assert pictures == {path.stem for path in (model / "data/training/Annotations").iterdir()}
    assert model.sh("dvc status -q data/training.dvc").stdout == ""


def test_the_secret_of_a_model_repository_cannot_write(story: Story, tmp_path: Path) -> None:
    before = story.world.container.blobs()
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", story.world.bare.file_url, str(clone))
    (clone / "other").write_text("other")
    reader = Registry(clone)
    reader.sh("dvc add -q other")

    assert reader.sh("dvc push", False, None, **{VARIABLE: story.reader}).returncode != 0
    assert story.world.container.blobs() == before


def test_a_version_stays_whatever_is_published_later(story: Story) -> None:
    model = story.world.model("pinned")
    values = {"git-url-of-the-registry": address(story.world)}
    lines = block(USE, "Stay with one version", values=values).replace("v1.2", story.first)
    secret = {VARIABLE: story.reader}

    model.sh(f"mkdir data\n{lines}", True, None, **secret)
    old = files(story.template, ("data/training",))
    assert files(model, ("data/training",)) == old
    model.sh("dvc update -q data/training.dvc", True, None, **secret)
    assert files(model, ("data/training",)) == old
    model.sh("rm -r .dvc/cache data/training && dvc pull -q", True, None, **secret)
    assert files(model, ("data/training",)) == old


def test_an_update_that_is_killed_is_run_again(story: Story, tmp_path: Path) -> None:
    began = time.monotonic()
    whole = story.model(tmp_path / "whole")
    update(whole, story.reader)
    took, states = time.monotonic() - began, []
    for number in range(3):
        model = story.model(tmp_path / str(number))
        said = imports(model)
        with subprocess.Popen(
            ["/bin/sh", "-c", "exec dvc update data/movie2/Annotations.dvc data/training.dvc"],
            cwd=model.folder,
            env={**os.environ, VARIABLE: story.reader, "PATH": path_of(model)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(took * (0.35 + 0.2 * number))
            os.killpg(process.pid, signal.SIGKILL)
        states.append(process.returncode)
        for name, text in imports(model).items():
            assert text in (said[name], imports(whole)[name])
        (model / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # as the page says
        update(model, story.reader)
        assert files(model) == files(whole)
        assert imports(model) == imports(whole)
    assert -signal.SIGKILL in states, f"nothing was killed in {took:.1f} s"


def path_of(model: Registry) -> str:
    """The PATH that a model repository's commands have."""
    return model.sh('printf %s "$PATH"').stdout


def test_an_update_without_the_remote_fails_and_heals(story: Story, tmp_path: Path) -> None:
    model = story.model(tmp_path)
    old, said = files(model), imports(model)
    story.azurite.stop()
    try:
        failed = update(model, story.reader, check=False)
    finally:
        story.azurite.start()

    assert failed.returncode != 0
    assert "Cannot connect to host" in failed.stderr
    assert imports(model) == said
    model.sh(block(USE, "When an update fails"))
    model.sh("dvc checkout")
    assert files(model) == old
    update(model, story.reader)
    assert files(model) != old


def test_each_update_during_a_publish_reads_one_published_state(world: World) -> None:
    model, secret = imported(world), world.azure.sas("rl")
    old, ended = files(model), threading.Event()
    seen: list[Files] = []
    failures: list[str] = []

    def poll() -> None:
        while True:
            last = ended.is_set()
            done = update(model, secret, check=False)
            failures.extend([done.stderr] if done.returncode else [])
            seen.append(files(model))
            if last:
                return

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        world.sync()
        client = Driven(world, "wrap(attempt, 'commit', before=once(wait))")
        client.until(seconds=300)  # the data is there, and no commit names it
        told = len(seen)
        while len(seen) < told + 2:  # the second one has begun after that
            assert thread.is_alive()
            time.sleep(0.02)
        client.go.touch()
        assert client.end() == 0, client.err
    finally:
        ended.set()
        thread.join()
    fresh = files(imported(world, "fresh"))

    # DVC's clone of a folder may miss a branch that git is just moving; then it has read nothing
    assert [each for each in failures if "Failed to clone repo" not in each] == []
    assert fresh != old
    # each .dvc file is updated by itself: each folder is one state or the other, as a whole
    for folder in FOLDERS:
        states = [part(old, folder), part(fresh, folder)]
        assert all(part(each, folder) in states for each in seen)
    assert seen[0] == old
    assert seen[-1] == fresh
    assert len(seen) > 2


def part(found: Files, folder: str) -> Files:
    return {path: data for path, data in found.items() if path.startswith(f"{folder}/")}


def test_a_lock_that_was_published_before_its_data_shows(world: World) -> None:
    """What publish never does, done by hand: the checks of these tests must see it."""
    model, secret = imported(world), world.azure.sas("rl")
    old, said = files(model), imports(model)
    (named,) = dvc_files.of_dvc_file(said["Annotations.dvc"].replace("deps:", "from:"), "x.dvc")
    held, lock = named.md5.removesuffix(".dir"), world.file("dvc.lock").decode()
    assert held in lock
    world.commit("by hand", **{"dvc.lock": lock.replace(held, held[::-1]).encode()})

    with pytest.raises(AssertionError):
        world.whole()
    failed = update(model, secret, check=False)
    assert failed.returncode != 0
    assert re.search(DANGLING, failed.stderr), failed.stderr
    assert imports(model)["Annotations.dvc"] == said["Annotations.dvc"]
    model.sh("dvc checkout")
    assert files(model) == old

    assert "published as" in world.publish().stdout
    world.whole()
    update(model, secret)
    assert part(files(model), FOLDERS[0]) == part(old, FOLDERS[0])


def zipped_with_less_of_a_car(content: bytes) -> bytes:
    """An export as a zip, changed as `with_less_of_a_car` does."""
    with zipfile.ZipFile(BytesIO(content)) as old:
        text = old.read("annotations.xml").decode()
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        new.writestr("annotations.xml", with_less_of_a_car(text))
    return made.getvalue()


def test_a_new_export_in_dvc_is_published_once_it_is_pushed(world: World) -> None:
    path = "data/movie3/annotations.zip"
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.folder / "annotator"))
    person = Registry(world.folder / "annotator")
    person.sh(f"dvc pull -q {path}.dvc", True, None, **world.env)
    old = (person / path).read_bytes()
    downloaded = world.folder / "Downloads/new-export.zip"
    downloaded.parent.mkdir()
    downloaded.write_bytes(zipped_with_less_of_a_car(old))
    env = {**world.env, "HOME": str(world.folder)}
    words = block("docs/datasets.md", "Bring a new export", 1)
    words = words.replace("data/street/cvat-pascalvoc.zip", path)
    pushing = [line for line in words.splitlines() if line.startswith("dvc push")]
    before = yaml.safe_load(world.file("data/movie3/metrics.json"))["objects"]
    blobs = world.container.blobs()

    person.sh(words.replace(pushing[0], ""), True, None, **env)
    head = world.head
    refused = world.publish(code=1)

    assert f"{path}: the remote lacks it" in refused.stderr
    assert "run `dvc push` where it was added" in refused.stderr
    assert (world.head, world.container.blobs()) == (head, blobs)

    person.sh(pushing[0], True, None, **world.env)
    assert f"movie3: objects {before} -> {before - 3}" in world.publish().stdout
    assert world.bare.git("rev-parse", f"{world.head}^@") == head
    changed = world.bare.git("diff-tree", "-r", "--name-only", head, world.head).splitlines()
    assert changed == [
        "data/merged/validation/metrics.json",
        "data/movie3/metrics.json",
        "dvc.lock",
    ]
    world.whole()


@pytest.fixture
def stored(world: World) -> Path:
    """A registry's remote that is a plain folder: nothing but its configuration is other.

    DVC cannot write its configuration if the folder's name is not ASCII.
    """
    folder = world.folder.parent / "my storage"
    for blob in world.container.blobs():
        path = folder / blob.name.removeprefix("dvc/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(world.container.read(blob.name))
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.folder / "maintainer"))
    person = Registry(world.folder / "maintainer")
    with_remote(person, str(folder))
    person.sh("git commit -q -a -m 'data in a folder' && git push -q")
    world.env = {}
    return folder


def test_a_folder_serves_as_remote(world: World, stored: Path) -> None:
    model = imported(world)
    old, blobs = files(model), world.container.blobs()
    wanted = world.export(with_less_of_a_car)
    world.sync()

    world.publish()
    update(model, None)

    assert world.file(EXPORT) == wanted
    assert files(model) != old
    assert files(model) == files(imported(world, "fresh"))
    assert world.container.blobs() == blobs
    world.whole()


def test_a_wrong_byte_in_a_folder_is_found_and_put_right(world: World, stored: Path) -> None:
    before, known = world.head, set(stored.rglob("*"))
    world.sync()
    world.publish()
    made = [path for path in stored.rglob("*") if path.is_file() and path not in known]
    (wrong,) = [path for path in made if path.suffix != ".dir"][:1]
    right = wrong.read_bytes()
    named = dvc_files.Named("x", wrong.parent.name + wrong.name, len(right), None)
    wrong.chmod(0o644)
    wrong.write_bytes(bytes([right[0] ^ 1]) + right[1:])

    assert md5(wrong.read_bytes(), usedforsecurity=False).hexdigest() != named.md5
    git(world.clone.folder, "pull", "-q")
    found = remote.find_lacking(world.clone.folder, [named], known=[])
    assert "hashes to" in found["x"]
    before_it = remote.find_lacking(world.clone.folder, [named], known=[named.md5])
    assert before_it == {}, "what was there before is not read"

    world.bare.git("update-ref", f"refs/heads/{world.branch}", before)
    world.publish()
    assert wrong.read_bytes() == right
    world.whole()


def test_a_registry_is_published_through_ssh(world: World, git_server: GitServer) -> None:
    world.clone.sh(f"git remote set-url origin {world.bare.ssh_url}")
    world.env = {**world.env, **git_server.env}
    wanted = world.export(with_less_of_a_car)
    world.sync()

    assert "published as" in world.publish().stdout
    assert world.file(EXPORT) == wanted
    world.whole()
