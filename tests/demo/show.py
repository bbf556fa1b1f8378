"""How the demo tells its story: each step in plain words, its commands, what these said."""

import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

from registries import Registry

LINES = 36
"""How many lines of what a command said are shown."""


@dataclass
class Show:
    """The story in a folder, so far."""

    folder: Path
    began: float = field(default_factory=time.monotonic)
    steps: int = 0

    @property
    def seconds(self) -> int:
        """How long it has taken."""
        return round(time.monotonic() - self.began)

    def step(self, text: str) -> None:
        """Announce a step."""
        self.steps += 1
        print(f"\n{self.steps}. {textwrap.fill(text, 96, subsequent_indent='   ')}", flush=True)

    def note(self, text: str) -> None:
        """Say what came of a step."""
        print(textwrap.fill(text, 96, initial_indent="   ", subsequent_indent="   "), flush=True)

    def run(self, where: Registry, command: str, *codes: int, **secrets: str) -> None:
        """Run a command, show it and what it says, in the order in which it says it.

        codes: with what it may end, too. secrets: variables that it alone gets; only their names
        are shown.
        """
        place = where.folder.relative_to(self.folder)
        names = "".join(f"{name}=*** " for name in secrets)
        print(f"   {place}$ {names}{self._shorten(command)}", flush=True)
        done = where.sh(f"{{ {command}; }} 2>&1", False, None, **secrets)
        assert done.returncode in (0, *codes), done.stdout
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        for line in lines[:LINES]:
            print(f"   | {self._shorten(line)}", flush=True)
        if len(lines) > LINES:
            print(f"   | ... and {len(lines) - LINES} lines more", flush=True)

    def _shorten(self, text: str) -> str:
        return text.replace(f"{self.folder}/", "../")
