"""The Docker images: every folder of images/ with a Dockerfile is one.

An image's reference is `<prefix>/<folder>:<hash>`; the hash is of the files under git that it is
built from, its parent's included. So it changes exactly when the code changes, DVC runs exactly
the stages whose image changed, and an image that is there need not be built.

A registry that uses the images of another one has no images/: its images.yaml says which.
"""

import hashlib
import io
import os
import re
import sys
import tarfile
import time
from pathlib import Path
from typing import NamedTuple

import yaml

from pipelines import commands, engine, forge, root
from pipelines.errors import PipelineError

FOLDER = Path("images")
REFERENCES = Path("images.yaml")
PARENT = re.compile(r"^ARG PARENT_IMAGE=\S*?([a-z-]+)$", re.M)
ALSO = re.compile(r"^ARG PROJECT_FOLDER=([a-z-]+)$", re.M)
"""A folder of the project that an image is built from, besides its own."""

BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where a host's CA bundle is: what the first of these variables says, or Debian's place."""

PASSED_ON = (
    "PIP_INDEX_URL",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
"""Settings of the host that a build needs to reach its packages; none ends up in an image."""


LOCAL = "localhost/"
"""What the prefix begins with where there is no container registry."""

TOOLS = "registry"
"""The image in which jobs of CI run; no stage needs it."""


class Known(NamedTuple):
    """What images.yaml says: the prefix, how stages are run, and each image's reference."""

    prefix: str
    run: str
    images: dict[str, str]

    def lacking(self) -> list[str]:
        """Return the references that stages need and the engine has not."""
        needed = {name: each for name, each in self.images.items() if name != TOOLS}
        return [each for each in needed.values() if not engine.has(each)]


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


def ready(folder: Path) -> Known:
    """Return what a folder's images.yaml says, if the engine has what stages need."""
    known = read(folder)
    for reference in known.lacking():
        raise PipelineError(f"{reference}: is not in the engine; run `python -m pipelines images`")
    return known


def ensure(*, tools: bool = False, push: bool = False) -> None:
    """Write images.yaml, then pull or build the images that the engine lacks.

    tools: the one that CI's jobs run in, too. push: all, and send to the container registry that
    the prefix names what it lacks.
    """
    prefix = read().prefix
    if push and prefix.startswith(LOCAL):
        print(f"{REFERENCES}: the prefix {prefix} names no container registry; nothing is pushed")
    wanted = {
        name: reference for name, reference in _wanted().items() if tools or push or name != TOOLS
    }
    with engine.logged_in() as env:
        for name, reference in wanted.items():
            _provide(name, reference, env, push=push and not prefix.startswith(LOCAL))
            print(f"{reference}  {engine.size(reference) / 1e6:.0f} MB", flush=True)
    if TOOLS in wanted:
        forge.name_image(wanted[TOOLS])


def _wanted() -> dict[str, str]:
    """Return the reference of each image, parents first; images.yaml names them now."""
    if not FOLDER.is_dir():
        return read().images
    for path in _untracked():
        print(f"warning: {path}: is not under git, so in no image; git add it", file=sys.stderr)
    wanted = references()
    if write(wanted):
        print(f"{REFERENCES}: written; commit it")
    return wanted


def _provide(name: str, reference: str, env: engine.Environment, *, push: bool) -> None:
    """Have an image in the engine, and push it if the container registry lacks it.

    Who pushes takes what others have pushed, so that all have the same.
    """
    there = engine.has(reference)
    if there and not push:
        return
    if not reference.startswith(LOCAL) and engine.pulled(reference, env):
        return
    if not there:
        build(name, reference)
    if push:
        engine.push(reference, env)


def names() -> list[str]:
    """Return the names of the images, parents before children."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
    return sorted(found, key=lambda name: (len(ancestry(name)), name))


def ancestry(name: str) -> list[str]:
    """Return an image and those it is built from, itself first."""
    parent = PARENT.search((FOLDER / name / "Dockerfile").read_text("utf-8"))
    return [name, *(ancestry(parent[1]) if parent else [])]


def references() -> dict[str, str]:
    """Return the reference of each image as the files are now."""
    prefix = read().prefix
    return {name: _reference(prefix, name) for name in names()}


def _reference(prefix: str, name: str) -> str:
    return f"{prefix}/{name}:{digest(name)}"


def digest(name: str) -> str:
    """Return the hash of the files that an image is built from, 12 hexadecimal digits."""
    whole = hashlib.sha256()
    for folder in ancestry(name):
        for path in files(folder):
            executable = os.access(path, os.X_OK)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{path.as_posix()}\0{executable:d}\0{content}\n".encode())
    return whole.hexdigest()[:12]


def files(name: str) -> list[Path]:
    """Return the files under git that an image is built from, its parents' not included."""
    also = ALSO.search((FOLDER / name / "Dockerfile").read_text("utf-8"))
    folders = [str(FOLDER / name), *(also.groups() if also else [])]
    listed = commands.output("git", "ls-files", "-z", "--", *folders)
    return sorted(path for path in map(Path, listed.split("\0")[:-1]) if path.exists())


def _untracked() -> list[str]:
    """Return files in the images' folders that git neither has nor ignores."""
    listed = commands.output(
        "git", "ls-files", "-z", "--others", "--exclude-standard", "--", str(FOLDER)
    )
    return listed.split("\0")[:-1]


def write(wanted: dict[str, str]) -> bool:
    """Write the references into images.yaml, below its last key; tell whether they were others."""
    before = REFERENCES.read_text("utf-8")
    head, _, _ = before.partition("\nimages:\n")
    lines = "".join(f"  {name}: {reference}\n" for name, reference in sorted(wanted.items()))
    after = f"{head}\nimages:\n{lines}"
    if after != before:
        REFERENCES.write_text(after, "utf-8")
    return after != before


def build(name: str, reference: str) -> None:
    """Build an image from the files under git, and nothing else but the host's CA bundle."""
    if not FOLDER.is_dir():
        text = "is not in the engine, and cannot be pulled; name one that can in images.yaml"
        raise PipelineError(f"{reference}: {text}")
    print(f"{name}: building ...", flush=True)
    began = time.monotonic()
    arguments = {"REFERENCE": reference, "ROOT_IMAGE": root.image(declared_root())}
    for parent in ancestry(name)[1:2]:
        arguments["PARENT_IMAGE"] = _reference(read().prefix, parent)
    words = ["=".join(pair) for pair in arguments.items()]
    words += [key for key in PASSED_ON if os.environ.get(key)]  # docker takes the values itself
    options = [word for each in words for word in ("--build-arg", each)]
    commands.output(
        *("docker", "build", "--network", "host", "--tag", reference, *options, "-"),
        stdin=context(name),
        env={**os.environ, "DOCKER_BUILDKIT": "0"},  # the builder that every engine has
    )
    print(f"{name}: built in {time.monotonic() - began:.0f} s", flush=True)


def declared_root() -> str:
    """Return the root image that the base's Dockerfile names."""
    text = (FOLDER / "base" / "Dockerfile").read_text("utf-8")
    found = re.search(r"^ARG ROOT_IMAGE=(\S+)$", text, re.M)
    if not found:
        raise PipelineError(
            f"{FOLDER}/base/Dockerfile: lacks `ARG ROOT_IMAGE=`; name the root image"
        )
    return found[1]


def context(name: str) -> bytes:
    """Return the build context as a tar: same files, same bytes, whatever the host's umask is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in files(name):
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            own = path.is_relative_to(FOLDER / name)
            inside = path.relative_to(FOLDER / name) if own else path
            _add(tar, inside.as_posix(), path.read_bytes(), mode)
        bundle = next((os.environ[key] for key in BUNDLES if os.environ.get(key)), BUNDLE)
        if Path(bundle).is_file():
            _add(tar, "ca-bundle.pem", Path(bundle).read_bytes(), 0o644)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))
