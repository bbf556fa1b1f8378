"""A day of a registry on one machine, in a minute: `make demo` shows it, step by step."""

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from demo.show import Show
from publishing import worlds
from publishing.worlds import EXPORT, World
from registries import Registry
from services import azurite as azure
from services import gitserver
from services.cvat_server import CvatServer
from services.cvat_state import Task
from services.gitserver import git

BRANCH = "trunk"
STORAGE, CVAT = "AZURE_STORAGE_CONNECTION_STRING", "CVAT_ACCESS_TOKEN"
"""The variables of the two secrets that CI has."""

CAR = 'frame="6" keyframe="1" outside="0" occluded="1" xtl="{}" ytl="125.85" xbr="{}"'
"""The box of a car in movie2's export, but for its left and right edge."""

BLURRED = 20
"""The frame that is deleted. It shows a bicycle."""


def main() -> int:
    """Do it all in a temporary folder, which stays; the servers end."""
    for name in (STORAGE, CVAT):  # of whoever runs this: each command gets what it is to have
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="data-registry-demo-"))
    show = Show(folder)
    print(
        f"Everything happens in {folder}.\n"
        "A storage, a git server and a server that plays CVAT's part are started for it."
    )
    with (
        azure.serving(folder / "azurite") as storage,
        gitserver.serving(folder / "git") as server,
        CvatServer() as cvat,
    ):
        world = registry(show, storage, server, cvat)
        model = consumer(show, world)
        task = annotators(show, world, cvat)
        accepted = reviewer(show, world, cvat, task)
        ci(show, world)
        news(show, world, model, accepted)
        idle(show, world, cvat)
        assert cvat.unexpected == []
    end(show)
    return 0


def registry(
    show: Show, storage: azure.Azurite, server: gitserver.GitServer, cvat: CvatServer
) -> World:
    """Make a registry, and publish it for the first time."""
    show.step(
        "A registry: the sample's movie2 (training) and movie3 (validation). Its movies go to a "
        "storage, an emulator of Azure's; the rest to a git server. Its params.yaml says where "
        "CVAT is, and that movie2 is annotated there in task 12."
    )
    container = storage.container("demo")
    bare = server.bare("registry", BRANCH)
    seed = worlds.seed(show.folder / "registry")
    with (seed / "params.yaml").open("a") as params:
        params.write(f"\ncvat:\n  url: {cvat.url}\n")
    writer = {STORAGE: container.sas("rlcw")}
    world = World(show.folder, bare, container, BRANCH, writer)
    show.run(seed, "grep -e cvat -e url: params.yaml")
    show.run(seed, "dvc remote add --default storage azure://demo/dvc")
    show.run(seed, "dvc config remote.storage.verify true")
    show.run(seed, "dvc push", **writer)
    show.run(seed, "git add . && git commit -q -m 'A registry'")
    show.run(seed, f"git push -q {address(world)} HEAD:refs/heads/{BRANCH}")
    git(show.folder, "clone", "-q", bare.file_url, str(show.folder / "clone"))
    show.step(
        "CI, in a clone, publishes for the first time: every stage runs in its container. Its "
        f"secret, in {STORAGE}, may read, list, create and write, and not delete."
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
    model, reader = world.model("model"), {STORAGE: world.azure.sas("rl")}
    (model / "data/movie2").mkdir(parents=True)
    for path, out in ("movie2/Annotations", "movie2/Annotations"), ("merged/training", "training"):
        show.run(model, f"dvc import -q {address(world)} data/{path} --out data/{out}", **reader)
    show.run(model, "git add data && git commit -q -m 'Import the data'")
    return model


def annotators(show: Show, world: World, cvat: CvatServer) -> Task:
    """Change annotations in CVAT, and let CI look while they are not accepted."""
    show.step(
        "In CVAT, task 12 has two jobs. In the first, an annotator has moved a car's box in frame "
        f"6 by two pixels, and deleted frame {BLURRED}, which is blurred; the reviewer has "
        "accepted that job. The second is in progress. CI looks at CVAT, with a token in "
        f"{CVAT} that may only read. It takes no task before all its jobs are accepted."
    )
    jobs = ("acceptance", "completed"), ("annotation", "in progress")
    before = world.export()
    cvat.user = "data-registry"
    task = cvat.add_task(12, export=before, jobs=jobs, organization=None)
    task.save(world.export(with_moved_car))
    task.delete_frames(BLURRED)
    assert task.export != before
    show.run(world.clone, "python -m pipelines fetch", **{CVAT: cvat.token})
    return task


def with_moved_car(text: str) -> str:
    """Move the car's box to the right."""
    return text.replace(CAR.format("5.75", "47.35"), CAR.format("7.75", "49.35"))


def reviewer(show: Show, world: World, cvat: CvatServer, task: Task) -> int:
    """Accept the rest of the task, and fetch it; return when it was accepted."""
    show.step(
        "The annotator of the second job sets it to completed, and the reviewer accepts it. That "
        "is all that people do. When CI looks again, by its schedule or because CVAT's webhook "
        "says so, it exports the task and pushes a branch with one commit. Dates and addresses "
        "are left out of the export, so that it changes only if the annotations do; the deleted "
        "frames, which CVAT does not export, are written into it."
    )
    task.set_job(1, "annotation", "completed")
    task.set_job(1, "acceptance", "completed")
    accepted = show.seconds
    show.run(world.clone, "python -m pipelines fetch", **{CVAT: cvat.token})
    branch = "origin/cvat_12_movie2"
    show.run(world.clone, f"git fetch -q && git log -1 --format=%B --stat {branch}")
    show.run(world.clone, f"git show {branch}:{EXPORT} | grep deleted_frames")
    return accepted


def ci(show: Show, world: World) -> None:
    """Publish the branch."""
    show.step(
        "The same job of CI then publishes, with the storage's secret and without CVAT's. It "
        "merges the branch, runs the stages that depend on the export (no movie is fetched), sends "
        "the data, looks it up in the storage, and then pushes one commit."
    )
    show.run(world.clone, "python -m pipelines publish", **world.env)
    show.run(world.clone, "git pull -q && git log -1 --format='%h %s'")
    show.run(world.clone, f"dvc metrics diff {world.first[:7]}")


def news(show: Show, world: World, model: Registry, accepted: int) -> None:
    """Update the model repository, and show what is new there."""
    xml = "data/training/Annotations/movie2__frame_000006.xml"
    show.step("The model repository still has the old data; it updates when it likes to.")
    shutil.copy(model / xml, show.folder / "before.xml")
    reader = {STORAGE: world.azure.sas("rl")}
    imports = "data/movie2/Annotations.dvc data/training.dvc"
    show.run(model, f"dvc update -q {imports}", **reader)
    show.note(
        f"The boxes are here {show.seconds - accepted} seconds after they were accepted in CVAT; "
        "the deleted frame is gone:"
    )
    show.run(model, "dvc diff")
    show.run(model, f"diff ../before.xml {xml}", 1)
    show.run(model, "git commit -q -a -m 'Update the data'")


def idle(show: Show, world: World, cvat: CvatServer) -> None:
    """Let CI look when there is nothing to do."""
    show.step("CI looks again. One request to CVAT tells that nothing has changed since.")
    before = len(cvat.requests)
    show.run(world.clone, "python -m pipelines fetch", **{CVAT: cvat.token})
    asked = [f"{request.method} {request.where}" for request in cvat.requests[before:]]
    show.note(f"That was all that CVAT was asked: {', '.join(asked)}")
    show.run(world.clone, "python -m pipelines publish", **world.env)


def end(show: Show) -> None:
    """Say where to look."""
    print(
        f"\nThat took {show.seconds} seconds. The servers are ended, the folder stays until you "
        f"delete it:\n  {show.folder}\n"
        "    clone/         the registry: git log, dvc.lock, data/*/metrics.json\n"
        "    model/         the model repository: data/training, data/movie2/Annotations\n"
        "    git/, azurite/ what the servers held"
    )


if __name__ == "__main__":
    sys.exit(main())
