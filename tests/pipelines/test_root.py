"""The root of all images: pinned, found, pulled or made. Docker is a stub."""

import os
import re
from typing import Any

import pytest

from pipelines.containers import dockerfiles, images, root_image
from pipelines.errors import PipelineError
from registries import Registry

PINNED = f"debian:bookworm-slim@sha256:{'0' * 64}"


def test_a_root_image_can_be_pinned(project: Registry, stub: Any) -> None:
    file = project / "images/base/Dockerfile"
    file.write_text(re.sub(r"ROOT_IMAGE=\S+", f"ROOT_IMAGE={PINNED}", file.read_text()))
    (stub.folder / "pulls").touch()
    images.ensure()

    assert dockerfiles.declared_root() == PINNED
    assert {re.findall(r"ROOT_IMAGE=(\S+)", call)[0] for call in stub.calls("build")} == {PINNED}


def test_a_pinned_root_image_is_replaced_by_no_other(stub: Any) -> None:
    with pytest.raises(PipelineError, match=f"{PINNED}: cannot be pulled"):
        root_image.image(PINNED)

    assert stub.calls("mmdebstrap") == []


@pytest.mark.parametrize(
    ("has", "pulls", "uid", "expected"),
    [
        (["debian:12", root_image.MADE], False, 0, "debian:12"),
        ([root_image.MADE], False, 1000, root_image.MADE),
        ([], True, 1000, "debian:12"),
        ([], False, 0, root_image.MADE),
        ([], False, 1000, None),
    ],
)
def test_a_root_image_is_found_pulled_or_made(
    stub: Any,
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
        assert root_image.image("debian:12") == expected
    else:
        with pytest.raises(PipelineError, match="debian:12: cannot be pulled"):
            root_image.image("debian:12")

    assert bool(stub.calls("mmdebstrap")) is (not has and not pulls and uid == 0)


def test_a_base_without_root_image_is_refused(project: Registry) -> None:
    file = project / "images/base/Dockerfile"
    file.write_text(file.read_text().replace("ROOT_IMAGE=", "ROOT="))

    with pytest.raises(PipelineError, match="lacks `ARG ROOT_IMAGE=`"):
        dockerfiles.declared_root()


def test_a_pull_says_when_it_begins_and_ends(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (stub.folder / "pulls").touch()
    root_image.image(PINNED)

    begin, end = capsys.readouterr().out.splitlines()
    assert begin == f"{PINNED}: pulling ..."
    assert re.fullmatch(rf"{re.escape(PINNED)}: pulled in \d+ s", end)
