"""The Docker images: every folder of images/ with a Dockerfile is one.

An image's reference is `<prefix>/<folder>:<hash>`; the hash is of the files under git that it is
built from, its parent's included. So it changes exactly when the code changes, DVC runs exactly
the stages whose image changed, and an image that is there need not be built.
"""

import hashlib
import io
import os
import re
import sys
import tarfile
import time
from pathlib import Path

import yaml

from pipelines import commands, root
from pipelines.errors import PipelineError

FOLDER = Path("images")
REFERENCES = Path("images.yaml")
PARENT = re.compile(r"^ARG PARENT_IMAGE=\S*?([a-z-]+)$", re.M)
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


def ensure(*, push: bool = False) -> None:
    """Write images.yaml, then pull or build the images that the engine lacks.

    push: send those to the container registry that it lacks; the prefix names it.
    """
    for path in _untracked():
        print(f"warning: {path}: is not under git, so in no image; git add it", file=sys.stderr)
    wanted = references()
    if write(wanted):
        print(f"{REFERENCES}: written; commit it")
    for name in names():
        if not commands.works("docker", "image", "inspect", wanted[name]) and not _pulled(
            wanted[name]
        ):
            build(name, wanted)
        if push and not wanted[name].startswith(LOCAL) and not _is_shared(wanted[name]):
            commands.output("docker", "push", "--quiet", wanted[name])
        print(f"{wanted[name]}  {size(wanted[name]) / 1e6:.0f} MB", flush=True)


def _pulled(reference: str) -> bool:
    """Pull an image, if there is a container registry that has it."""
    return not reference.startswith(LOCAL) and commands.works("docker", "pull", "-q", reference)


def _is_shared(reference: str) -> bool:
    """Tell whether the container registry has an image."""
    return commands.works("docker", "manifest", "inspect", reference)


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
    prefix = yaml.safe_load(REFERENCES.read_text("utf-8"))["prefix"]
    return {name: f"{prefix}/{name}:{digest(name)}" for name in names()}


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
    """Return the files of an image's folder that are under git."""
    listed = commands.output("git", "ls-files", "-z", "--", str(FOLDER / name))
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


def build(name: str, wanted: dict[str, str]) -> None:
    """Build an image from the files under git, and nothing else but the host's CA bundle."""
    print(f"{name}: building ...", flush=True)
    began = time.monotonic()
    own, *parents = ancestry(name)
    arguments = {"REFERENCE": wanted[own], "ROOT_IMAGE": root.image(declared_root())}
    if parents:
        arguments["PARENT_IMAGE"] = wanted[parents[0]]
    words = ["=".join(pair) for pair in arguments.items()]
    words += [key for key in PASSED_ON if os.environ.get(key)]  # docker takes the values itself
    options = [word for each in words for word in ("--build-arg", each)]
    commands.output(
        *("docker", "build", "--network", "host", "--tag", wanted[name], *options, "-"),
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
            _add(tar, path.relative_to(FOLDER / name).as_posix(), path.read_bytes(), mode)
        bundle = next((os.environ[key] for key in BUNDLES if os.environ.get(key)), BUNDLE)
        if Path(bundle).is_file():
            _add(tar, "ca-bundle.pem", Path(bundle).read_bytes(), 0o644)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def size(reference: str) -> int:
    """Return how many bytes an image takes, its parents' included."""
    return int(commands.output("docker", "image", "inspect", "--format", "{{.Size}}", reference))
