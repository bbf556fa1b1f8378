"""Builds a Docker image from the files under git and some settings of the host."""

import io
import os
import tarfile
import time
from pathlib import Path

from pipelines import commands, messages
from pipelines.containers import root_image
from pipelines.containers.dockerfiles import FOLDER, declared_root, files

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


def build(name: str, reference: str, parent: str | None) -> None:
    """Build an image from the files under git, and nothing else but the host's CA bundle.

    parent: the reference of the image that it is built on, None for the root image.
    """
    messages.say(f"{name}: building ...")
    began = time.monotonic()
    arguments = {"REFERENCE": reference, "ROOT_IMAGE": root_image.image(declared_root())}
    if parent:
        arguments["PARENT_IMAGE"] = parent
    words = ["=".join(pair) for pair in arguments.items()]
    words += [key for key in PASSED_ON if os.environ.get(key)]  # docker takes the values itself
    options = [word for each in words for word in ("--build-arg", each)]
    commands.output(
        *("docker", "build", "--network", "host", "--tag", reference, *options, "-"),
        stdin=context(name),
        env={**os.environ, "DOCKER_BUILDKIT": "0"},  # the builder that every engine has
    )
    messages.say(f"{name}: built in {time.monotonic() - began:.0f} s")


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
