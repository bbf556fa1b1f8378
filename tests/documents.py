"""The documentation as tests read it: pages, their headings, and their blocks of commands."""

import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping

from registries import PROJECT

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.S | re.M)
"""A block of code: its indentation, language and text."""
HEADING = re.compile(r"^#{1,6} +(.*)$", re.M)


def pages() -> list[str]:
    """The paths of all pages that are under git, in the project."""
    command = ["git", "ls-files", "-z", "*.md"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True)
    return sorted(filter(None, listed.stdout.split("\0")))


def text_of(page: str) -> str:
    """The text of a page."""
    return (PROJECT / page).read_text("utf-8")


def manual() -> dict[str, str]:
    """What users read: the README and docs/, by path."""
    return {page: text_of(page) for page in pages() if page == "README.md" or page[:5] == "docs/"}


def without_blocks(text: str) -> str:
    """The text without its blocks of code."""
    return FENCED.sub("", text)


def blocks(text: str, language: str = "sh") -> list[str]:
    """The blocks of code in a language, without their indentation."""
    found = ((indent, body) for indent, kind, body in FENCED.findall(text) if kind == language)
    return [re.sub(f"^{indent}", "", body, flags=re.M) for indent, body in found]


def sections(text: str) -> dict[str, str]:
    """What stands under each heading, up to the next one of any level; each heading is unique."""
    hidden = FENCED.sub(lambda block: re.sub("(?m)^#", "\0", block[0]), text)
    found = re.split(r"^#{1,6} +(.*)$", hidden, flags=re.M)
    names, bodies = found[1::2], [body.replace("\0", "#") for body in found[2::2]]
    assert len(set(names)) == len(names), "two headings are the same"
    return dict(zip(names, bodies, strict=True))


def block(page: str, heading: str, number: int = 0, values: Mapping[str, str] | None = None) -> str:
    """A page's block of commands under a heading, with values for what is in <brackets>."""
    text = blocks(sections(text_of(page))[heading])[number]
    for name, value in (values or {}).items():
        marked = f"<{name}>"
        assert marked in text, f"{marked} is not in the commands of {page}, {heading}"
        text = text.replace(marked, value)
    return f"set -e\n{text}"


def anchors(text: str) -> set[str]:
    """The anchors that GitHub and GitLab give to the headings of a page.

    >>> sorted(anchors("# What is where?\\n## Exit codes (of stages)\\n"))
    ['exit-codes-of-stages', 'what-is-where']
    """
    names = [name.strip().lower() for name in HEADING.findall(without_blocks(text))]
    return {re.sub(r"[^\w -]", "", name).replace(" ", "-") for name in names}


def links(page: str, text: str) -> Iterator[tuple[str, str]]:
    """Each link of a page to a file of the project: its path there and its anchor, if it has one.

    >>> list(links("docs/a.md", "[x](../b.md#c) ![y](d.png) [z](#e) [w](https://example.org)"))
    [('b.md', 'c'), ('docs/d.png', ''), ('docs/a.md', 'e')]
    """
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        folder = posixpath.dirname(page)
        yield posixpath.normpath(posixpath.join(folder, path)) if path else page, anchor
