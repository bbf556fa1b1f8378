"""A registry whose exports come from a CVAT that is played, and what is done with it."""

import re
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from pipelines import __main__ as command_line
from services.cvat_answers import export_of
from services.cvat_server import CvatServer
from services.gitserver import Bare, git, raw

STREET, YARD = "data/street/annotations.xml", "data/yard/cvat.zip"
"""The exports of the two datasets: of task 3, and of task 12."""

DATASETS = {
    "street": {"source": "data/street/movie.mp4", "export": STREET, "cvat-task": 3},
    "yard": {"source": "data/yard/movie.mp4", "export": YARD, "cvat-task": 12},
}


@dataclass
class World:
    """The server's repository, a clone of it, and what was said by all commands."""

    folder: Path
    bare: Bare
    cvat: CvatServer
    capsys: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)

    @property
    def clone(self) -> Path:
        """The clone where CI works."""
        return self.folder / "clone"

    def fetch(self, *words: str, code: int = 0) -> str:
        """Run `fetch` in the clone; return what it said, and fail if it ended otherwise."""
        ended = command_line.main(["fetch", *words])
        out, err = self.capsys.readouterr()
        self.said += [out, err]
        assert ended == code, f"{out}\n{err}"
        return out + err

    def results(self, *words: str, code: int = 0) -> list[str]:
        """Run `fetch`, and return what it says of each task, sorted."""
        lines = self.fetch(*words, code=code).splitlines()
        found = [line.removeprefix("error: ") for line in lines]
        return sorted(line for line in found if re.match(r"\w+: task \d+: ", line))

    def branches(self) -> dict[str, str]:
        """CVAT's branches at the server, with their commits."""
        refs = self.bare.refs()
        return {
            name.removeprefix("refs/heads/"): commit
            for name, commit in refs.items()
            if name.startswith("refs/heads/cvat_")
        }

    def file(self, commit: str, path: str) -> bytes:
        """A file of a commit."""
        return raw(self.bare.folder, "cat-file", "blob", f"{commit}:{path}")

    def change(self, files: Mapping[str, bytes | None], message: str = "a change") -> str:
        """Push a commit to the default branch, as a maintainer does; None deletes a file."""
        other = self.folder / "maintainer"
        if not other.exists():
            git(self.folder, "clone", "-q", self.bare.file_url, str(other))
        git(other, "pull", "-q", "--ff-only", "origin", "trunk")
        for path, content in files.items():
            (other / path).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (other / path).unlink()
            else:
                (other / path).write_bytes(content)
        git(other, "add", "-A")
        git(other, "commit", "-q", "-m", message)
        git(other, "push", "-q", "origin", "HEAD:trunk")
        return git(other, "rev-parse", "HEAD")

    def settings(self, datasets: object = None, publish: object = None, **cvat: str) -> None:
        """Push params.yaml with other datasets or another section cvat."""
        values: dict[str, object] = {
            "datasets": DATASETS if datasets is None else datasets,
            "cvat": {"url": self.cvat.url, "organization": "videoteam"} | cvat,
        }
        values |= {"publish": publish} if publish else {}
        self.change({"params.yaml": yaml.safe_dump(values).encode()})

    def merge(self, *branches: str) -> None:
        """Merge branches into the default branch, as `publish` does: both are parents."""
        other = self.folder / "publisher"
        if not other.exists():
            git(self.folder, "clone", "-q", self.bare.file_url, str(other))
        git(other, "fetch", "-q", "origin")
        git(other, "checkout", "-q", "--detach", "origin/trunk")
        for branch in branches:
            git(other, "merge", "-q", "--no-ff", "-m", "publish", f"origin/{branch}")
        git(other, "push", "-q", "origin", "HEAD:trunk")

    def check_secrets(self) -> None:
        """Find the token nowhere: not in what was said, nor in any object of the repository."""
        told = "\n".join(self.said)
        assert self.cvat.token not in told
        objects = self.bare.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        listed = "\n".join([*objects.split(), ""]).encode()
        everything = raw(self.bare.folder, "cat-file", "--batch", stdin=listed)
        assert self.cvat.token.encode() not in everything
        assert not list(self.clone.glob(".git/data-registry/*/"))


def seed(world: World) -> None:
    """Push the first commit: params.yaml, and exports that were made by hand."""
    made = world.folder / "seed"
    git(world.folder, "clone", "-q", world.bare.file_url, str(made))
    values = {
        "datasets": DATASETS,
        "cvat": {"url": world.cvat.url, "organization": "videoteam"},
    }
    (made / "data/street").mkdir(parents=True)
    (made / "params.yaml").write_text(yaml.safe_dump(values))
    (made / STREET).write_text("<annotations>made by hand</annotations>\n")
    git(made, "checkout", "-q", "-b", "trunk")
    git(made, "add", "-A")
    git(made, "commit", "-q", "-m", "a registry")
    git(made, "push", "-q", "origin", "trunk")
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.clone))


def recorded(name: str) -> bytes:
    """Return annotations.xml of a recorded export."""
    with zipfile.ZipFile(export_of(f"{name}.zip")) as archive:
        return archive.read("annotations.xml")


def entry(content: bytes) -> bytes:
    """Return the one file in a zip, which is annotations.xml."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.namelist() == ["annotations.xml"]
        return archive.read("annotations.xml")


def without_the_lines(content: bytes, *tags: str) -> list[str]:
    """Return the lines of an export without those that hold an element: what facts say is left."""
    lines = content.decode().splitlines()
    return [line for line in lines if not any(line.strip().startswith(f"<{tag}>") for tag in tags)]


def run(*words: str | Path, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program in a folder. Ctrl-C ends it, also where the tests themselves ignore that."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words,
        cwd=folder,
        env=env,
        stdout=pipe,
        stderr=pipe,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
