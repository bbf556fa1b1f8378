"""The remote's secret is nowhere but in the environment of those who need it."""

import base64
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from publishing.worlds import World, errors
from services import azurite as azure
from services.gitserver import git, raw

pytestmark = pytest.mark.azure

CANARY = "-".join(("canary", "of", "the", "environment"))  # in no file of the project as it is
PRINTED = "data/movie2/env.txt"
"""Where a stage writes the environment that it sees."""


def forms(*secrets: str) -> set[bytes]:
    """Each secret as it is, percent-encoded, decoded, and in base64."""
    found = set[str]()
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        found |= {secret, quote(secret, safe=""), unquote(secret), encoded}
    return {form.encode() for form in found}


def holds_none(what: str, content: bytes, secrets: Iterable[bytes]) -> None:
    """Find no secret in something."""
    for secret in secrets:
        assert secret not in content, f"{what} holds a secret"


def signature(connection: str) -> str:
    """The secret part of a SAS."""
    found = re.search(r"sig=([^;&]+)", connection)
    assert found
    return found[1]


@contextmanager
def watched() -> Iterator[list[bytes]]:
    """Gather the command lines of all processes of this machine, again and again."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            for entry in os.scandir("/proc"):
                if entry.name.isdigit():
                    try:
                        seen.add(Path(entry.path, "cmdline").read_bytes())
                    except OSError:  # it has ended
                        continue

    thread = threading.Thread(target=look)
    thread.start()
    found: list[bytes] = []
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        found += seen


def with_a_stage_that_prints(world: World) -> None:
    """Have the stage prepare-annotations of movie2 publish the environment that it sees."""
    text = world.file("dvc.yaml").decode()
    head, found, tail = text.partition("  prepare-annotations:")
    command, outs = "      cmd: >-\n", "      outs:\n"
    tail = tail.replace(command, f"{command}        env >data/${{key}}/env.txt &&\n", 1)
    tail = tail.replace(outs, f"{outs}        - data/${{key}}/env.txt\n", 1)
    assert found
    world.commit("a change", **{"dvc.yaml": f"{head}{found}{tail}".encode()})


def printed(world: World) -> bytes:
    """What that stage wrote, from the remote."""
    found = re.search(rf"- path: {PRINTED}\n.*\n\s+md5: (..)(\S+)", world.file("dvc.lock").decode())
    assert found
    return world.container.read(f"dvc/files/md5/{found[1]}/{found[2]}")


def saw_no_secret(environment: bytes, secrets: Iterable[bytes]) -> None:
    """Find in what a stage saw of the environment what it needs, and no secret."""
    names = {line.partition(b"=")[0] for line in environment.splitlines()}
    assert {b"PATH", b"HOME"} <= names, "this is no environment"
    assert not [name for name in names if name.startswith(b"AZURE")], "a stage sees the remote's"
    holds_none(PRINTED, environment, secrets)


def test_a_publish_leaves_no_secret_in_what_it_says_runs_commits_and_sends(world: World) -> None:
    sas = world.azure.sas("rlcw")
    secrets = forms(signature(sas), CANARY)
    world.env = {
        "AZURE_STORAGE_CONNECTION_STRING": sas,
        "GIT_TRACE": "1",
        "CI_JOB_TOKEN": CANARY,
    }
    world.sync()
    with_a_stage_that_prints(world)
    kept = {
        path: (world.clone / path).read_bytes()
        for path in (".git/config", ".dvc/config", ".dvc/.gitignore")
    }
    home = {path: path.exists() for path in (Path.home() / ".git-credentials",)}

    with watched() as lines:
        world.publish()

    assert [line for line in lines if b"pipelines.storage.remote" in line], "nobody watched"
    for line in lines:
        holds_none("a command line", line, secrets)
    holds_none("what is said", "\n".join(world.said).encode(), secrets)
    for blob in world.container.blobs():
        holds_none(blob.name, world.container.read(blob.name), secrets)
    objects = raw(world.bare.folder, "cat-file", "--batch-all-objects", "--batch", "--unordered")
    holds_none("the repository", objects, secrets)
    assert kept == {path: (world.clone / path).read_bytes() for path in kept}
    assert home == {path: path.exists() for path in home}
    assert git(world.clone.folder, "status", "--porcelain", "--ignored") == ""
    for path in (path for path in world.clone.folder.rglob("*") if path.is_file()):
        holds_none(str(path.relative_to(world.clone.folder)), path.read_bytes(), secrets)
    saw_no_secret(printed(world), secrets)
    world.whole()


def test_a_shell_of_stages_that_hands_everything_on_would_be_found(world: World) -> None:
    world.env = {**world.env, "CI_JOB_TOKEN": CANARY}
    with_a_stage_that_prints(world)
    (world.clone / "pipelines/storage/stage-shell").write_text('#!/bin/sh\nexec /bin/sh "$@"\n')

    world.publish()

    with pytest.raises(AssertionError, match="a stage sees"):
        saw_no_secret(printed(world), forms(CANARY, azure.KEY))


@pytest.mark.parametrize("kind", ["expired", "without a right", "another key", "cut", "no host"])
def test_a_publish_that_the_remote_does_not_let_in_says_no_secret(world: World, kind: str) -> None:
    key = base64.b64encode(os.urandom(64)).decode()
    whole = world.env["AZURE_STORAGE_CONNECTION_STRING"]
    connection = {
        "expired": world.azure.sas("rlcw", minutes=-1),
        "without a right": world.azure.sas("c"),
        "another key": whole.replace(azure.KEY, key),
        "cut": whole.replace(azure.KEY, azure.KEY[:-9]),
        "no host": f"{whole.replace(azure.KEY, key).replace('BlobEndpoint=', 'X=')}\n",
    }[kind]
    secrets = forms(*re.findall(r"(?:AccountKey|sig)=([^;&]+)", connection))
    assert secrets
    before = world.bare.refs()
    env = {"AZURE_STORAGE_CONNECTION_STRING": connection, "GIT_TRACE": "1"}

    done = world.pipelines("publish --timeout 60", None, None, **env)

    assert done.returncode in (1, 3)
    assert errors(done.stderr)[0].startswith("error: default branch: ")
    holds_none("what is said", f"{done.stdout}{done.stderr}".encode(), secrets)
    assert world.bare.refs() == before
