"""The canonical form of exports that a real CVAT wrote, and of what is none."""

from collections.abc import Callable

import pytest

from cvat_worlds import recorded, without_the_lines
from pipelines.cvat.canonical import Canonical, strip
from pipelines.errors import PipelineError

VIDEO = "19-export-task-video11"
DROPPED = ("dumped", "updated", "email", "url")


def make_canonical(content: bytes, deleted: tuple[int, ...]) -> Canonical:
    return strip(content).fill(deleted)


def canonical(name: str) -> bytes:
    return make_canonical(recorded(name), ()).content


def test_exports_of_one_state_are_the_same_bytes() -> None:
    """The cache expired (23), somebody saved without a change (24), another person asked (45)."""
    others = [
        "23-export-task-after-cache-expired",
        "24-export-task-after-empty-save",
        "45-retrieve-without-org-context",
        "52-poll-until-finished",
    ]

    assert recorded(VIDEO) != recorded(others[0])
    assert {canonical(name) for name in others} == {canonical(VIDEO)}
    assert canonical("c-bridge-after-an-edit") == canonical("e-bridge-completed-again")
    assert canonical("c-bridge-after-an-edit") != canonical(VIDEO)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (VIDEO, "task"),
        ("91-export-task-images11", "task"),
        ("21-export-job-video11", "job"),
        ("22-export-project-video11", "project"),
    ],
)
def test_all_else_stays_as_cvat_wrote_it(name: str, owner: str) -> None:
    made = make_canonical(recorded(name), (24, 6)).content

    lines = made.decode().splitlines()
    at = lines.index("      <deleted_frames>6 24</deleted_frames>")
    assert lines[at - 1] == f"    <{owner}>"
    assert lines[:at] + lines[at + 1 :] == without_the_lines(recorded(name), *DROPPED)
    assert made.endswith(b"</annotations>\n") is recorded(name).endswith(b"</annotations>\n")


def test_no_frame_is_known_to_be_deleted() -> None:
    assert b"<task>\n      <deleted_frames></deleted_frames>\n" in canonical(VIDEO)


def test_what_people_should_not_read_is_gone() -> None:
    for text in (b"@example.com", b"localhost:58081"):
        assert text in recorded(VIDEO)
        assert text not in canonical(VIDEO)


def test_the_date_is_written_as_the_api_writes_it() -> None:
    """19 was exported when the task's date was this one, as the API said in 13 and facts say."""
    assert make_canonical(recorded(VIDEO), ()).updated == "2026-11-27T02:52:44.780429Z"


def test_a_date_without_a_part_of_a_second_is_one() -> None:
    content = recorded(VIDEO).replace(b"02:52:44.780429+00:00", b"02:52:44+00:00")

    assert make_canonical(content, ()).updated == "2026-11-27T02:52:44Z"


def test_a_canonical_file_is_no_export() -> None:
    with pytest.raises(PipelineError, match="has no date"):
        make_canonical(canonical(VIDEO), ())


def test_what_looks_like_a_line_of_meta_in_the_annotations_stays() -> None:
    line = b"  <url>kept</url>\n</annotations>"
    content = recorded(VIDEO).replace(b"</annotations>", line)

    assert line in make_canonical(content, ()).content


def replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new, 1)


HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n'

BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no XML": (lambda _: b"<html>", "is no XML"),
    "half": (lambda content: content[:5000], "is no XML"),
    "empty": (lambda _: b"", "is no XML"),
    "DTD": (replace(HEAD, HEAD + b'<!DOCTYPE a [<!ENTITY x "y">]>'), "has a DTD"),
    "external DTD": (replace(HEAD, HEAD + b'<!DOCTYPE a SYSTEM "http://x/y">'), "has a DTD"),
    "entity": (replace(b"bikes day", b"&evil;"), "is no XML"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), "is not in UTF-8"),
    "Latin-1": (replace(b"bikes day", b"b\xe4r"), "is not in UTF-8"),
    "said to be Latin-1": (replace(b'"utf-8"', b'"latin-1"'), "is not in UTF-8"),
    "another root": (
        lambda content: content.replace(b"annotations>", b"datumaro>"),
        "has no <meta>",
    ),
    "no meta": (lambda _: HEAD + b"<annotations/>", "has no <meta>"),
    "no date": (replace(b"<updated>", b"<updated>not "), "has no date"),
    "all in one line": (
        lambda content: content.replace(b"\n", b""),
        "has <updated> where it is not expected",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_export_is_refused_in_one_line(name: str) -> None:
    spoil, said = BAD[name]

    with pytest.raises(PipelineError, match=said) as caught:
        make_canonical(spoil(recorded(VIDEO)), ())

    assert "\n" not in str(caught.value)
