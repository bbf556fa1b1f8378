"""The root image of all others: pulled from a container registry, or made if none is in reach."""

import os
import shutil
import tempfile
from pathlib import Path

from pipelines import commands, messages
from pipelines.containers import engine
from pipelines.errors import PipelineError

MADE = "localhost/data-registry/root:bookworm-minbase"

STRIPPED = ("doc", "man", "info", "locale", "lintian", "bug")
"""Folders of /usr/share that no program needs to run; copyright notices stay."""


def image(wanted: str) -> str:
    """Return an image that the engine has: the wanted one, or one that is made here in its place.

    An image named by digest is never replaced by another: a PipelineError says it is missing.
    """
    for reference in (wanted, MADE) if "@" not in wanted else (wanted,):
        if engine.has(reference):
            return reference
    if engine.pull(wanted):
        return wanted
    if "@" in wanted:
        raise PipelineError(f"{wanted}: cannot be pulled, and is named by digest; load it first")
    if not shutil.which("mmdebstrap") or os.geteuid() != 0:
        raise PipelineError(
            f"{wanted}: cannot be pulled, and making it takes root and mmdebstrap; run `make "
            "images` once as root, or load the image into the engine"
        )
    messages.say(f"{wanted}: no container registry in reach, making it from Debian packages")
    _make()
    return MADE


def _make() -> None:
    """Make a minimal Debian 12 that tells nothing of this machine, and import it."""
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in STRIPPED]
    options.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    options.append('--customize-hook=rm --force "$1/etc/hostname" "$1/etc/resolv.conf"')
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder, "root.tar")
        commands.output(
            "mmdebstrap", "--quiet", "--variant=minbase", *options, "bookworm", str(tar)
        )
        commands.output("docker", "import", str(tar), MADE)
