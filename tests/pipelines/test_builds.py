"""How the images are built: from what, with what of the host, on which root. Docker is a stub."""

import io
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import images, root
from pipelines.__main__ import main
from pipelines.errors import PipelineError
from registries import Registry

CANARY = "canary-token"
PINNED = f"debian:bookworm-slim@sha256:{'0' * 64}"
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>{0}/calls
case "$1" in
  image) for last; do :; done; grep -qxF "$last" {0}/has && echo 1000000 ;;
  pull) [ -e {0}/pulls ] && echo "$3" >>{0}/has ;;
  build)
    [ "$DOCKER_BUILDKIT" = 0 ] && cat >{0}/context && [ ! -e {0}/fails ] || exit 1
    while [ "$1" != --tag ]; do shift; done
    echo "$2" >>{0}/has ;;
  import) echo "$3" >>{0}/has ;;
esac
"""
MMDEBSTRAP = """#!/bin/sh
printf 'mmdebstrap %s\\n' "$*" >>{0}/calls
for last; do :; done; echo >"$last"
"""


@dataclass(frozen=True)
class Engine:
    """A stub of an engine: what it has, and what it was told."""

    folder: Path

    def has(self, *references: str) -> None:
        (self.folder / "has").write_text("".join(f"{one}\n" for one in references))

    def calls(self, first: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(first)]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that has the root image, and nothing else of the host's settings."""
    folder = tmp_path / "stub"
    folder.mkdir()
    for name, text in ("docker", DOCKER), ("mmdebstrap", MMDEBSTRAP):
        (folder / name).write_text(text.format(folder))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in (*images.BUNDLES, *images.PASSED_ON):
        monkeypatch.delenv(name, raising=False)
    engine = Engine(folder)
    engine.has(root.MADE)
    (folder / "calls").touch()
    return engine


@pytest.fixture
def project(
    clone: Callable[[str], Registry], stub: Engine, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    """A copy of the project to break, and the current folder."""
    made = clone("project")
    monkeypatch.chdir(made.folder)
    return made


def members(context: bytes) -> dict[str, tarfile.TarInfo]:
    """The members of a build context."""
    with tarfile.open(fileobj=io.BytesIO(context)) as tar:
        return {member.name: member for member in tar}


def arguments(call: str) -> dict[str, str]:
    """The build arguments of a `docker build`."""
    return dict(re.findall(r"--build-arg ([A-Za-z_]+)=?(\S*)", call))


@pytest.mark.parametrize("name", ["base", "annotations", "video-to-frame", "merge-annotations"])
def test_a_context_holds_what_is_under_git_and_the_bundle(project: Registry, name: str) -> None:
    (project / f"images/{name}/secret.txt").write_text("x")
    found = members(images.context(name))
    listed = project.sh(f"git ls-files images/{name}").stdout.split()

    assert set(found) - {"ca-bundle.pem"} == {path.split("/", 2)[2] for path in listed}
    assert {member.mode for member in found.values()} <= {0o644, 0o755}
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in found.values()} == {
        (0, 0, 0, "", "")
    }


@pytest.mark.parametrize("variable", images.BUNDLES)
def test_a_hosts_ca_bundle_is_handed_to_the_build(
    project: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """So a build works behind a proxy that intercepts TLS."""
    (tmp_path / "company.pem").write_text("company")
    monkeypatch.setenv(variable, str(tmp_path / "company.pem"))
    monkeypatch.setattr(images, "BUNDLE", "/no/bundle")
    with tarfile.open(fileobj=io.BytesIO(images.context("base"))) as tar:
        bundle = tar.extractfile("ca-bundle.pem")
        assert bundle
        assert bundle.read() == b"company"

    monkeypatch.delenv(variable)
    assert "ca-bundle.pem" not in members(images.context("base"))


def test_parents_are_built_first_and_named_to_their_children(
    project: Registry, stub: Engine
) -> None:
    images.ensure()
    wanted = images.references()
    built = [(re.search(r"--tag (\S+)", call), arguments(call)) for call in stub.calls("build")]

    assert [found[1] for found, _ in built if found] == [
        wanted[name]
        for name in (
            "base",
            "annotations",
            "video-to-frame",
            "merge-annotations",
            "prepare-annotations",
        )
    ]
    assert [given.get("PARENT_IMAGE") for _, given in built] == [
        None,
        *([wanted["base"]] * 2),
        *([wanted["annotations"]] * 2),
    ]
    assert all(given["REFERENCE"] == found[1] for found, given in built if found)
    assert {given["ROOT_IMAGE"] for _, given in built} == {root.MADE}


def test_what_is_there_is_neither_built_nor_written_again(
    project: Registry, stub: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    images.ensure()
    (project / "images/merge-annotations/merge_annotations.py").open("a").write("\n")
    images.ensure()
    first = capsys.readouterr().out
    images.ensure()
    last = capsys.readouterr().out

    assert len(stub.calls("build")) == len(images.names()) + 1
    assert "images.yaml: written; commit it" in first
    assert "written" not in last
    assert "built" not in last


def test_what_is_not_under_git_is_named(
    project: Registry, stub: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "images/base/stage/new.py").write_text("1")
    (project / "images/base/stage/__pycache__").mkdir()
    (project / "images/base/stage/__pycache__/new.pyc").write_bytes(b"1")
    images.ensure()
    warned = capsys.readouterr().err

    assert (
        warned
        == "warning: images/base/stage/new.py: is not under git, so in no image; git add it\n"
    )


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "https_proxy", "HTTP_PROXY"])
def test_no_setting_of_the_host_is_seen_or_said(
    project: Registry,
    stub: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """An address may hold a password: other users see arguments, everybody reads CI's log."""
    monkeypatch.setenv(name, f"https://user:{CANARY}@example.org")
    (stub.folder / "fails").touch()
    code = main(["images"])
    said = capsys.readouterr()

    assert code == 1
    assert name in arguments(stub.calls("build")[0])
    assert CANARY not in said.out + said.err
    assert CANARY not in "".join(stub.calls("build"))


def test_a_root_image_can_be_pinned(project: Registry, stub: Engine) -> None:
    file = project / "images/base/Dockerfile"
    file.write_text(re.sub(r"ROOT_IMAGE=\S+", f"ROOT_IMAGE={PINNED}", file.read_text()))
    (stub.folder / "pulls").touch()
    images.ensure()

    assert images.declared_root() == PINNED
    assert {arguments(call)["ROOT_IMAGE"] for call in stub.calls("build")} == {PINNED}


def test_a_pinned_root_image_is_replaced_by_no_other(stub: Engine) -> None:
    with pytest.raises(PipelineError, match=f"{PINNED}: cannot be pulled"):
        root.image(PINNED)

    assert stub.calls("mmdebstrap") == []


@pytest.mark.parametrize(
    ("has", "pulls", "uid", "expected"),
    [
        (["debian:12", root.MADE], False, 0, "debian:12"),
        ([root.MADE], False, 1000, root.MADE),
        ([], True, 1000, "debian:12"),
        ([], False, 0, root.MADE),
        ([], False, 1000, None),
    ],
)
def test_a_root_image_is_found_pulled_or_made(
    stub: Engine,
    monkeypatch: pytest.MonkeyPatch,
    has: list[str],
    pulls: bool,
    uid: int,
    expected: str | None,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    stub.has(*has)
    if pulls:
        (stub.folder / "pulls").touch()
    if expected:
        assert root.image("debian:12") == expected
    else:
        with pytest.raises(PipelineError, match="debian:12: cannot be pulled"):
            root.image("debian:12")

    assert bool(stub.calls("mmdebstrap")) is (not has and not pulls and uid == 0)


def test_a_base_without_root_image_is_refused(project: Registry) -> None:
    file = project / "images/base/Dockerfile"
    file.write_text(file.read_text().replace("ROOT_IMAGE=", "ROOT="))

    with pytest.raises(PipelineError, match="lacks `ARG ROOT_IMAGE=`"):
        images.declared_root()
