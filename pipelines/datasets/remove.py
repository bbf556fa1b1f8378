"""`remove`: a dataset leaves the registry; old versions stay in git's history and in the remote."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pipelines import commands, messages
from pipelines.datasets import edits, inputs, params, params_file
from pipelines.errors import PipelineError

MADE = {
    *("frames.csv", "JPEGImages", "Annotations", "Annotations.zip"),
    *("ImageSets", "labelmap.txt", "metrics.json"),
}
"""What the stages make in the folder of a dataset."""

SHOWN = 3
"""How many files a refusal names."""


def remove(folder: Path, name: str) -> None:
    """Remove a dataset; a PipelineError says why not, nothing is changed then."""
    text = edits.read(folder)
    settings = params.parse(text)
    edited = params_file.remove_dataset(text, name)
    place = folder / "data" / name
    _refuse_loss(folder, name)
    orphans = list(_never_committed(folder, f"data/{name}"))
    splits = [split for split, each in (settings.splits or {}).items() if name in each.datasets]
    with edits.edit(folder) as change:
        if os.path.lexists(place):
            change.put_away(place)
        emptied = change.put_away_splits(name, settings, params.parse(edited))
        change.forget_stages(name, [Path(each).name for each in emptied])
        written = change.write(edited)
        gone = (f"data/{name}", *emptied)
        change.git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", "--", *gone)
    messages.say(f"{name}: removed from {', '.join(written)}, and {', '.join(gone)}")
    for split in splits:
        messages.say(f"{name}: is no longer in the split {split}")
    for path in (settings.sources[name], settings.exports[name]):
        if not path.startswith(f"data/{name}/"):
            messages.say(f"{path}: stays, because it is not in data/{name}")
    for orphan in orphans or ["old versions stay in git and in the remote"]:
        messages.say(orphan)
    messages.say("next:")
    messages.say(f"  {messages.program()} repro    # merges the splits without it")
    messages.say("  git add params.yaml dvc.yaml pictures/dvc.yaml dvc.lock data/merged")
    messages.say(f"  git commit -m 'Remove {name}'")


def _refuse_loss(folder: Path, name: str) -> None:
    """Refuse to remove files of which neither git nor DVC has a copy."""
    lost = sorted(_lost(folder, f"data/{name}"))
    if lost:
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        text = "is neither committed to git nor kept by DVC as it is now"
        remedy = "commit it, `dvc add` it, or move it away"
        raise PipelineError(f"{', '.join(lost[:SHOWN])}{more}: {text}; {remedy}")


def _lost(folder: Path, place: str) -> Iterator[str]:
    """Yield the files in the folder of a dataset that would be lost with it."""
    safe = _committed(folder, place) | _kept_by_dvc(folder, place)
    for path in _files(folder / place, top=True):
        shown = path.relative_to(folder).as_posix()
        above = {each.as_posix() for each in Path(shown).parents}
        if not safe & {shown, *above} and path.suffix != ".dvc" and path.name != ".gitignore":
            yield shown


def _files(path: Path, *, top: bool = False) -> Iterator[Path]:
    """Yield the files below a folder, but for what the stages made at its top."""
    if path.is_symlink() or not path.is_dir():
        if os.path.lexists(path):
            yield path
        return
    for entry in os.scandir(path):
        if not (top and entry.name in MADE):
            yield from _files(Path(entry.path))


def _committed(folder: Path, place: str) -> set[str]:
    """Return the files that are as the last commit has them."""
    listed = commands.run("git", "ls-files", "-z", "--", place, folder=folder)
    changed = commands.run("git", "diff", "--name-only", "-z", "HEAD", "--", place, folder=folder)
    if listed.returncode or changed.returncode:  # no repository, or no commit yet
        return set()
    return {*listed.stdout.split("\0")} - {*changed.stdout.split("\0")} - {""}


def _never_committed(folder: Path, place: str) -> Iterator[str]:
    """Say of each file that no commit names where DVC's cache keeps it."""
    committed = _committed(folder, place)
    for path in sorted((folder / place).glob("*.dvc")):
        pointer = path.relative_to(folder).as_posix()
        name = pointer.removesuffix(".dvc")
        md5 = str(inputs.dvc_out(folder, name).get("md5", ""))
        if md5 and pointer not in committed:
            kept = f"files/md5/{md5[:2]}/{md5[2:]}"
            yield f"{name}: was never committed; DVC's cache keeps it until `dvc gc`, as {kept}"


def _kept_by_dvc(folder: Path, place: str) -> set[str]:
    """Return the outputs of .dvc files that DVC's cache has as they are, or can import again."""
    pointers = sorted(path for path in (folder / place).rglob("*.dvc") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in pointers]
    imported = {
        name for name in names if "deps" in inputs.dvc_file(folder, name.removesuffix(".dvc"))
    }
    own = [name for name in names if name not in imported]
    if not own:
        return {name.removesuffix(".dvc") for name in imported}
    changed = _changed(folder, own)
    return {name.removesuffix(".dvc") for name in names if name not in changed}


def _changed(folder: Path, pointers: list[str]) -> set[str]:
    """Return the .dvc files of whose data DVC's cache has not what is here."""
    done = commands.module("dvc", "status", "--json", *pointers, folder=folder)
    if done.returncode:
        raise PipelineError(f"dvc status: {edits.last_error(done)}")
    return {*json.loads(done.stdout or "{}")}
