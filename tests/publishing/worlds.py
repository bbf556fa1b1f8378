"""A registry that can publish: a server with its repository, a remote, a clone where CI works."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registries import Registry, copy_of_project
from services import azurite as azure
from services.cvat import Cvat
from services.folder_store import FolderStore
from services.gitserver import Bare, git, raw

EXPORT = "data/movie2/annotations.xml"
"""The export that task 12 owns; it is in git. That of movie3 is in DVC."""

Store = azure.Container | FolderStore
"""What a registry's remote may be."""

CACHED = "index-frames prepare-annotations merge-annotations-training merge-annotations-validation"
SECRET = re.compile(r"AccountKey=(?!\*)|Eby8vdM02xNO|sig=(?!\*)|SharedAccessSignature=(?!\*)")


def seed(folder: Path) -> Registry:
    """Make a registry of two datasets: movie2 (training) and movie3 (validation, in DVC)."""
    registry = copy_of_project(folder)
    for path in ("tests", "data/movie1", ".github"):
        shutil.rmtree(folder / path, ignore_errors=True)
    text = re.sub(r"  movie1:\n(    .*\n)+", "", (registry / "params.yaml").read_text())
    (registry / "params.yaml").write_text(text.replace("[movie1, movie2]", "[movie2]"))
    registry.sh("python -m pipelines splits")
    registry.sh("git rm -q --cached data/movie3/movie.mp4 data/movie3/annotations.zip")
    registry.sh("dvc add -q data/movie3/movie.mp4 data/movie3/annotations.zip")
    return registry


@dataclass
class World:
    """What a test of publishing works with, and what it must find unharmed at its end."""

    folder: Path
    bare: Bare
    container: Store
    branch: str
    env: Mapping[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    first: str = ""

    @property
    def clone(self) -> Registry:
        """The clone where CI works."""
        return Registry(self.folder / "clone")

    @property
    def azure(self) -> azure.Container:
        """The remote of a test with the mark `azure`."""
        assert isinstance(self.container, azure.Container)
        return self.container

    @property
    def head(self) -> str:
        """The commit that the server's default branch has."""
        return self.bare.refs()[f"refs/heads/{self.branch}"]

    def file(self, path: str, commit: str = "") -> bytes:
        """A file of the default branch, or of another commit."""
        return raw(self.bare.folder, "cat-file", "blob", f"{commit or self.head}:{path}")

    def pipelines(
        self, words: str, code: int | None = 0, where: Registry | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m pipelines` in the clone; code: with what it must end."""
        command = f"python -m pipelines {words}"
        done = (where or self.clone).sh(command, False, None, **{**self.env, **env})
        self.said += [done.stdout, done.stderr]
        assert code is None or done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def publish(
        self, words: str = "", code: int | None = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Publish as CI does."""
        return self.pipelines(f"publish {words}", code, None, **env)

    def export(self, change: Callable[[str], str] = lambda text: text) -> bytes:
        """The export of task 12 as the default branch has it, changed."""
        return change(self.file(EXPORT).decode()).encode()

    def sync(self, content: bytes | None = None, name: str = "main street", task: int = 12) -> str:
        """Let CVAT push the branch of a task; return its name."""
        cvat = self.folder / "cvat"
        shutil.rmtree(cvat, ignore_errors=True)
        there = Cvat(cvat, self.bare.file_url, base=self.branch)
        return there.synchronize(
            task, name, EXPORT, self.export(with_less_of_a_car) if content is None else content
        )

    def commit(self, message: str = "a change", **files: bytes) -> str:
        """Push a commit that writes files to the default branch, as a maintainer would."""
        other = self.folder / "maintainer"
        if not other.exists():
            git(self.folder, "clone", "-q", self.bare.file_url, str(other))
        git(other, "pull", "-q", "--ff-only")
        for path, content in files.items():
            (other / path).write_bytes(content)
        git(other, "add", "-A")
        git(other, "commit", "-q", "-m", message)
        git(other, "push", "-q")
        return git(other, "rev-parse", "HEAD")

    def model(self, name: str = "model") -> Registry:
        """A fresh repository that may import from the registry."""
        other = Registry(self.folder / name)
        other.folder.mkdir()
        other.sh("git init -q -b main && dvc init -q && git add -A && git commit -q -m begin")
        return other

    def whole(self) -> None:
        """Find the invariant: what the default branch names can be had by anybody, whole.

        The branch moved by fast-forward or not at all, CVAT's branches were not touched by us, and
        no secret was ever said.
        """
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        git(self.folder, "clone", "-q", self.bare.file_url, str(fresh))
        registry = Registry(fresh)
        registry.sh(f"dvc pull -q {CACHED} $(git ls-files '*.dvc')", True, None, **self.env)
        status = registry.sh(f"dvc status --json {CACHED}", True, None, **self.env).stdout
        assert status.strip() == "{}", status
        assert self.bare.git("fsck", "--no-dangling", "--no-progress") == ""
        self.bare.git("merge-base", "--is-ancestor", self.first, self.head)
        ours = {u.ref for push in self.bare.pushes() if push.done for u in push.updates}
        assert not SECRET.search("\n".join(self.said))
        assert ours, "nothing was ever pushed"


def errors(said: str) -> list[str]:
    """The lines that say what was refused; other lines of standard error say what is done."""
    return [line for line in said.split("\n") if line.startswith("error: ")]


def with_less_of_a_car(text: str) -> str:
    """Remove the first boxes of a car's track: what an annotator does who begins it later."""
    start = re.search(r'<track id="\d+" label="Car".*?>', text)
    assert start
    begin, end = start.end(), start.end()
    for _ in range(3):
        end = text.index("</box>", end) + len("</box>")
    return text[:begin] + text[end:]


def credentials(container: Store) -> dict[str, str]:
    """Return the variables with which all may be done in a remote."""
    if isinstance(container, FolderStore):
        return {}
    return {"AZURE_STORAGE_CONNECTION_STRING": container.connection_string}


def copy_objects(source: FolderStore, container: Store) -> None:
    """Fill a remote with what another one has."""
    for blob in source.blobs():
        container.write(blob.name, source.read(blob.name))


def with_remote(registry: Registry, url: str) -> None:
    """Set the remote of a registry, as docs/new-registry.md says."""
    registry.sh(f"dvc remote add -q --force --default storage {shlex.quote(url)}")
    registry.sh("dvc config remote.storage.verify true")
