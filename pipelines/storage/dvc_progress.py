"""What DVC and the stages print while they run, told in short lines with the dataset's name.

Of DVC that is which stage begins, without its command of 500 characters; of a stage, its progress
and its warnings, which go to standard error.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from pipelines import messages
from pipelines.output_lines import Line

RUNS = re.compile(r"Running stage '(.+)':")
UNCHANGED = re.compile(r"Stage '(.+)' didn't change, skipping")
ENDS = ("Updating lock file", "Generating lock file")
"""What DVC prints to standard output when it begins, skips and has run a stage."""

TOLD_LATER = ("error: ", "ERROR: ", "WARNING: ")
"""How lines of standard error begin that are no progress; errors are told when DVC has ended."""


class Progress:
    """Tells what runs; remembers which stages ran, and which were up to date, in their order."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        """Begin; titles: stage -> how it is called, as `title` returns it."""
        self.titles = titles
        self.ran: list[str] = []
        self.unchanged: list[str] = []
        self.running = False

    def __call__(self, line: Line) -> None:
        """Take a line of DVC, or of a stage that it runs."""
        if line.error:
            self._take_error(line.text)
        elif found := RUNS.fullmatch(line.text):
            self.running = True
            self.ran.append(found[1])
            messages.tell(self.titles.get(found[1], found[1]))
        elif found := UNCHANGED.fullmatch(line.text):
            self.unchanged.append(found[1])
        elif line.text.startswith(ENDS):
            self.running = False

    def _take_error(self, text: str) -> None:
        """Take a line of standard error: what a stage warns of is shown whenever it arrives."""
        if text.startswith("warning: "):
            messages.warn(f"{self._subject()}{_printable(text.removeprefix('warning: '))}")
        elif self.running and not text.startswith(TOLD_LATER):
            messages.tell_passing(f"{self._subject()}{_printable(text)}")

    def _subject(self) -> str:
        """Return the dataset or split of the stage that ran last, and a colon."""
        title = self.titles.get(self.ran[-1], self.ran[-1]) if self.ran else ""
        return f"{title.partition(': ')[0]}: " if title else ""


def title(stage: str, outs: Iterable[str]) -> str:
    """Say which dataset or split a stage works for, then what it does; outs: its outputs.

    >>> title("prepare-annotations@movie2", ["data/movie2/Annotations"])
    'movie2: prepare-annotations'
    >>> title("pictures/dvc.yaml:link-pictures-training", ["data/merged/training/JPEGImages"])
    'training: link-pictures'
    >>> title("report", ["report.html"])
    'report'
    """
    name = stage.rpartition(":")[2]
    act, separated, subject = name.rpartition("@")
    if separated:
        return f"{subject}: {act}"
    for subject in (PurePosixPath(path).parent.name for path in sorted(outs)):
        if subject and name.endswith(f"-{subject}"):
            return f"{subject}: {name.removesuffix(f'-{subject}')}"
    return name


def _printable(text: str) -> str:
    """Return text of a stage without characters that move the cursor or turn text around."""
    return "".join(c if c.isprintable() else "?" for c in text)
