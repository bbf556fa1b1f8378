"""The branches that CVAT's git integration pushes, honest ones and those of an attacker."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path

from services.gitserver import git, raw

GENERATED = {
    "data/movie1/annotations.xml": "data/movie1/annotations.xml",
    "data/movie2/annotations.xml": "data/movie2/annotations.xml",
}
"""The annotated paths of the hostile branches: the task's own, and another movie's."""

ATTRIBUTES = "".join(
    f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in ("xml", "zip")
)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


class Cvat:
    """A CVAT that is linked to a repository; it keeps a clone of its own, as the real one does."""

    def __init__(
        self, folder: Path, url: str, env: Mapping[str, str] | None = None, base: str = "master"
    ) -> None:
        """Clone the repository.

        The real one knows no base but master: another stands for a registry's own adapter.
        """
        self.folder, self.base = folder, base
        self.env = dict(env or {})
        folder.parent.mkdir(parents=True, exist_ok=True)
        git(folder.parent, "clone", "-q", "--branch", base, url, str(folder), env=self.env)

    def synchronize(
        self,
        task: int,
        name: str,
        path: str,
        content: bytes,
        *,
        user: str = "annotator",
        email: str = "",
        lfs: bool = False,
    ) -> str:
        """Push a task's export, as the button Synchronize does; return the branch's name.

        The branch is made anew from the base each time and holds one commit, so the push is
        forced. With lfs, the repository gets a pointer, and rules for all its files.
        """
        branch = branch_name(task, name)
        self._git("checkout", "-q", "-f", self.base)
        self._git("pull", "-q", "--ff-only", "origin", self.base)
        self._git("checkout", "-q", "-B", branch)
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if lfs:
            (self.folder / ".gitattributes").write_text(ATTRIBUTES)
            pointer = POINTER.format(sha256(content).hexdigest(), len(content))
            file.write_text(pointer)
            self._git("-c", "filter.lfs.clean=cat", "add", "--", ".gitattributes", path)
        else:
            file.write_bytes(content)
            self._git("add", "--", path)
        who = {"NAME": user, "EMAIL": email or "dummy@cvat.com"}
        author = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        self._git("commit", "-q", "--allow-empty", "-m", message(task, user), env=author)
        self._git("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return branch

    def _git(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        return git(self.folder, *words, env={**self.env, **(env or {})})


def branch_name(task: int, name: str) -> str:
    """Return the branch of a task with a name, by CVAT's own rule.

    >>> branch_name(12, 'Main St. 2019/07: "rain" (1)')
    'cvat_12_Main_St._2019_07___rain__(1)'
    """
    cleaned = re.sub(r'[\\/*?:"<>|\s]', "_", name)[:100]
    return f"cvat_{task}_{cleaned}"


def message(task: int, user: str) -> str:
    """Return the message of CVAT's commit: it has no blank line, so git shows all as subject."""
    return (
        f"CVAT Annotation updated by {user}. \n"
        f"Task URL: https://cvat.example.org/dashboard?id={task}\n"
        "Created: 3, updated: 1, deleted: 1\n"
        "Annotation time: 0.5 hours\nTotal annotation time: 1.5 hours"
    )


def graft(
    generated: Path,
    folder: Path,
    url: str,
    base: str,
    *,
    paths: Mapping[str, str] = GENERATED,
    content: Callable[[bytes], bytes] = lambda data: data,
    only: Collection[str] = (),
    env: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Make the hostile branches again upon a commit of a registry and push them, forced.

    Each branch makes the same change to the base's tree, in one commit with the same message,
    author and number of parents: an unrelated history stays unrelated.

    generated: what `hostile.branches.make` returned
    folder: where to work; it must not exist
    paths: which of the registry's files stand for GENERATED; what lies beside these moves along
    content: how to write files at these paths, where the registry's are of another kind
    only: the branches to make; all, if none is given
    Returns each branch's name, without refs/heads/, and commit.
    """
    work = _Graft(folder, paths, content)
    work.git("fetch", "-q", str(generated), "+refs/heads/*:refs/generated/*")
    git(folder, "fetch", "-q", url, "+refs/heads/*:refs/registry/*", env=env)
    listed = work.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/generated")
    names = [name for name in listed.splitlines() if name != "master"]
    made = {name: work.commit(name, base) for name in names if not only or name in only}
    assert not set(only) - set(made), f"there are no such branches: {set(only) - set(made)}"
    specs = [f"+{commit}:refs/heads/{name}" for name, commit in made.items()]
    git(folder, "push", "-q", url, *specs, env=env)
    return made


class _Graft:
    """A scratch repository where branches are made again, with no work tree."""

    def __init__(
        self, folder: Path, paths: Mapping[str, str], content: Callable[[bytes], bytes]
    ) -> None:
        self.folder, self.paths, self.content = folder, paths, content
        folder.mkdir(parents=True)
        self.git("init", "-q", "--bare", ".")

    def git(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        return git(self.folder, *words, stdin=stdin, env=env)

    def commit(self, name: str, base: str) -> str:
        """Make a branch's commit again upon another base."""
        tip = self.git("rev-parse", f"refs/generated/{name}")
        written = raw(self.folder, "cat-file", "commit", tip)
        head, _, body = written.partition(b"\n\n")
        root = self.git("rev-parse", "refs/generated/master")
        parents = self.git("rev-list", "--parents", "-n1", tip).split()[1:]
        assert parents in ([], [root]), f"{name} has a shape that nobody has thought of"
        tree = self._tree(root if parents else "", tip, base if parents else "")
        lines = [b"tree " + tree.encode(), *([b"parent " + base.encode()] if parents else [])]
        lines += [x for x in head.split(b"\n") if not x.startswith((b"tree ", b"parent "))]
        return self.git(
            "hash-object", "-t", "commit", "-w", "--stdin", stdin=b"\n".join(lines) + b"\n\n" + body
        )

    def _tree(self, old: str, tip: str, base: str) -> str:
        """Make the change from one commit to another to a base's tree; "" is the empty tree."""
        empty = self.git("mktree")
        changes = raw(
            self.folder, "diff-tree", "-r", "-z", "--raw", "--no-renames", old or empty, tip
        )
        fields = iter(changes.decode(errors="surrogateescape").split("\0")[:-1])
        entries = [self._entry(change, path) for change, path in zip(fields, fields, strict=True)]
        index = {"GIT_INDEX_FILE": str(self.folder / "scratch-index")}
        self.git("read-tree", base or empty, env=index)
        told = "".join(sorted(entries)).encode(errors="surrogateescape")  # deletions come first
        self.git("update-index", "-z", "--replace", "--index-info", stdin=told, env=index)
        return self.git("write-tree", env=index)

    def _entry(self, change: str, path: str) -> str:
        """Turn a line of diff-tree into one of the index, with the registry's path."""
        mode, blob = change.split()[1], change.split()[3]
        if path in self.paths and mode.startswith("100"):
            data = self.content(raw(self.folder, "cat-file", "blob", blob))
            blob = self.git("hash-object", "-w", "--stdin", stdin=data)
        return f"{mode} {blob}\t{mapped(path, self.paths)}\0"


def mapped(path: str, paths: Mapping[str, str]) -> str:
    """Return where a path of the hostile branches lies in a registry.

    >>> paths = {"data/movie1/annotations.xml": "data/street/cvat.zip"}
    >>> [mapped(f"data/movie1/{name}", paths) for name in ("annotations.xml", "annotations.xml ")]
    ['data/street/cvat.zip', 'data/street/cvat.zip ']
    >>> [mapped(path, paths) for path in ("data/movie1", "data/movie1/extra.xml", "dvc.yaml")]
    ['data/street', 'data/street/extra.xml', 'dvc.yaml']
    """
    for old, new in paths.items():
        if path.startswith(old):
            return new + path.removeprefix(old)
    for old, new in paths.items():
        folder = os.path.dirname(old)  # noqa: PTH120 - a path in git is no path of this machine
        if path == folder or path.startswith(f"{folder}/"):
            return str(Path(new).parent) + path.removeprefix(folder)
    return path
