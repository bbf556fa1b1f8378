"""`doctor`: is everything set up as it should be? In a CI job as on a laptop."""

import os
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from pipelines import commands, messages
from pipelines.containers import engine, images
from pipelines.cvat import checks, http
from pipelines.errors import PipelineError
from pipelines.setup.findings import Finding
from pipelines.storage import remote, remote_objects
from pipelines.storage.git import Git

SECRET = "AZURE_STORAGE_CONNECTION_STRING"  # noqa: S105  # its name


def doctor() -> int:
    """Say of each part whether it is as it should be; return 1 if one is not."""
    findings = [each for look in LOOKS for each in _looked(look)]
    for each in findings:
        if each.wrong:
            messages.refuse(f"{each.what}: {each.wrong}")
        else:
            messages.say(f"ok: {each.what}{each.note and f'; {each.note}'}")
    return int(any(each.wrong for each in findings))


def _looked(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except (PipelineError, OSError) as error:
        found.append(Finding(look.__name__.strip("_").replace("_", " "), str(error)))
    return found


def _clone() -> Iterator[Finding]:
    git = Git(Path.cwd())
    shallow = git("rev-parse", "--is-shallow-repository") == "true"
    remedy = "fetch all of it (GitLab: GIT_DEPTH: 0, GitHub: fetch-depth: 0)"
    yield Finding("the clone is whole", f"it lacks old commits; {remedy}" if shallow else "")
    yield Finding(f"origin's default branch is {git.default()}")


def _protection() -> Iterator[Finding]:
    """Look at what the forge says of this job: secrets are for the default branch alone."""
    gitlab, github = os.environ.get("GITLAB_CI"), os.environ.get("GITHUB_ACTIONS")
    if not (gitlab or github):
        return
    here = os.environ.get("CI_COMMIT_REF_NAME") or os.environ.get("GITHUB_REF_NAME") or ""
    default = Git(Path.cwd()).default()
    wanted = {SECRET: _scheme() == "azure", http.SECRET: bool(checks.read_settings().cvat)}
    for name, needed in wanted.items():
        has = bool(os.environ.get(name))
        if here != default:
            remedy = "limit it: GitLab: protect the variable; GitHub: an environment for one branch"
            yield Finding(f"{name} is hidden from {here}", f"it is not; {remedy}" if has else "")
        elif needed:
            yield Finding(f"{name} is set", "" if has else _MISSING)
    if gitlab and here == default:
        protected = os.environ.get("CI_COMMIT_REF_PROTECTED") == "true"
        remedy = "Settings > Repository > Protected branches: nobody pushes but the publisher"
        yield Finding(f"{here} is protected", "" if protected else f"it is not; {remedy}")


_MISSING = "it is not; set it as docs/ci-gitlab.md or docs/ci-github.md says"


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
    said = engine.answer("version", "--format", "{{.Server.Version}}")
    yield Finding(f"the Docker engine answers, version {said}")
    known = images.read()
    lost = known.lacking()
    remedy = "run `python -m pipelines images`"
    yield Finding("the images are in the engine", f"it lacks {lost[0]}; {remedy}" if lost else "")
    if not (Path.cwd() / "data").is_dir():
        yield Finding("data/ is here", "it is not; add a dataset: make the folder data/<name>")
    elif not lost:
        yield Finding("containers see the files of this folder", _mounted(known.images["base"]))


def _mounted(image: str) -> str:
    """Return what is wrong with mounts: a file of data/ must be seen in a container."""
    data = Path.cwd() / "data"
    probe = data / f".partial-doctor-{uuid.uuid4().hex}"
    probe.touch()
    try:
        done = engine.ask(
            *("run", "--rm", "--pull=never", "--network=none", "--entrypoint=ls"),
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
    name = _setting("core.remote")
    if not name:
        text = "there is none; run `dvc remote add --default storage azure://container/path`"
        yield Finding("a default remote is set", text)
        return
    yield Finding(f"the default remote is {name}")
    verified = _setting(f"remote.{name}.verify") == "true"
    wrong = "" if verified else f"dvc config remote.{name}.verify true"
    yield Finding("what is read from it is checked", wrong and f"it is not; run `{wrong}`")
    found = remote.probe(Path.cwd())
    yield Finding("it can be read", found["read"])
    yield Finding("it can be written to", found["write"])
    if not found["deletable"]:
        yield Finding("nothing in it can be deleted")
    elif remedy := KEEPS.get(_scheme()):
        yield Finding("nothing in it can be deleted", f"{remedy}, so that no mistake removes data")
    else:
        note = "whoever can write to it can delete, too: keep a copy of it"
        yield Finding("it is a remote without rights of its own", note=note)


KEEPS = {
    "azure": "give CI a SAS with the rights rlcw",
    "s3": "give CI credentials without the right s3:DeleteObject",
    "gs": "give CI the role Storage Object Creator and Viewer",
}
"""Kind of remote -> how its objects are kept from being deleted."""


def _scheme() -> str:
    """Return the kind of the default remote: azure, s3, ssh ...; empty for a folder."""
    scheme, separated, _ = _setting(f"remote.{_setting('core.remote')}.url").partition("://")
    return scheme if separated else ""


def _setting(name: str) -> str:
    """Return a setting of DVC, empty if it has none."""
    return _settings(Path.cwd()).get(name, "")


@cache
def _settings(folder: Path) -> dict[str, str]:
    """Return DVC's settings in a folder, name -> value; asked once, because DVC starts slowly."""
    listed = commands.module("dvc", "config", "--list", folder=folder).stdout.splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in listed)}


def _cvat() -> Iterator[Finding]:
    """Look at the CVAT that `fetch` asks."""
    yield from checks.find()


def _cache() -> Iterator[Finding]:
    """Look whether the objects of the cache hash to their names.

    A file that is linked to the cache and written to, by root or after a `chmod`, changes what
    old versions have.
    """
    from tqdm import tqdm  # noqa: PLC0415  # where images are built, Python may lack it

    known = commands.module("dvc", "cache", "dir").stdout.strip()
    objects = sorted(Path(known, "files", "md5").glob("[0-9a-f][0-9a-f]/*")) if known else []
    wrong = [
        path
        for path in tqdm(objects, "the cache", unit=" objects", leave=False, disable=None)
        if remote_objects.hash_file(path) != f"{path.parent.name}{path.name}".removesuffix(".dir")
    ]
    remedy = "delete it there, then `dvc pull`; write no file that DVC keeps, but replace it"
    text = f"{len(wrong)} do not; the first is {wrong[0]}: {remedy}" if wrong else ""
    yield Finding(f"the {len(objects)} objects of the cache hash to their names", text)


LOOKS = (_clone, _protection, _container_registry, _engine, _remote, _cvat, _cache)
