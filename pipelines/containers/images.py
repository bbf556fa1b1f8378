"""The Docker images that images.yaml names: pulled or built, so that the engine has them.

An image's reference is `<prefix>/<folder>:<hash>`; the hash is of the files under git that it is
built from, its parent's included. So it changes exactly when the code changes, DVC runs exactly
the stages whose image changed, and an image that is there need not be built.

A registry that uses the images of another one has no images/: its images.yaml says which.
"""

from pathlib import Path
from typing import NamedTuple

import yaml

from pipelines import messages
from pipelines.containers import builds, dockerfiles, engine
from pipelines.errors import PipelineError
from pipelines.forges import forge

REFERENCES = Path("images.yaml")
LOCAL = "localhost/"
"""What the prefix begins with where there is no container registry."""

TOOLS, RECEIVER = "tools", "receiver"
"""The images that no stage needs: jobs of CI run in the one, the other runs beside CVAT."""


class Known(NamedTuple):
    """What images.yaml says: the prefix, how stages are run, and each image's reference."""

    prefix: str
    run: str
    images: dict[str, str]

    def lacking(self, seconds: float = engine.ANSWER_SECONDS) -> list[str]:
        """Return the references that stages need and the engine lacks."""
        others = (TOOLS, RECEIVER)
        needed = [each for name, each in self.images.items() if name not in others]
        return [each for each in needed if not engine.has(each, seconds)]


def read(folder: Path = Path()) -> Known:
    """Return what a folder's images.yaml says."""
    try:
        said = yaml.safe_load((folder / REFERENCES).read_text("utf-8"))
        return Known(str(said["prefix"]), str(said["run"]), dict(said.get("images") or {}))
    except FileNotFoundError:
        text = "is not here; run this in the folder of a registry"
        raise PipelineError(f"{folder.absolute() / REFERENCES}: {text}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        text = "is not prefix, run and images in YAML; restore it from git"
        raise PipelineError(f"{REFERENCES}: {text}") from None


def ready(folder: Path, seconds: float = engine.ANSWER_SECONDS) -> Known:
    """Return what a folder's images.yaml says, if the engine has what stages need."""
    known = read(folder)
    for reference in known.lacking(seconds):
        raise PipelineError(f"{reference}: is not in the engine; run `python -m pipelines images`")
    return known


def ensure(*, tools: bool = False, receiver: bool = False, push: bool = False) -> None:
    """Write images.yaml, then pull or build the images that the engine lacks.

    tools: the one that CI's jobs run in, too. receiver: the one that runs beside CVAT, too. push:
    all, and send to the container registry that the prefix names what it lacks.
    """
    prefix = read().prefix
    if push and prefix.startswith(LOCAL):
        messages.say(
            f"{REFERENCES}: the prefix {prefix} names no container registry; nothing is pushed"
        )
    asked_for = {TOOLS: tools or push, RECEIVER: receiver or push}
    known = _wanted()
    for name, asked in ((TOOLS, tools), (RECEIVER, receiver)):
        if asked and name not in known:
            text = f"names no image {name}; take the line from images.yaml of the tools"
            raise PipelineError(f"{REFERENCES}: {text}")
    wanted = {name: each for name, each in known.items() if asked_for.get(name, True)}
    with engine.log_in() as env:
        for name, reference in wanted.items():
            _provide(name, reference, env, push=push and not prefix.startswith(LOCAL))
            messages.say(f"{reference}  {engine.size(reference) / 1e6:.0f} MB")
    if TOOLS in wanted:
        forge.name_image(wanted[TOOLS])


def _wanted() -> dict[str, str]:
    """Return the reference of each image, parents first; images.yaml names them now."""
    if not dockerfiles.FOLDER.is_dir():
        return read().images
    for path in dockerfiles.untracked():
        messages.warn(f"{path}: is not under git, so in no image; git add it")
    wanted = references()
    if write(wanted):
        messages.say(f"{REFERENCES}: written; commit it")
    return wanted


def _provide(name: str, reference: str, env: engine.Environment, *, push: bool) -> None:
    """Pull or build an image if the engine lacks it; push it if the container registry lacks it.

    An image that others have pushed is pulled, never built and pushed again: all have the same.
    """
    there = engine.has(reference)
    if there and not push:
        return
    if not reference.startswith(LOCAL) and engine.pull(reference, env):
        return
    if not there:
        _build(name, reference)
    if push:
        engine.push(reference, env)


def _build(name: str, reference: str) -> None:
    if not dockerfiles.FOLDER.is_dir():
        text = "is not in the engine, and cannot be pulled; name one that can in images.yaml"
        raise PipelineError(f"{reference}: {text}")
    parents = dockerfiles.ancestry(name)[1:]
    builds.build(name, reference, _reference(read().prefix, parents[0]) if parents else None)


def references() -> dict[str, str]:
    """Return the reference of each image as the files are now."""
    prefix = read().prefix
    return {name: _reference(prefix, name) for name in dockerfiles.names()}


def _reference(prefix: str, name: str) -> str:
    return f"{prefix}/{name}:{dockerfiles.digest(name)}"


def write(wanted: dict[str, str]) -> bool:
    """Write the references into images.yaml, below its last key; tell whether they were others."""
    before = REFERENCES.read_text("utf-8")
    head, _, _ = before.partition("\nimages:\n")
    lines = "".join(f"  {name}: {reference}\n" for name, reference in sorted(wanted.items()))
    after = f"{head}\nimages:\n{lines}"
    if after != before:
        REFERENCES.write_text(after, "utf-8")
    return after != before
