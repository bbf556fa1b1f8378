"""The pages name the commands and options that there are: all of them, and no other."""

import argparse
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from documents import FENCED, blocks, manual, without_blocks
from pipelines import __main__ as command_line

PROGRAM = re.compile(
    r"(?:^|(?<=[\s\[(;&|]))"
    r"(?:registry|python3? -m pipelines|pipelines/registry|<tools, as images\.yaml names it>)"
    r" +(?=[a-z])([^#;&|\]\n]*)"
)
"""How pages call the tools, and the words that follow."""

ASIDE = re.compile(r"(?m)(?:^|\s)#.*$|<(?!tools,)[^>\n]*>")
"""What people do not type: comments, and what stands for a value."""

WORDS = re.compile(r"[a-z]+")


class Call(NamedTuple):
    """A command that a page names, with its options."""

    command: str
    options: tuple[str, ...]


def calls(text: str) -> Iterator[Call]:
    """Every call of the tools in a page's code: in blocks, and between backquotes."""
    inline = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", without_blocks(text))
    code = [body.replace("\\\n", " ") for _, _, body in FENCED.findall(text)]
    for piece in [*code, *(" ".join(each.split()) for each in inline)]:
        for found in PROGRAM.findall(ASIDE.sub("", piece)):
            words = shlex.split(found, posix=False)
            if WORDS.fullmatch(words[0]):
                yield Call(words[0], tuple(word for word in words if word.startswith("--")))


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    (choices,) = (
        action.choices
        for action in command_line._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a command."""
    found = {option for action in parser._actions for option in action.option_strings}
    return {option for option in found if option.startswith("--")} - {"--help"}


def unknown(text: str) -> set[str]:
    """What a page names that the tools have not."""
    there = parsers()
    found = set()
    for command, given in calls(text):
        if command not in there:
            found.add(command)
        else:
            left = set(given) - options(there[command]) - {"--help"}
            found |= {f"{command} {option}" for option in left}
    return found


@pytest.mark.parametrize("page", manual())
def test_commands_and_options_that_a_page_names_are_there(page: str) -> None:
    assert unknown(manual()[page]) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `registry everything`.", "everything"),
        ("```sh\nmake repro\nregistry publish --everything\n```\n", "publish --everything"),
        ("```sh\nregistry images && registry everything\n```\n", "everything"),
        ("```yaml\nscript: [pipelines/registry everything]\n```\n", "everything"),
        ("Run `python -m pipelines publish\n--everything`.", "publish --everything"),
        ("```sh\ndocker run \\\n <tools, as images.yaml names it> no\n```\n", "no"),
    ],
)
def test_one_that_is_not_shows(text: str, found: str) -> None:
    assert unknown(text) == {found}


def test_prose_and_names_are_no_commands() -> None:
    text = "The registry publishes. The environment `registry`; `docker run registry:2`."

    assert list(calls(text)) == []


def documented() -> dict[str, set[str]]:
    """The commands of the table in docs/commands.md, with the options that their rows name."""
    page = manual()["docs/commands.md"]
    rows = re.findall(r"^\| `registry ([a-z]+)(.*)$", page, re.M)
    told: dict[str, set[str]] = {}
    for command, rest in rows:
        told.setdefault(command, set()).update(re.findall(r"--[a-z-]+", rest))
    (some,) = re.findall(r"^(.*) take `--timeout SECONDS`", page, re.M)
    for command in re.findall(r"`([a-z]+)`", some):
        told[command].add("--timeout")
    return told


def test_every_command_and_option_has_its_place_in_the_table() -> None:
    assert documented() == {name: options(parser) for name, parser in parsers().items()}


def test_every_block_of_commands_is_found() -> None:
    """What is fenced as sh is what people type: without it, the tests of blocks see nothing."""
    count = {page: len(blocks(text)) for page, text in manual().items()}

    assert count["README.md"] >= 3
    assert count["docs/using-the-data.md"] >= 4
    assert count["docs/datasets.md"] >= 5
