"""The forge that runs us, GitLab, GitHub or none: told in its own way what was done and refused."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax import saxutils

from pipelines import messages

REPORTS = {"fetch": "registry-fetch", "publish": "registry-report"}
"""Command -> the files that its GitLab job keeps, NAME.md for people, and NAME.xml as tests, of
which GitLab's pages show those that failed: a job that runs both commands keeps both."""

TITLES = {"fetch": "Tasks of CVAT", "publish": "Data registry"}
"""Command -> the title of its summary."""

IMAGE = Path("registry-image.env")
"""Variables that a GitLab job hands to those that follow."""

ODD = re.compile(r"[^\n -~¡-\u1fff\u2070-\ud7ff]")
"""Characters that a page or a log might take for something else than text."""


class Outcome(NamedTuple):
    """How the work on a branch, a task, or what else changed, ended; code: 0, 1 or 3."""

    what: str
    code: int
    said: str


def tell(outcomes: Sequence[Outcome], command: str = "publish") -> None:
    """Tell the forge, if there is one: refusals stand out, and there is a summary of all.

    command: the one that did it, of REPORTS.
    """
    outcomes = [each._replace(said=messages.redact(each.said)) for each in outcomes]
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for each in (each for each in outcomes if each.code):
            print(f"::error title={_escaped(each.what, ':,')}::{_escaped(each.said)}", flush=True)
        if target := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(summary(outcomes, command))
    elif os.environ.get("GITLAB_CI") == "true":
        Path(f"{REPORTS[command]}.md").write_text(summary(outcomes, command), "utf-8")
        Path(f"{REPORTS[command]}.xml").write_text(suite(outcomes, command), "utf-8")


def name_image(reference: str) -> None:
    """Tell GitLab in which image the jobs that follow are to run."""
    if os.environ.get("GITLAB_CI") == "true":
        IMAGE.write_text(f"DATA_REGISTRY_IMAGE={reference}\n", "utf-8")


def summary(outcomes: Sequence[Outcome], command: str = "publish") -> str:
    """Return what was done as Markdown; nothing of it is read as more than text."""
    lines = [f"## {TITLES[command]}", ""]
    for each in outcomes:
        first, *more = ODD.sub("?", each.said).splitlines() or [""]
        sign = "refused: " if each.code == 1 else "to be tried again: " if each.code else ""
        lines += [f"- {sign}`{_code(each.what)}`: {_plain(first)}"]
        lines += [f"  - {_plain(line.strip())}" for line in more]
    return "\n".join(lines) + "\n"


def suite(outcomes: Sequence[Outcome], command: str = "publish") -> str:
    """Return what was done as JUnit XML: a test for each, failed if it was refused."""
    cases = []
    for each in outcomes:
        name = saxutils.quoteattr(ODD.sub("?", each.what))
        said = ODD.sub("?", each.said)
        inner = f"<failure message={saxutils.quoteattr(said)}/>" if each.code else ""
        shown = f"<system-out>{saxutils.escape(said)}</system-out>"
        kind = f'classname="{command}" name={name}'
        cases.append(f"  <testcase {kind}>{inner}{shown}</testcase>\n")
    failed = sum(bool(each.code) for each in outcomes)
    head = f'<testsuite name="data registry" tests="{len(outcomes)}" failures="{failed}">'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}\n{"".join(cases)}</testsuite>\n'


def _escaped(text: str, more: str = "") -> str:
    """Escape text for a GitHub log command."""
    for each in ("%", "\r", "\n", *more):
        text = text.replace(each, f"%{ord(each):02X}")
    return text


def _plain(text: str) -> str:
    """Escape text for Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&@-])", r"\\\1", text)


def _code(text: str) -> str:
    return ODD.sub("?", text).replace("`", "'")
