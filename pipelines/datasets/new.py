"""`new`: a registry without datasets, which uses the images and the CI jobs of these tools."""

import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines import commands, messages
from pipelines.containers import images
from pipelines.datasets import params_file, split_stages
from pipelines.errors import PipelineError
from pipelines.storage.git import SAFE, WHO

TEMPLATE = Path(__file__).with_name("template")
"""The files of a new registry. `dot-x` becomes `.x`, and `x.template` `x`, so that no tool takes
them for files of this project; @WORDS@ are filled in."""

ROOT = Path(__file__).parents[2]
"""The clone of the tools; in their image, a folder without images.yaml."""

PLACEHOLDER = ("GROUP/TOOLS", "COMMIT")
"""What CI files name as the tools' project where nobody knows it."""


@dataclass(frozen=True)
class Address:
    """Where the tools are: the path of their project on its forge, and a commit."""

    project: str
    ref: str

    @property
    def known(self) -> bool:
        """Tell whether it is a real one."""
        return (self.project, self.ref) != PLACEHOLDER


def new(
    folder: Path,
    labels: Sequence[str] = (),
    tools: str | None = None,
    references: Path | None = None,
) -> None:
    """Make a registry in a folder; a PipelineError says why not, nothing is changed then.

    labels: the labels to keep. tools: `URL@COMMIT` of the tools, by default those of this clone.
    references: the images.yaml to take, by default that of this clone, else of this folder.
    """
    folder = folder.absolute()
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise PipelineError(f"{folder}: is there already, and not empty; name another folder")
    address = _address(tools)
    text = _references(references)
    inside = _repository_around(folder)
    aside = folder.with_name(f".partial-{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        _write(aside, folder.name, labels, text, address)
        split_stages.write(aside)
        if not inside:
            _commit(aside)
        if folder.is_dir():
            folder.rmdir()
        aside.rename(folder)
    except OSError as error:
        raise PipelineError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _say_next(folder, inside, address, text, labels)


def _address(tools: str | None) -> Address:
    """Return where the tools are: as it was said, else as git knows of this clone."""
    if tools is not None:
        url, at, ref = tools.rpartition("@")
        if not at or not re.fullmatch(r"[0-9A-Za-z._/-]+", ref) or not _project(url):
            raise PipelineError(f"--tools {tools}: must be URL@COMMIT, as of the tools' repository")
        return Address(_project(url), ref)
    top = commands.run("git", "rev-parse", "--show-toplevel", folder=ROOT)
    if top.returncode or Path(top.stdout.strip()) != ROOT.resolve():
        return Address(*PLACEHOLDER)
    url = commands.run("git", "remote", "get-url", "origin", folder=ROOT).stdout.strip()
    ref = commands.run("git", "rev-parse", "HEAD", folder=ROOT).stdout.strip()
    return Address(_project(url), ref) if _project(url) and ref else Address(*PLACEHOLDER)


def _project(url: str) -> str:
    """Return the path of a project on its forge; empty if the URL is of no forge.

    >>> _project("git@example.org:group/tools.git"), _project("https://example.org/a/b/tools/")
    ('group/tools', 'a/b/tools')
    >>> _project("/srv/tools.git"), _project("https://u:secret@example.org/g/tools")
    ('', 'g/tools')
    """
    found = re.fullmatch(r"(?:(?!file:)[a-z+]+://[^/]+/|[^/:]+:)([\w.~-]+(?:/[\w.~-]+)+/?)", url)
    return found[1].rstrip("/").removesuffix(".git") if found else ""


def _references(given: Path | None) -> str:
    """Return the text of the images.yaml that the new registry gets."""
    places = [given] if given else [ROOT / images.REFERENCES, images.REFERENCES.absolute()]
    for path in places:
        if path.is_file():
            known = images.read(path.parent) if path.name == images.REFERENCES.name else None
            if known and images.TOOLS not in known.images:
                raise PipelineError(
                    f"{path}: names no image {images.TOOLS}; run `make images` there"
                )
            return path.read_text("utf-8")
    where = f"{places[0]}: is not there" if given else "images.yaml: the tools have none here"
    raise PipelineError(f"{where}; give that of a clone of the tools by --images")


def _repository_around(folder: Path) -> str:
    """Return the git repository that a folder lies in; empty if it lies in none."""
    there = next(each for each in folder.parents if each.is_dir())
    return commands.run("git", "rev-parse", "--show-toplevel", folder=there).stdout.strip()


def _write(folder: Path, name: str, labels: Sequence[str], text: str, address: Address) -> None:
    found = re.search(rf"^  {images.TOOLS}: *(\S+)", text, re.M)
    words = {
        "@NAME@": name,
        "@LABELS@": "".join(f"\n    - {params_file.quote(label)}" for label in labels) or " []",
        "@PROJECT@": address.project,
        "@REF@": address.ref,
        "@TOOLS@": found[1] if found else "",
    }
    for path in sorted(each for each in TEMPLATE.rglob("*") if each.is_file()):
        target = folder / re.sub(r"(^|/)dot-", r"\1.", path.relative_to(TEMPLATE).as_posix())
        target = target.with_suffix("") if target.suffix == ".template" else target
        content = path.read_text("utf-8")
        for word, value in words.items():
            content = content.replace(word, value)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
        if content.startswith("#!"):
            target.chmod(0o755)
    (folder / images.REFERENCES).write_text(text, "utf-8")


def _commit(folder: Path) -> None:
    """Make a git repository of a folder, with a first commit."""
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        for what, default in WHO.items():
            setting = ("git", "config", f"user.{what.lower()}")
            if not commands.run(*setting, folder=folder.parent).stdout.strip():
                env.setdefault(f"GIT_{role}_{what}", default)
    for words in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "A new registry"),
    ):
        commands.output("git", *SAFE, *words, folder=folder, env=env)


def _say_next(
    folder: Path, inside: str, address: Address, text: str, labels: Sequence[str]
) -> None:
    messages.say(f"{folder}: a new registry")
    if inside:
        messages.say(f"it lies in the git repository {inside}, so nothing was committed")
    else:
        messages.say("it is a git repository of its own, branch main, with a first commit")
    messages.say("next:")
    messages.say(f"  cd {folder}")
    if not labels:
        messages.say("  name the labels to keep in params.yaml, annotations.valid-labels;")
        messages.say("  if you do not, the first `add` names those of its export there")
    if not address.known:
        where = ".gitlab-ci.yml, .github/workflows/"
        what = f"the tools' project and commit for {PLACEHOLDER[0]} and {PLACEHOLDER[1]}"
        messages.say(f"  write {what} in {where}: nobody said --tools URL@COMMIT")
    if re.search(rf"^prefix: *{images.LOCAL}", text, re.M):
        messages.say(
            "  share the images, if others or CI are to use it: images.yaml names those of"
        )
        messages.say("  this machine; where they are not, `make images` builds them in the tools")
    messages.say(f"  {messages.program()} add NAME --movie FILE --export FILE --split training")
    messages.say("  dvc remote add --default storage URL; git remote add origin URL; git push")
