"""How the images are built: from what, with what of the host, on which root. Docker is a stub."""

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

import image_folders
from image_folders import NO_STAGES, RECEIVER, TOOLS
from pipelines.__main__ import main
from pipelines.containers import builds, dockerfiles, images, root_image
from pipelines.errors import PipelineError
from registries import Registry

CANARY = "canary-token"


def members(context: bytes) -> dict[str, tarfile.TarInfo]:
    """The members of a build context."""
    with tarfile.open(fileobj=io.BytesIO(context)) as tar:
        return {member.name: member for member in tar}


def arguments(call: str) -> dict[str, str]:
    """The build arguments of a `docker build`."""
    return dict(re.findall(r"--build-arg ([A-Za-z_]+)=?(\S*)", call))


def tag(call: str) -> str:
    """The reference of what a `docker build` makes."""
    (reference,) = re.findall(r"--tag (\S+)", call)
    return str(reference)


@pytest.mark.parametrize("name", sorted({*image_folders.TEXTS} - {TOOLS}))
def test_a_context_holds_what_is_under_git_and_the_bundle(project: Registry, name: str) -> None:
    (project / f"images/{name}/secret.txt").write_text("x")
    found = members(builds.context(name))
    listed = project.sh(f"git ls-files images/{name}").stdout.split()

    assert set(found) - {"ca-bundle.pem"} == {path.split("/", 2)[2] for path in listed}
    assert {member.mode for member in found.values()} <= {0o644, 0o755}
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in found.values()} == {
        (0, 0, 0, "", "")
    }


def test_the_context_of_the_tools_holds_pipelines_too(project: Registry) -> None:
    (project / "pipelines/secret.txt").write_text("x")
    found = members(builds.context(TOOLS))
    listed = project.sh(f"git ls-files pipelines images/{TOOLS}").stdout.split()

    wanted = {path.removeprefix(f"images/{TOOLS}/") for path in listed}
    assert set(found) - {"ca-bundle.pem"} == wanted
    assert {
        "Dockerfile",
        "registry",
        "pipelines/__main__.py",
        "pipelines/setup/build.txt",
    } <= wanted


@pytest.mark.parametrize(
    ("words", "built"),
    [
        ("", set()),
        ("--tools", {TOOLS}),
        ("--receiver", {RECEIVER}),
        ("--push", {TOOLS, RECEIVER}),
    ],
)
def test_what_is_no_stage_is_built_where_it_is_asked_for(
    project: Registry, stub: Any, words: str, built: set[str]
) -> None:
    assert main(["images", *words.split()]) == 0

    asked = "".join(stub.calls("build") + stub.calls("image"))
    assert {name for name in NO_STAGES if images.references()[name] in asked} == built
    assert images.read().images == images.references()
    assert images.read().lacking() == []


@pytest.mark.parametrize("variable", builds.BUNDLES)
def test_a_hosts_ca_bundle_is_handed_to_the_build(
    project: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """So a build works behind a proxy that intercepts TLS."""
    (tmp_path / "company.pem").write_text("company")
    monkeypatch.setenv(variable, str(tmp_path / "company.pem"))
    monkeypatch.setattr(builds, "BUNDLE", "/no/bundle")
    with tarfile.open(fileobj=io.BytesIO(builds.context("base"))) as tar:
        bundle = tar.extractfile("ca-bundle.pem")
        assert bundle
        assert bundle.read() == b"company"

    monkeypatch.delenv(variable)
    assert "ca-bundle.pem" not in members(builds.context("base"))


def test_parents_are_built_first_and_named_to_their_children(project: Registry, stub: Any) -> None:
    images.ensure(tools=True, receiver=True)
    wanted = images.references()
    names = {reference: name for name, reference in wanted.items()}
    built = [(tag(call), arguments(call)) for call in stub.calls("build")]
    order = [names[reference] for reference, _ in built]

    assert sorted(order) == sorted(image_folders.TEXTS)
    for place, (reference, given) in enumerate(built):
        above = image_folders.parent(order[place])
        assert above is None or above in order[:place]
        assert given.get("PARENT_IMAGE") == (wanted[above] if above else None)
        assert given["REFERENCE"] == reference
        assert given["ROOT_IMAGE"] == root_image.MADE


@pytest.mark.parametrize("name", ["tools", "receiver"])
def test_an_image_that_is_asked_for_and_not_named_is_refused(
    project: Registry, stub: Any, name: str
) -> None:
    """A registry that names the images of others has no images/."""
    images.write({"base": "localhost/x/base:1"})
    (project / "images").rename(project / "elsewhere")

    with pytest.raises(PipelineError, match=f"^images.yaml: names no image {name}; take the line"):
        images.ensure(tools=name == "tools", receiver=name == "receiver")

    assert stub.calls("build") == []


def test_what_is_there_is_neither_built_nor_written_again(
    project: Registry, stub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    images.ensure()
    (project / "images/merge-annotations/merge_annotations.py").open("a").write("\n")
    images.ensure()
    first = capsys.readouterr().out
    images.ensure()
    last = capsys.readouterr().out

    stages = len(dockerfiles.names()) - len(NO_STAGES)
    assert len(stub.calls("build")) == stages + 1
    assert "images.yaml: written; commit it" in first
    assert "written" not in last
    assert "built" not in last


def test_what_is_not_under_git_is_named(
    project: Registry, stub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "images/base/stage/new.py").write_text("1")
    (project / "images/base/stage/__pycache__").mkdir()
    (project / "images/base/stage/__pycache__/new.pyc").write_bytes(b"1")
    (project / "pipelines/new.py").write_text("1")
    images.ensure()
    warned = capsys.readouterr().err.splitlines()

    assert warned == [
        f"warning: {path}: is not under git, so in no image; git add it"
        for path in ("images/base/stage/new.py", "pipelines/new.py")
    ]


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "https_proxy", "HTTP_PROXY"])
def test_no_setting_of_the_host_is_seen_or_said(
    project: Registry,
    stub: Any,
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
