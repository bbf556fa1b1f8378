"""What is in the layers of the images: what the stages need and nothing else."""

import os
import platform
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from image_folders import REFERENCES, STAGES
from pipelines.containers import dockerfiles
from registries import PROJECT

every_stage = pytest.mark.parametrize("stage", STAGES)


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pipelines finds images/ and images.yaml."""
    monkeypatch.chdir(PROJECT)


@dataclass(frozen=True)
class File:
    """A file in a layer of an image, even if a later layer hides it."""

    path: str
    mode: int
    content: bytes


@cache
def files(image: str) -> list[File]:
    """The files in all layers of an image; of one larger than 20 MB not its content."""
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved,
        tarfile.open(fileobj=saved.stdout, mode="r|") as whole,
    ):
        return [file for member in whole for file in layer(whole.extractfile(member))]


def layer(stream: IO[bytes] | None) -> Iterator[File]:
    """The files in a part of an image, if that is a layer."""
    if stream is None:
        return
    with suppress(tarfile.ReadError), tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in filter(tarfile.TarInfo.isfile, tar):
            opened = tar.extractfile(member) if member.size < 20e6 else None
            content = opened.read() if opened else b""
            yield File(member.name.removeprefix("./"), member.mode & 0o7777, content)


CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/]{60}")
PACKAGES = "opt/packages/"
BUILDS = re.compile(
    r"(usr/(local/)?)?s?bin/([a-z0-9_-]+-)?(pip|gcc|g\+\+|cc|cpp|ld|make|git|curl|wget)[0-9.-]*$"
    r"|.*/((dist|site)-)?packages/(pip|setuptools|wheel)/"
    r"|var/lib/apt/lists/[^/]+_|.*\.deb$"
)


HOST = [platform.node().encode(), *Path("/etc/resolv.conf").read_bytes().splitlines()]
TELLING = ("etc/hostname", "etc/hosts", "etc/resolv.conf")
"""What the machine that builds is called, and where it asks for names; and where that stands."""


def unwanted(found: Iterable[File]) -> set[str]:
    """What kinds of files there are that no stage needs."""
    kinds = {
        "bundle": lambda file: "ca-bundle" in file.path,
        "certificate": lambda file: (
            not file.path.startswith(PACKAGES)  # there under a hash
            and CERTIFICATE.search(file.content)
        ),
        "host": lambda file: (
            file.path in TELLING and any(one in file.content for one in HOST if one)
        ),
        "build": lambda file: BUILDS.match(file.path),
        "writable": lambda file: file.mode & 0o002,
    }
    return {kind for kind, matches in kinds.items() if any(map(matches, found))}


@every_stage
def test_no_layer_holds_what_only_building_needs(engine: Any, stage: str) -> None:
    assert unwanted(files(REFERENCES[stage])) == set()


PEM = b"-----BEGIN CERTIFICATE-----\n" + b"A" * 64 + b"\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("path", "content", "mode", "reported"),
    [
        ("/build/ca-bundle.pem", b"", 0o644, "bundle"),
        ("/etc/ssl/certs/company.pem", PEM, 0o644, "certificate"),
        ("/etc/hostname", HOST[0], 0o644, "host"),
        ("/etc/resolv.conf", HOST[-1], 0o644, "host"),
        ("/usr/bin/pip3", b"", 0o644, "build"),
        ("/usr/bin/x86_64-linux-gnu-gcc-12", b"", 0o644, "build"),
        ("/opt/packages/pip/__init__.py", b"", 0o644, "build"),
        ("/var/lib/apt/lists/example.org_dists", b"", 0o644, "build"),
        ("/var/cache/apt/archives/python3.deb", b"", 0o644, "build"),
        ("/opt/stage/anything", b"", 0o666, "writable"),
    ],
)
def test_what_only_building_needs_shows_even_if_it_is_hidden(
    build: Callable[..., str], path: str, content: bytes, mode: int, reported: str
) -> None:
    lines = f"FROM scratch\nCOPY it {path}\nCOPY other {path}\n"
    image = build(lines, mode, it=content, other=b"harmless")

    assert unwanted(files(image)) == {reported}


@every_stage
def test_only_video_to_frame_has_ffmpeg(engine: Any, stage: str) -> None:
    programs = {
        file.path
        for file in files(REFERENCES[stage])
        if file.path.rpartition("/")[2].startswith(("ffmpeg", "ffprobe", "libav"))
        and file.mode & 0o111
    }

    assert bool(programs) is (stage == "video-to-frame"), programs


PACKAGE = re.compile(
    r"opt/packages/([^/]+?)-([^/-]+)(-py3\.\d+)?\.(dist-info/METADATA|egg-info/PKG-INFO)$"
)


def packages(found: Iterable[File]) -> set[tuple[str, str]]:
    """The installed packages and their versions."""
    matches = (PACKAGE.match(file.path) for file in found)
    return {(canonicalize_name(one[1]), f"=={one[2]}") for one in matches if one}


DEBIAN = {"sys_platform": "linux", "python_full_version": "3.11.2"}


def locked(*locks: Path) -> set[tuple[str, str]]:
    """What requirements files lock for the images' Python."""
    lines = "\n".join(lock.read_text() for lock in locks if lock.exists()).replace("\\\n", "")
    wanted = [Requirement(line.split(" --hash")[0]) for line in lines.splitlines() if "==" in line]
    return {
        (canonicalize_name(one.name), str(one.specifier))
        for one in wanted
        if not one.marker or one.marker.evaluate(DEBIAN)
    }


@every_stage
def test_the_packages_are_those_that_are_locked(engine: Any, stage: str) -> None:
    locks = (PROJECT / "images" / name / "requirements.txt" for name in dockerfiles.ancestry(stage))

    assert packages(files(REFERENCES[stage])) == locked(*locks)


@every_stage
def test_the_code_is_what_is_under_git(engine: Any, stage: str) -> None:
    """Every file of the image's folder and its parents', but for what it is built with."""
    found = [file for file in files(REFERENCES[stage]) if file.path.startswith("opt/stage/")]
    wanted = {
        path.relative_to(dockerfiles.FOLDER / name).as_posix(): (
            path.read_bytes(),
            os.access(path, os.X_OK),
        )
        for name in dockerfiles.ancestry(stage)
        for path in dockerfiles.files(name)
        if not path.name.startswith(("Dockerfile", "requirements."))
    }

    assert len(found) == len(wanted)
    assert {
        f.path.removeprefix("opt/stage/"): (f.content, f.mode == 0o755) for f in found
    } == wanted
