"""A repository with one honest branch of CVAT, and those that somebody pushes who has its key."""

from dataclasses import dataclass, field
from pathlib import Path

from hostile.exports import CANARY_PATH, LFS_POINTER, labelled, task, track
from services.gitserver import git, raw

EXPORT = "data/movie1/annotations.xml"
"""The file that task 12 may change."""

OTHER = "data/movie2/annotations.xml"
CODE = (
    *("dvc.yaml", "dvc.lock", "params.yaml", ".gitlab-ci.yml", ".github/workflows/cvat.yml"),
    *(".dvc/config", ".dvcignore", "README.md"),
)
HONEST = "CVAT Annotation updated by alice.\n"
SKIPPED = "CVAT Annotation updated by [skip ci]\n\n[ci skip]\n::add-mask::x\n"
NOBODY = "t <t@example.invalid>"
EVIL = 'a$(touch pwned)"; echo <x@y\u202e>'
TIME = "1577836800 +0000"

PLAIN, EXECUTABLE, LINK, GITLINK, GONE = "100644", "100755", "120000", "160000", ""
Changes = dict[str, tuple[str, str]]
"""Path -> mode and text of the file there; of a gitlink, the text is the mark of a commit."""


@dataclass(frozen=True)
class Branch:
    """One commit upon the base."""

    changes: Changes = field(default_factory=dict)
    message: str = HONEST
    author: str = NOBODY
    parent: bool = True


def export(text: str, mode: str = PLAIN) -> Changes:
    """Another content of the task's file."""
    return {EXPORT: (mode, text)}


ANNOTATED = export(task(track(), track(1), track(2)))
BASE: Changes = {
    **export(task(track(), track(1))),
    OTHER: (PLAIN, task(track())),
    **{path: (PLAIN, f"# {path}\n") for path in CODE},
}

TOUCHED = {
    ".gitlab-ci.yml": "evil: {script: [env]}\n",
    ".github/workflows/cvat.yml": "on: push\n",
    ".github/actions/x/action.yml": "runs: {}\n",
    "dvc.yaml": "stages: {x: {cmd: env}}\n",
    "dvc.lock": "schema: '2.0'\n",
    "params.yaml": "annotations: {valid-labels: []}\n",
    ".dvc/config": "[core]\nremote = evil\n",
    ".dvcignore": "*\n",
    ".gitattributes": "* filter=evil merge=ours\n",
    ".gitmodules": '[submodule "x"]\npath=x\nurl=ext::sh -c id\n',
    "Dockerfile": "FROM evil\n",
    "scripts/publish.sh": "env\n",
    OTHER: task(),
    "data/movie1/movie.mkv.dvc": "outs: []\n",
    "data/movie1/extra.xml": "<a/>",
    ".GitLab-ci.yml": "x: y\n",
    f"{EXPORT} ": "<a/>",
    "CODEOWNERS": "* @evil\n",
    "sitecustomize.py": "1\n",
    "conftest.py": "1\n",
}
"""What a branch may not change beside the export, by path."""

FORBIDDEN = {
    **{
        f"touch_{number:02}": Branch({**ANNOTATED, path: (PLAIN, text)})
        for number, (path, text) in enumerate(TOUCHED.items())
    },
    "symlink": Branch(export("/etc/passwd", LINK)),
    "symlink_dir": Branch({EXPORT: (GONE, ""), "data/movie1": (LINK, "/tmp")}),  # noqa: S108
    "exec_bit": Branch(export(ANNOTATED[EXPORT][1], EXECUTABLE)),
    "deleted": Branch(export("", GONE)),
    "gitlink": Branch({"data/movie1/sub": (GITLINK, ":1")}, "gitlink\n"),
    "orphan": Branch(export(task(track(9))), "orphan\n", parent=False),
    "emptied": Branch(export(task())),
    "zero_byte": Branch(export("")),
    "lfs_pointer": Branch(
        export(f"{LFS_POINTER.partition('sha256:')[0]}sha256:{'0' * 64}\nsize 1\n")
    ),
    "not_xml": Branch(export("hello\n")),
    "xxe": Branch(
        export(
            f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{CANARY_PATH}">]>'
            "<annotations>&x;</annotations>"
        )
    ),
    "big_20MB": Branch(export(labelled("L" * 20_000_000))),
}
"""Branches of task 12."""

ALLOWED = {
    "honest": Branch(ANNOTATED),
    "skip_ci": Branch(ANNOTATED, SKIPPED),
    "evil_author": Branch(ANNOTATED, author=EVIL),
    "no_change": Branch(),
}
"""Branches of task 12 whose content is honest."""

NAMES = (
    *("cvat_13_$(touch${IFS}pwned)", "cvat_14_`id`", "cvat_15_a;touch${IFS}pwned"),
    *("cvat_16_a'b\"c", "cvat_17_\u0421ar", f"cvat_18_{'x' * 100}", "cvat_19_--force"),
    *("cvat_20_a&b|c", "cvat_21_${{github.token}}", "cvat_22_a/__/b", "cvat_23_#x"),
    *("cvat_24_%0A", "cvat_25_HEAD", "cvat_26_-X", "refs/heads/master"),
    "cvat_27_refs/heads/master",
)
"""Names that some program takes for something else; each has an honest content."""

BRANCHES = {
    **{f"cvat_12_{name}": branch for name, branch in {**FORBIDDEN, **ALLOWED}.items()},
    **dict.fromkeys(NAMES, Branch(ANNOTATED)),
}


def make(folder: Path) -> Path:
    """Make a bare repository of all branches in a folder, upon its branch master; return it."""
    repository = folder / "registry.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "--bare", "-b", "master", ".")
    commits = [commit("master", Branch(BASE, "base\n", parent=False))]
    commits += [commit(name, branch) for name, branch in BRANCHES.items()]
    raw(repository, "fast-import", "--quiet", stdin=b"".join(commits))
    return repository


def commit(name: str, branch: Branch) -> bytes:
    """Return what git's fast-import makes a branch of; master has the mark 1."""
    lines = [
        *(f"commit refs/heads/{name}", *(["mark :1"] if name == "master" else [])),
        *(f"author {branch.author} {TIME}", f"committer {NOBODY} {TIME}", block(branch.message)),
        *(["from :1"] if branch.parent else []),
        *(change(path, mode, text) for path, (mode, text) in branch.changes.items()),
    ]
    return ("\n".join(lines) + "\n").encode()


def block(text: str) -> str:
    """Return a text with its length in bytes before it."""
    return f"data {len(text.encode())}\n{text}"


def change(path: str, mode: str, text: str) -> str:
    """Return the line, and the content if there is one, that sets or deletes a file."""
    if mode == GONE:
        return f'D "{path}"'
    if mode == GITLINK:
        return f'M {mode} {text} "{path}"'
    return f'M {mode} inline "{path}"\n{block(text)}'
