"""The Docker engine: the images that it has, and their way from and to a container registry."""

import base64
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines import commands, messages
from pipelines.errors import PipelineError, Transient

PULL_SECONDS = 600
"""After which a pull or push is given up; from a host out of reach it fails by itself."""

ANSWER_SECONDS = 60
"""After which an engine counts as silent: what is asked here takes it less than a second."""

CREDENTIALS = ("CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")
"""Variables with a container registry's host and credentials; GitLab sets them in every job."""

REFUSALS = re.compile(r"unauthorized|denied|no basic auth", re.I)
"""What docker says where it is not let in; an image that is not there is "not found"."""

ABSENT = re.compile(r"no such image|not found", re.I)
"""What an engine says of an image that it does not have."""

Environment = Mapping[str, str]


def ask(*words: str, seconds: float = ANSWER_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a docker command that asks the engine; Transient says that the engine does not answer.

    seconds: how long to wait, at most ANSWER_SECONDS.
    """
    seconds = min(seconds, ANSWER_SECONDS)
    try:
        return commands.run("docker", *words, timeout=seconds)
    except Transient:
        text = f"does not answer within {seconds:.0f} s; look at `docker version`, or restart it"
        raise Transient(f"the Docker engine {text}") from None


def answer(*words: str, seconds: float = ANSWER_SECONDS) -> str:
    """Return what the engine answers to a question; a PipelineError says why it does not."""
    done = ask(*words, seconds=seconds)
    if done.returncode:
        raise PipelineError(f"the Docker engine: {_last_line(done.stderr)}")
    return done.stdout.strip()


def has(reference: str, seconds: float = ANSWER_SECONDS) -> bool:
    """Tell whether the engine has an image."""
    done = ask("image", "inspect", "--format", "{{.Id}}", reference, seconds=seconds)
    if done.returncode and not ABSENT.search(done.stderr):
        raise PipelineError(f"the Docker engine: {_last_line(done.stderr)}")
    return done.returncode == 0


def size(reference: str) -> int:
    """Return how many bytes an image takes, its parents' included."""
    return int(answer("image", "inspect", "--format", "{{.Size}}", reference))


def stop_containers(label: str, seconds: float = ANSWER_SECONDS) -> None:
    """End and remove the containers with a label, running or not."""
    listed = answer("ps", "--quiet", "--no-trunc", "--filter", f"label={label}", seconds=seconds)
    for container in listed.split():
        ask("rm", "--force", container, seconds=seconds)


def pull(reference: str, env: Environment | None = None) -> bool:
    """Pull an image and tell whether that worked; warn of a container registry that refuses."""
    messages.say(f"{reference}: pulling ...")
    began = time.monotonic()
    try:
        done = commands.run("docker", "pull", "--quiet", reference, env=env, timeout=PULL_SECONDS)
    except Transient:
        return False
    if REFUSALS.search(done.stderr):
        messages.warn(f"{reference}: cannot be pulled: {_last_line(done.stderr)}")
    if done.returncode:
        return False
    messages.say(f"{reference}: pulled in {time.monotonic() - began:.0f} s")
    return True


def push(reference: str, env: Environment | None = None) -> None:
    """Send an image to its container registry."""
    messages.say(f"{reference}: pushing ...")
    began = time.monotonic()
    done = commands.run("docker", "push", "--quiet", reference, env=env, timeout=PULL_SECONDS)
    if done.returncode:
        remedy = f"check {', '.join(CREDENTIALS[:2])} and {CREDENTIALS[2]}"
        raise PipelineError(f"{reference}: cannot be pushed: {_last_line(done.stderr)}; {remedy}")
    messages.say(f"{reference}: pushed in {time.monotonic() - began:.0f} s")


def _last_line(said: str) -> str:
    """Return the last line of what docker said."""
    return said.strip().rpartition("\n")[2]


@contextmanager
def log_in() -> Iterator[Environment]:
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
