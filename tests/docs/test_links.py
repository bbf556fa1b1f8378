"""Every page is reached, and every link leads somewhere."""

import pytest

from documents import anchors, links, manual, pages, text_of
from registries import PROJECT

LARGEST = 150_000
"""Bytes of a picture."""


def broken(page: str, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for path, anchor in links(page, text):
        if not (PROJECT / path).exists():
            found.append(path)
        elif anchor and anchor not in anchors(text_of(path) if path != page else text):
            found.append(f"{path}#{anchor}")
    return found


@pytest.mark.parametrize("page", pages())
def test_every_link_and_anchor_leads_somewhere(page: str) -> None:
    assert broken(page, text_of(page)) == []


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("[x](datasets.md#no-such-section)", "docs/datasets.md#no-such-section"),
        ("[x](no-such-page.md)", "docs/no-such-page.md"),
        ("[x](#no-such-section)", "docs/cvat.md#no-such-section"),
        ("![x](no-such-picture.png)", "docs/no-such-picture.png"),
    ],
)
def test_one_that_does_not_shows(link: str, found: str) -> None:
    assert broken("docs/cvat.md", f"{text_of('docs/cvat.md')}\n{link}\n") == [found]


def test_the_readme_leads_to_every_page_of_the_manual() -> None:
    reached = {path for path, _ in links("README.md", text_of("README.md"))}

    assert set(manual()) - reached == {"README.md"}
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"} <= reached


@pytest.mark.parametrize("page", sorted(set(manual()) - {"README.md"}))
def test_every_page_begins_with_whom_it_is_for(page: str) -> None:
    title, empty, first, *_ = text_of(page).splitlines()

    assert title.startswith("# ")
    assert not empty
    assert first.startswith("For people who ")


def test_pictures_are_small() -> None:
    shown = {path for page in pages() for path, _ in links(page, text_of(page)) if ".png" in path}

    assert "docs/boxes.png" in shown
    assert [path for path in shown if (PROJECT / path).stat().st_size > LARGEST] == []
