"""The image that jobs of CI run in: what is in it, and that its commands work."""

import hashlib
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from containers.test_images import settings, told
from containers.test_layers import (
    CERTIFICATE,
    PEM,
    File,
    files,
    locked,
    packages,
    unwanted,
)
from image_folders import REFERENCES, TOOLS
from pipelines import __main__
from pipelines.containers import dockerfiles, root_image
from pipelines.containers.engine import size
from pipelines.datasets import command_line
from registries import PROJECT, Registry

IMAGE = REFERENCES[TOOLS]
MEGABYTES = 330
"""What it may add to the root image."""

LOCKS = (PROJECT / "pipelines/setup/requirements.txt", PROJECT / "images/base/requirements.txt")


@pytest.fixture(scope="module")
def found(engine: docker.DockerClient) -> list[File]:
    """The files in all layers; they are 400 MB, so not kept for other modules."""
    return files.__wrapped__(IMAGE)


def test_it_says_what_it_is_and_differs_from_a_stage_in_its_user(
    engine: docker.DockerClient,
) -> None:
    assert settings(engine, "registry", IMAGE, IMAGE) == {"user", "title"}
    assert engine.images.get(IMAGE).attrs["Config"]["User"] == "0:0"


def test_its_packages_are_those_that_are_locked(found: list[File]) -> None:
    assert packages(found) == locked(*LOCKS)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("opt/packages/dvc-3.1.dist-info/METADATA", {("dvc", "==3.1")}),
        ("opt/packages/ruamel_yaml-0.1.dist-info/METADATA", {("ruamel-yaml", "==0.1")}),
        ("opt/packages/antlr4_x-4.9-py3.11.egg-info/PKG-INFO", {("antlr4-x", "==4.9")}),
        ("opt/packages/antlr4_x-4.9.egg-info/PKG-INFO", {("antlr4-x", "==4.9")}),
        ("opt/packages/a/_vendor/b-1.dist-info/METADATA", set()),
        ("usr/lib/python3/dist-packages/b-1.dist-info/METADATA", set()),
    ],
)
def test_packages_are_known_by_their_metadata(path: str, known: set[tuple[str, str]]) -> None:
    assert packages([File(path, 0o644, b"")]) == known


def test_a_lock_is_read_as_the_images_python_would(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "# made of a\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n"
        "b==2 ; sys_platform == 'win32' \\\n    --hash=sha256:02\n"
        "c==3 ; python_full_version < '3.12' \\\n    --hash=sha256:03\n"
        "c==4 ; python_full_version >= '3.12' \\\n    --hash=sha256:04\n"
    )

    assert locked(lock, tmp_path / "none.txt") == {("a", "==1"), ("c", "==3")}


Code = list[tuple[str, int, bytes]]
STAGE = "opt/stage/"


def code(found: Iterable[File]) -> Code:
    """Path, mode and content of all that is in opt/stage."""
    return [
        (file.path.removeprefix(STAGE), file.mode, file.content)
        for file in found
        if file.path.startswith(STAGE)
    ]


def under_git() -> Code:
    """What must be there: the files under git of three folders, but the image's Dockerfile."""
    folders = ("pipelines", f"images/{TOOLS}", "images/base/stage")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = {Path(line) for line in listed.stdout.split("\0")[:-1]} - {
        Path(f"images/{TOOLS}/Dockerfile")
    }
    return [
        (
            re.sub(f"^images/({TOOLS}|base)/", "", path.as_posix()),
            0o755 if os.access(PROJECT / path, os.X_OK) else 0o644,
            (PROJECT / path).read_bytes(),
        )
        for path in paths
        if (PROJECT / path).exists()
    ]


def differing(one: Code, other: Code) -> set[str]:
    """The paths of files that are not in both, with the same mode and content, as often."""
    counts = Counter(one), Counter(other)
    return {file[0] for file in (counts[0] - counts[1]) + (counts[1] - counts[0])}


def test_its_code_is_what_is_under_git(found: list[File]) -> None:
    wanted = under_git()

    assert {"registry", "pipelines/__main__.py", "pipelines/setup/setup.sh", "stage/cli.py"} <= {
        path for path, _, _ in wanted
    }
    assert differing(code(found), wanted) == set()


MAIN = File("opt/stage/pipelines/__main__.py", 0o644, b"1")


@pytest.mark.parametrize(
    "others",
    [
        [],
        [replace(MAIN, content=b"2")],
        [replace(MAIN, mode=0o755)],
        [replace(MAIN, path="opt/stage/__main__.py"), MAIN],
        [replace(MAIN, content=b"2"), MAIN],
        [MAIN, MAIN],
    ],
)
def test_other_code_shows(others: list[File]) -> None:
    changed = differing(code(others), code([MAIN]))

    assert len(changed) == 1
    assert changed.pop().endswith("__main__.py")


WHOLE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
MOZILLA = "usr/share/ca-certificates/mozilla/"
SUMS = "var/lib/dpkg/info/ca-certificates.md5sums"
PROGRAMS = re.compile(
    r"(dockerd|docker-(init|proxy)|containerd|runc|ctr|ffmpeg|ffprobe|libav)([^/a-z].*)?"
    r"|libav(codec|device|filter|format|util)[^/]*"
)
"""Engines of containers and of videos."""


def md5(content: bytes) -> str:
    """The checksum that Debian's packages have of their files."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def certificates(found: list[File]) -> set[bytes]:
    """Debian's: of the files of its package, if they are what the package's checksums say."""
    sums = {line for f in found if f.path == SUMS for line in f.content.decode().splitlines()}
    return {
        certificate
        for file in found
        if file.path.startswith(MOZILLA) and f"{md5(file.content)}  {file.path}" in sums
        for certificate in WHOLE.findall(file.content)
    }


def more_than_a_stages(file: File, known: set[bytes]) -> File:
    """A file without what this image may have: git, DVC's setuptools, Debian's certificates."""
    path = re.sub(r"^usr/bin/git$|(?<=^opt/packages/)setuptools/", "", file.path)
    content = file.content
    if file.path.startswith((MOZILLA, "etc/ssl/certs/")):
        content = WHOLE.sub(lambda one: b"" if one[0] in known else one[0], content)
    return replace(file, path=path, content=content)


def odd(found: list[File]) -> set[str]:
    """What kinds of files there are that publishing does not need."""
    known = certificates(found)
    kinds = unwanted([more_than_a_stages(file, known) for file in found])
    programs = any(PROGRAMS.fullmatch(file.path.rpartition("/")[2]) for file in found)
    return kinds | {"program"} if programs else kinds


def test_no_layer_holds_what_publishing_does_not_need(found: list[File]) -> None:
    bundle = [f for f in found if f.path == "etc/ssl/certs/ca-certificates.crt"]

    assert odd(found) == set()
    assert len(certificates(found)) > 100
    assert {len(WHOLE.findall(file.content)) for file in bundle} == {len(certificates(found))}
    assert {len(CERTIFICATE.findall(file.content)) for file in bundle} == {len(certificates(found))}


OTHER = PEM.replace(b"A" * 64, b"B" * 64)
DEBIANS = [
    File(f"{MOZILLA}A.crt", 0o644, PEM),
    File(SUMS, 0o644, f"{md5(PEM)}  {MOZILLA}A.crt\n".encode()),
]


@pytest.mark.parametrize(
    ("file", "reported"),
    [
        (File("usr/bin/git", 0o755, b""), set()),
        (File("usr/bin/docker", 0o755, b""), set()),
        (File("opt/packages/setuptools/__init__.py", 0o644, b""), set()),
        (File("opt/packages/certifi/cacert.pem", 0o644, OTHER), set()),
        (File("etc/ssl/certs/ca-certificates.crt", 0o644, PEM), set()),
        (File("etc/ssl/certs/ca-certificates.crt", 0o644, PEM + OTHER), {"certificate"}),
        (File("etc/ssl/certs/ca-certificates.crt", 0o644, OTHER[:90]), {"certificate"}),
        (File("usr/local/share/ca-certificates/company.crt", 0o644, OTHER), {"certificate"}),
        (File(f"{MOZILLA}B.crt", 0o644, OTHER), {"certificate"}),
        (File(f"{MOZILLA}A.crt", 0o644, OTHER), {"certificate"}),
        (File("root/a.pem", 0o644, PEM), {"certificate"}),
        (File("build/ca-bundle.pem", 0o644, b""), {"bundle"}),
        (File("usr/bin/git", 0o777, b""), {"writable"}),
        (File("usr/local/bin/git", 0o755, b""), {"build"}),
        (File("usr/bin/make", 0o755, b""), {"build"}),
        (File("usr/bin/x86_64-linux-gnu-gcc-12", 0o755, b""), {"build"}),
        (File("opt/packages/pip/__init__.py", 0o644, b""), {"build"}),
        (File("usr/lib/python3/dist-packages/setuptools/a.py", 0o644, b""), {"build"}),
        (File("var/lib/apt/lists/example.org_dists", 0o644, b""), {"build"}),
        (File("docker_20.deb", 0o644, b""), {"build"}),
        (File("usr/sbin/dockerd", 0o755, b""), {"program"}),
        (File("usr/bin/docker-proxy", 0o755, b""), {"program"}),
        (File("usr/bin/containerd-shim-runc-v2", 0o755, b""), {"program"}),
        (File("usr/bin/runc", 0o755, b""), {"program"}),
        (File("opt/packages/x/ffmpeg-linux-x86_64-v7", 0o755, b""), {"program"}),
        (File("usr/lib/x86_64-linux-gnu/libavcodec.so.59", 0o644, b""), {"program"}),
        (File("opt/packages/av.libs/libavutil-1a2b.so.59", 0o755, b""), {"program"}),
    ],
)
def test_what_publishing_does_not_need_shows(file: File, reported: set[str]) -> None:
    assert odd([*DEBIANS, file]) == reported


def run(bare: Registry, words: str, options: str = "", image: str = IMAGE) -> tuple[int, str]:
    """Run the image in a folder, which is its own, too; its exit code and all that it said."""
    here = '--mount type=bind,source="$PWD",target="$PWD",readonly --workdir "$PWD"'
    command = f"docker run --rm --pull never --network none {here} {options} {image} {words} 2>&1"
    done = bare.sh(command, check=False)
    return done.returncode, done.stdout


def open_folders(bare: Registry, image: str) -> str:
    """The folders in which everybody may write, and remove what others have written."""
    code, said = run(
        bare, "/ -xdev -type d -perm -0002 ! -perm -1000", "--entrypoint find", image=image
    )
    assert code == 0, said
    return said


def test_nobody_may_write_everywhere(bare: Registry, build: Callable[..., str]) -> None:
    opened = build(f"FROM {IMAGE}\nRUN chmod 777 /opt/stage\n")

    assert open_folders(bare, IMAGE) == ""
    assert open_folders(bare, opened) == "/opt/stage\n"


def test_its_history_tells_nothing_of_where_it_was_built(engine: docker.DockerClient) -> None:
    """Of a certificate only the name of Debian's package, which is in small letters."""
    assert told(engine, IMAGE) == {"certificate"}


def test_it_is_light(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)

    assert 0 < size(IMAGE) - size(root_image.image(dockerfiles.declared_root())) < MEGABYTES * 1e6


def variables(engine: docker.DockerClient, image: str) -> set[str]:
    """What an image's environment has besides what it needs."""
    names = {each.partition("=")[0] for each in engine.images.get(image).attrs["Config"]["Env"]}
    return names - {
        *("PATH", "LANG", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "IMAGE_REFERENCE"),
        *("LOGNAME", "HOME"),
    }


def test_its_environment_has_no_secret_and_no_proxy(
    engine: docker.DockerClient, build: Callable[..., str]
) -> None:
    words = "https_proxy=http://a PIP_INDEX_URL=https://b AZURE_STORAGE_KEY=c"
    other = build(f"FROM {IMAGE}\nENV {words}\n")

    assert variables(engine, IMAGE) == set()
    assert variables(engine, other) == {"https_proxy", "PIP_INDEX_URL", "AZURE_STORAGE_KEY"}


@pytest.mark.parametrize("user", ["", "--user 1234:1234"])
def test_it_explains_its_commands_to_everybody(bare: Registry, engine: Any, user: str) -> None:
    """Also to a user who has neither a name nor a home in it."""
    code, said = run(bare, "--help", user)

    assert code == 0
    assert re.findall(r"^    ([a-z]+) ", said, re.M) == [
        *__main__.COMMANDS,
        *command_line.COMMANDS,
    ]


def test_an_unknown_command_is_refused(bare: Registry, engine: Any) -> None:
    code, said = run(bare, "unknown")

    assert code == 2
    assert "invalid choice: 'unknown'" in said


@pytest.mark.parametrize("user", ["", "--user 1234:1234"])
def test_its_dvc_is_the_locked_one_and_knows_azure(bare: Registry, engine: Any, user: str) -> None:
    code, said = run(bare, "-m dvc version", f"--entrypoint python3 {user}")
    found = re.match(r"DVC version: (\S+)", said)

    assert code == 0
    assert found
    assert ("dvc", f"=={found[1]}") in locked(*LOCKS)
    assert "azure (adlfs" in said


@pytest.mark.parametrize(
    ("options", "works"),
    [("", True), ("--user 1234:1234", True), ("--user 1234:1234 --env LOGNAME=", False)],
)
def test_its_dvc_works_for_everybody(
    bare: Registry, engine: Any, options: str, works: bool
) -> None:
    """DVC asks for the user's name, which a user whom the image does not know lacks."""
    script = "mkdir /tmp/new && cd /tmp/new && git init -q && dvc() { python3 -m dvc $*; } &&"
    script += " dvc init && dvc status"
    code, said = run(bare, f"-c {shlex.quote(script)}", f"--entrypoint sh {options}")

    assert (code == 0) is works, said
    assert ("uid not found: 1234" in said) is not works


@pytest.mark.parametrize(
    ("program", "option", "begin"),
    [
        ("git", "--version", "git version 2."),
        ("ssh", "-V", "OpenSSH_"),
        ("docker", "--version", "Docker version "),
    ],
)
def test_it_has_the_programs_that_publishing_starts(
    bare: Registry, engine: Any, program: str, option: str, begin: str
) -> None:
    """Its base has none of them, which shows."""
    entry = f"--entrypoint {program}"
    code, said = run(bare, option, entry)

    assert code == 0
    assert said.startswith(begin)
    assert run(bare, option, entry, image=REFERENCES["base"])[0] == 127


def test_its_docker_speaks_with_the_engine(bare: Registry, engine: docker.DockerClient) -> None:
    socket = "--volume /var/run/docker.sock:/var/run/docker.sock"
    words = f"image inspect --format '{{{{.Id}}}}' {IMAGE}"

    assert run(bare, words, f"{socket} --entrypoint docker") == (
        0,
        f"{engine.images.get(IMAGE).id}\n",
    )


CANARY = "code of the folder runs"


@pytest.mark.parametrize("words", ["--help", "doctor"])
@pytest.mark.parametrize("module", ["pipelines", "dvc"])
def test_a_folders_own_code_is_not_what_runs(
    bare: Registry, engine: Any, module: str, words: str
) -> None:
    """A merge request's neither: with python's `-m` it would be."""
    for path in (f"{module}/__init__.py", f"{module}/__main__.py", "yaml.py", "sitecustomize.py"):
        (bare / path).parent.mkdir(exist_ok=True)
        (bare / path).write_text(f"print({CANARY!r})\n")
    code, said = run(bare, words)
    other = run(bare, shlex.join(["-m", module, "version"]), "--entrypoint python3")

    assert CANARY not in said
    assert code == (1 if words == "doctor" else 0)
    assert CANARY in other[1]
