"""The Docker engine: the images that it has, and their way from and to a container registry."""

import base64
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines import commands
from pipelines.errors import PipelineError, Transient

SECONDS = 600
"""After which a pull is given up; from a container registry out of reach it fails by itself."""

CREDENTIALS = ("CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")
"""Variables with a container registry's host and credentials; GitLab sets them in every job."""

REFUSALS = re.compile(r"unauthorized|denied|no basic auth", re.I)
"""What docker says where it is not let in; an image that is not there is "not found"."""

Environment = Mapping[str, str]


def has(reference: str) -> bool:
    """Tell whether the engine has an image."""
    return commands.works("docker", "image", "inspect", reference)


def size(reference: str) -> int:
    """Return how many bytes an image takes, its parents' included."""
    return int(commands.output("docker", "image", "inspect", "--format", "{{.Size}}", reference))


def pulled(reference: str, env: Environment | None = None) -> bool:
    """Pull an image, if there is a container registry that has it; warn if it lets us not in."""
    try:
        done = commands.run("docker", "pull", "--quiet", reference, env=env, timeout=SECONDS)
    except Transient:
        return False
    if REFUSALS.search(done.stderr):
        print(f"warning: {reference}: cannot be pulled: {_last(done.stderr)}", file=sys.stderr)
    return done.returncode == 0


def push(reference: str, env: Environment | None = None) -> None:
    """Send an image to its container registry."""
    done = commands.run("docker", "push", "--quiet", reference, env=env)
    if done.returncode:
        remedy = f"check {', '.join(CREDENTIALS[:2])} and {CREDENTIALS[2]}"
        raise PipelineError(f"{reference}: cannot be pushed: {_last(done.stderr)}; {remedy}")


def _last(said: str) -> str:
    """Return the last line of what docker said."""
    return said.strip().rpartition("\n")[2]


@contextmanager
def logged_in() -> Iterator[Environment]:
    """Yield an environment in which docker knows CI's credentials, for their host alone.

    `docker login` would leave them in the home folder, for whoever works there next.
    """
    host, user, password = (os.environ.get(name) for name in CREDENTIALS)
    if not (host and user and password):
        yield os.environ
        return
    known = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps({"auths": {host: known}}), "utf-8")
        yield {**os.environ, "DOCKER_CONFIG": folder}
