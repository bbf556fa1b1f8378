"""`doctor`: is everything set up as it should be? In a CI job as on a laptop."""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines import commands, images, remote
from pipelines.errors import PipelineError
from pipelines.git import Git

SECRET = "AZURE_STORAGE_CONNECTION_STRING"  # noqa: S105  # its name


class Finding(NamedTuple):
    """What was looked at, and what is wrong with it: nothing if that is empty."""

    what: str
    wrong: str = ""


def doctor() -> int:
    """Say of each part whether it is as it should be; return 1 if one is not."""
    findings = [each for look in LOOKS for each in _looked(look)]
    for each in findings:
        if each.wrong:
            print(f"error: {each.what}: {each.wrong}", file=sys.stderr, flush=True)
        else:
            print(f"ok: {each.what}", flush=True)
    return int(any(each.wrong for each in findings))


def _looked(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except PipelineError as error:
        return [Finding(look.__name__.strip("_").replace("_", " "), str(error))]


def _clone() -> Iterator[Finding]:
    git = Git(Path.cwd())
    shallow = git("rev-parse", "--is-shallow-repository") == "true"
    remedy = "fetch all of it (GitLab: GIT_DEPTH: 0, GitHub: fetch-depth: 0)"
    yield Finding("the clone is whole", f"it lacks old commits; {remedy}" if shallow else "")
    yield Finding(f"origin's default branch is {git.default()}")


def _protection() -> Iterator[Finding]:
    """Look at what the forge says of this job: the secret is for the default branch alone."""
    gitlab, github = os.environ.get("GITLAB_CI"), os.environ.get("GITHUB_ACTIONS")
    if not (gitlab or github):
        return
    here = os.environ.get("CI_COMMIT_REF_NAME") or os.environ.get("GITHUB_REF_NAME") or ""
    default = Git(Path.cwd()).default()
    has = bool(os.environ.get(SECRET))
    if here == default:
        yield Finding(f"{SECRET} is set", "" if has else _MISSING)
    else:
        remedy = "limit it: GitLab: protect the variable; GitHub: an environment for one branch"
        yield Finding(f"{SECRET} is hidden from {here}", f"it is not; {remedy}" if has else "")
    if gitlab and here == default:
        protected = os.environ.get("CI_COMMIT_REF_PROTECTED") == "true"
        remedy = "Settings > Repository > Protected branches: nobody pushes but the publisher"
        yield Finding(f"{here} is protected", "" if protected else f"it is not; {remedy}")


_MISSING = "it is not; set it as README.md says"


def _container_registry() -> Iterator[Finding]:
    """Look whether images are where the token of any branch's job can push others."""
    env = os.environ
    own = env.get("CI_REGISTRY_IMAGE") or f"{env.get('CI_REGISTRY')}/{env.get('GITHUB_REPOSITORY')}"
    prefix = images.read().prefix
    if own != "None/None":
        everybody = f"{prefix}/".startswith(f"{own.lower()}/")
        wrong = f"they can, to {prefix}; name another project's in images.yaml" if everybody else ""
        yield Finding("jobs of other branches cannot push images", wrong)


def _engine() -> Iterator[Finding]:
    """Look whether containers see the files of this folder, and whether their images are here."""
    said = commands.output("docker", "version", "--format", "{{.Server.Version}}")
    yield Finding(f"the Docker engine answers, version {said}")
    known = images.read()
    lost = known.lacking()
    remedy = "run `python -m pipelines images`"
    yield Finding("the images are in the engine", f"it lacks {lost[0]}; {remedy}" if lost else "")
    if not lost:
        yield Finding("containers see the files of this folder", _mounted(known.images["base"]))


def _mounted(image: str) -> str:
    """Return what is wrong with mounts: a file of data/ must be seen in a container."""
    data = Path.cwd() / "data"
    probe = data / f".partial-doctor-{uuid.uuid4().hex}"
    probe.touch()
    try:
        done = commands.run(
            *("docker", "run", "--rm", "--pull=never", "--network=none", "--entrypoint=ls"),
            *("--mount", f"type=bind,source={data},target={data}", image, "-a", str(data)),
        )
    finally:
        probe.unlink()
    if done.returncode and "does not exist" not in done.stderr:
        return f"{' '.join(done.stderr.split())[:200]}; see what the engine lacks"
    if probe.name in done.stdout.split():
        return ""
    return (
        f"{data} is {'not' if done.returncode else 'empty'} there: the engine is another machine's "
        "or container's; give it the build folder at the same path (runner: volumes = [\"/builds:"
        '/builds"]; docker:dind: the same volume for the service), or use a shell executor'
    )


def _remote() -> Iterator[Finding]:
    """Look at the remote: it is set, checked by readers, and can be written to, not emptied."""
    config = commands.run(sys.executable, "-m", "dvc", "config", "core.remote")
    name = config.stdout.strip()
    if not name:
        text = "there is none; run `dvc remote add --default storage azure://container/path`"
        yield Finding("a default remote is set", text)
        return
    yield Finding(f"the default remote is {name}")
    verify = commands.run(sys.executable, "-m", "dvc", "config", f"remote.{name}.verify")
    wrong = "" if verify.stdout.strip() == "true" else f"dvc config remote.{name}.verify true"
    yield Finding("what is read from it is checked", wrong and f"it is not; run `{wrong}`")
    found = remote.probed(Path.cwd())
    yield Finding("it can be read", found["read"])
    yield Finding("it can be written to", found["write"])
    remedy = "give CI a SAS with the rights rlcw, so that no mistake can remove data"
    yield Finding("nothing in it can be deleted", remedy if found["deletable"] else "")


LOOKS = (_clone, _protection, _container_registry, _engine, _remote)
