"""A day of a registry on one machine, in a minute: `make demo` shows it, step by step."""

import shlex
import shutil
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

from publishing import worlds
from publishing.worlds import World
from registries import Registry
from services import azurite as azure
from services import gitserver
from services.gitserver import git

BRANCH = "trunk"
SECRET = "AZURE_STORAGE_CONNECTION_STRING"  # noqa: S105  # a name
LINES = 24


@dataclass
class Show:
    """What is told: each step in plain words, the command that it runs, what that said."""

    folder: Path
    began: float = field(default_factory=time.monotonic)
    steps: int = 0

    def step(self, text: str) -> None:
        """Announce a step."""
        self.steps += 1
        print(f"\n{self.steps}. {textwrap.fill(text, 96, subsequent_indent='   ')}", flush=True)

    def run(self, where: Registry, command: str, *codes: int, **env: str) -> None:
        """Run a command and show it, and what it says; codes: with what it may end, too."""
        place = where.folder.relative_to(self.folder)
        print(f"   {place}$ {self._short(command)}", flush=True)
        done = where.sh(command, not codes, None, **env)
        assert done.returncode in (0, *codes), done.stderr
        lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        for line in lines[:LINES]:
            print(f"   | {self._short(line)}", flush=True)
        if len(lines) > LINES:
            print(f"   | ... and {len(lines) - LINES} lines more", flush=True)

    def _short(self, text: str) -> str:
        return text.replace(f"{self.folder}/", "../")


def main() -> int:
    """Do it all in a temporary folder, which stays; the servers end."""
    folder = Path(tempfile.mkdtemp(prefix="data-registry-demo-"))
    show = Show(folder)
    print(f"Everything happens in {folder}; a storage and a git server are started for it.")
    with azure.serving(folder / "azurite") as storage, gitserver.serving(folder / "git") as server:
        world = registry(show, storage, server)
        model = consumer(show, world)
        branch = annotator(show, world)
        ci(show, world, branch)
        news(show, world, model)
    end(show)
    return 0


def registry(show: Show, storage: azure.Azurite, server: gitserver.GitServer) -> World:
    """Make a registry, and publish it for the first time."""
    show.step(
        "A registry: the sample's movie2 (training) and movie3 (validation). Its movies go to a "
        "storage, an emulator of Azure's; the rest to a git server."
    )
    container = storage.container("demo")
    bare = server.bare("registry", BRANCH)
    seed = worlds.seed(show.folder / "registry")
    writer = {SECRET: container.sas("rlcw")}
    world = World(show.folder, bare, container, BRANCH, writer)
    show.run(seed, "dvc remote add --default storage azure://demo/dvc")
    show.run(seed, "dvc config remote.storage.verify true")
    show.run(seed, "dvc push", **writer)
    show.run(seed, "git add . && git commit -q -m 'A registry'")
    show.run(seed, f"git push -q {address(world)} HEAD:refs/heads/{BRANCH}")
    git(show.folder, "clone", "-q", bare.file_url, str(show.folder / "clone"))
    show.step(
        "CI, in a clone, publishes for the first time: every stage runs in its container. Its "
        f"secret, in {SECRET}, may read, list, create and write, and not delete."
    )
    show.run(world.clone, "python -m pipelines publish", **writer)
    world.first = world.head
    return world


def address(world: World) -> str:
    """The registry's address, as a word of a command."""
    return shlex.quote(str(world.bare.folder))


def consumer(show: Show, world: World) -> Registry:
    """Make a model repository that imports from the registry."""
    show.step(
        "A model repository, with a secret that may only read, imports a dataset's annotations "
        "and the training split."
    )
    model, reader = world.model("model"), {SECRET: world.azure.sas("rl")}
    (model / "data/movie2").mkdir(parents=True)
    for path, out in ("movie2/Annotations", "movie2/Annotations"), ("merged/training", "training"):
        show.run(model, f"dvc import -q {address(world)} data/{path} --out data/{out}", **reader)
    show.run(model, "git add data && git commit -q -m 'Import the data'")
    return model


def annotator(show: Show, world: World) -> str:
    """Change annotations, as CVAT does: on a branch."""
    show.step(
        "An annotator lets a car begin three frames later, and presses Synchronize in CVAT. CVAT "
        "pushes a branch with the new export; nothing else changes."
    )
    branch = world.sync()
    show.run(world.clone, "git fetch -q")
    show.run(world.clone, f"git log -1 --stat --format=%an origin/{branch}")
    return branch


def ci(show: Show, world: World, branch: str) -> None:
    """Check, then publish, the branch."""
    show.step("A job without any secret says whether the branch would be published.")
    show.run(world.clone, f"python -m pipelines check {branch}")
    show.step(
        "CI publishes: it merges, runs the stages that depend on the export (no movie is fetched), "
        "sends the data, looks it up in the storage, and then pushes one commit."
    )
    show.run(world.clone, "python -m pipelines publish", **world.env)
    show.run(world.clone, "git pull -q")
    show.run(world.clone, "git log -1 --format='%h %s%n%n%b'")
    show.run(world.clone, f"dvc metrics diff {world.first[:7]}")


def news(show: Show, world: World, model: Registry) -> None:
    """Update the model repository, and show what is new there."""
    xml = "data/training/Annotations/movie2__frame_000005.xml"
    show.step("The model repository still has the old data; it updates when it likes to.")
    shutil.copy(model / xml, show.folder / "before.xml")
    reader = {SECRET: world.azure.sas("rl")}
    imports = "data/movie2/Annotations.dvc data/training.dvc"
    show.run(model, f"dvc update -q {imports}", **reader)
    show.run(model, "dvc diff")
    show.run(model, f"diff ../before.xml {xml}", 1)
    show.run(model, "git commit -q -a -m 'Update the data'")


def end(show: Show) -> None:
    """Say where to look."""
    print(
        f"\nThat took {time.monotonic() - show.began:.0f} seconds. The servers are ended, the "
        f"folder stays until you delete it:\n  {show.folder}\n"
        "    clone/         the registry: git log, dvc.lock, data/*/metrics.json\n"
        "    model/         the model repository: data/training, data/movie2/Annotations\n"
        "    git/, azurite/ what the servers held"
    )


if __name__ == "__main__":
    sys.exit(main())
