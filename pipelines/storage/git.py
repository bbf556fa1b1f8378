"""Runs git safely on branches that may hold anything: without hooks and prompts, by full names."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipelines import commands
from pipelines.errors import PipelineError, Transient

SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0")
SECONDS = 600
"""How long a server may take."""

DEFAULT = "refs/data-registry/default"
BRANCHES = "refs/data-registry/branches/"
"""Where the server's default branch and CVAT's branches are kept in the clone."""

WHO = {"NAME": "Data registry", "EMAIL": "data-registry@localhost"}
"""Who commits where git does not know."""


class Entry(NamedTuple):
    """What a tree has at a path."""

    mode: str
    kind: str
    id: str
    size: int


class Git:
    """A clone, a bare repository, or a work tree of one; seconds: how long a server may take."""

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self.folder, self.seconds = folder, seconds

    def __call__(
        self, *words: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Run git and return what it printed, trailing blanks removed."""
        command = ("git", *SAFE, *words)
        done = commands.run(*command, stdin=stdin, env=self._env(env), folder=self.folder)
        if done.returncode:
            raise PipelineError(f"git {words[0]}: {_why(done.stderr) or done.returncode}")
        return done.stdout.rstrip()

    def works(self, *words: str) -> bool:
        """Run git and tell whether it succeeded."""
        return self._run(*words).returncode == 0

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return commands.run("git", *SAFE, *words, env=self._env(), folder=self.folder)

    def common(self, one: str, other: str) -> str | None:
        """Return the latest commit that two have in common; None if there is none."""
        return self._run("merge-base", one, other).stdout.strip() or None

    def server(self, *words: str) -> str:
        """Run git where it talks to the server; Transient says that it did not answer."""
        done = commands.run(
            "git", *SAFE, *words, env=self._env(), folder=self.folder, timeout=self.seconds
        )
        if done.returncode:
            said = _why(done.stderr)
            raise Transient(f"git {words[0]}: the server of `origin` says: {said}")
        return done.stdout.rstrip()

    def _env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(more or {})}

    def default(self) -> str:
        """Return the name of the server's default branch."""
        if not self.works("remote", "get-url", "origin"):
            raise PipelineError("origin: is not set; run `git remote add origin ADDRESS`")
        said = self.server("ls-remote", "--symref", "origin", "HEAD")
        found = re.match(r"ref: refs/heads/(\S+)\tHEAD", said)
        if not found:
            raise PipelineError("origin: has no default branch; push one, and make it the default")
        return found[1]

    def fetch(self) -> None:
        """Bring the default branch and CVAT's branches, whole."""
        name = self.default()
        self.server(
            *("fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules"),
            "origin",
            f"+refs/heads/{name}:{DEFAULT}",
            f"+refs/heads/cvat_*:{BRANCHES}cvat_*",
        )

    def set(self, key: str, value: str) -> None:
        """Add a value to a setting of the repository's own configuration.

        It goes through a file: a command line, which all can see, must not have a token.
        """
        path = self.folder / "config"
        section, _, name = key.rpartition(".")
        first, _, second = section.partition(".")
        title = f'[{first} "{_quote(second)}"]' if second else f"[{first}]"
        with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f'{title}\n\t{name} = "{_quote(value)}"\n')

    def has_branch(self, name: str) -> bool:
        """Tell whether CVAT has pushed a branch of this name."""
        return self.works("show-ref", "--verify", "--quiet", f"{BRANCHES}{name}")

    def commit(self, name: str) -> str:
        """Return the id of the commit that a name stands for."""
        done = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if done.returncode:
            raise PipelineError(f"{self.folder}: has no commit {name}; commit what is there")
        return done.stdout.strip()

    def is_ancestor(self, one: str, other: str) -> bool:
        """Tell whether a commit is another one, or before it."""
        return self.works("merge-base", "--is-ancestor", one, other)

    def entry(self, tree: str, path: str) -> Entry | None:
        """Return what a tree has at a path; None if nothing."""
        listed = self("ls-tree", "-z", "--long", "--full-tree", tree, "--", f":(literal){path}")
        for line in filter(None, listed.split("\0")):
            fields, _, name = line.partition("\t")
            mode, kind, oid, size = fields.split()
            if name == path:
                return Entry(mode, kind, oid, int(size) if size.isdigit() else 0)
        return None

    def text(self, tree: str, path: str) -> str | None:
        """Return the content of a text file of a tree; None if there is none."""
        entry = self.entry(tree, path)
        return self("cat-file", "blob", entry.id) if entry and entry.kind == "blob" else None

    def tree(self, base: str, changes: Mapping[str, str], index: Path) -> str:
        """Return the tree of base with blobs put in the place of files."""
        env = {"GIT_INDEX_FILE": str(index)}
        index.unlink(missing_ok=True)
        self("read-tree", base, env=env)
        lines = "".join(f"100644 {blob}\t{path}\0" for path, blob in changes.items())
        self("update-index", "-z", "--index-info", stdin=lines.encode(), env=env)
        return self("write-tree", env=env)

    def blob(self, content: bytes) -> str:
        """Store a file's content and return its id."""
        return self("hash-object", "-w", "--stdin", stdin=content)

    def commit_tree(self, tree: str, parents: list[str], message: str) -> str:
        """Store a commit and return its id."""
        options = [word for parent in parents for word in ("-p", parent)]
        env = {
            f"GIT_{role}_{what}": os.environ.get(f"GIT_{role}_{what}") or known
            for role in ("AUTHOR", "COMMITTER")
            for what, default in WHO.items()
            if (known := self._known(f"user.{what.lower()}") or default)
        }
        return self("commit-tree", tree, *options, stdin=message.encode(), env=env)

    def _known(self, setting: str) -> str:
        return commands.run("git", "config", setting, folder=self.folder).stdout.strip()


def _why(said: str) -> str:
    """Return in one line why git failed: a hook's own words, and git's."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    theirs = [line for line in lines if line.startswith("remote: ")]
    ours = [line for line in lines if not line.startswith("remote:")]
    fatal = [line for line in ours if line.startswith(("fatal:", "error:"))]
    return " | ".join([*theirs[-3:], *(fatal or ours)[-3:]])


def _quote(text: str) -> str:
    """Return text as git reads it between quotes in a configuration file."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
