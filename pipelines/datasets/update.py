"""`update`: a new export of a dataset takes the place of the old one."""

import os
from pathlib import Path, PurePosixPath

from pipelines import messages
from pipelines.containers import images
from pipelines.datasets import edits, inputs, params, params_file
from pipelines.datasets.edits import Edit
from pipelines.errors import PipelineError


def update(folder: Path, name: str, export: Path) -> None:
    """Replace a dataset's export; a PipelineError says why not, nothing is changed then."""
    text = edits.read(folder)
    settings = params.parse(text)
    params_file.require(params.load(text), name)
    inputs.require_file(export, "what CVAT exported")
    old = settings.exports[name]
    new = str(PurePosixPath(old).with_suffix(inputs.extension(export)))
    _refuse_path(folder, name, old, new)
    edited = params_file.set_export(text, name, new) if new != old else text
    by_git = _is_kept_by_git(folder, old, owned=name in settings.owners.values())
    images.ready(folder)
    with edits.edit(folder) as change:
        numbers = _look(change, name, export, edited)
        _replace(change, change.aside / name / "export", old, new, by_git=by_git)
        if edited != text:
            change.write(edited)
        if by_git:
            if new != old:
                change.git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", old)
            change.git("add", "--force", "--", new)
    _say_changes(folder, name, numbers)
    _say_next(name, old, new, by_git=by_git)


def _refuse_path(folder: Path, name: str, old: str, new: str) -> None:
    """Refuse what is not a file of the dataset's own, or would replace another one."""
    if not old.startswith("data/"):
        text = f"datasets.{name}.export: must be a path below data/"
        raise PipelineError(f"params.yaml: {text}; correct it")
    if new != old and os.path.lexists(folder / new):
        raise PipelineError(f"{new}: is there already; move it away")
    if "deps" in inputs.dvc_file(folder, old):
        text = "DVC imported it from elsewhere; run `dvc update` on it"
        raise PipelineError(f"{old}.dvc: {text}, or `dvc remove` it first")


def _is_kept_by_git(folder: Path, path: str, *, owned: bool) -> bool:
    """Tell whether git keeps an export, not DVC; owned: a branch of CVAT brings it."""
    if (folder / f"{path}.dvc").exists():
        return False
    return owned or inputs.in_git(folder, path)


def _look(change: Edit, name: str, export: Path, edited: str) -> dict[str, int]:
    """Bring the export in, out of sight, have it read, and return its numbers if they are known."""
    root, index = change.aside / name, change.folder / "data" / name / inputs.INDEX
    root.mkdir()
    inputs.write_parameters(change, edited)
    inputs.bring(change, export, root / "export")
    if index.is_file():
        inputs.bring(change, index, root / inputs.INDEX)
    else:
        text = "is not here, so names and sizes are not compared with the movie"
        messages.warn(f"data/{name}/{inputs.INDEX}: {text}; `dvc pull` it to have them compared")
    messages.say(inputs.look_at_export(change, root, root / "export", str(export)).rstrip())
    return inputs.numbers(root / inputs.METRICS)


def _replace(change: Edit, ready: Path, old: str, new: str, *, by_git: bool) -> None:
    """Put the new export in place of the old one, whose file the cache may share: it is moved."""
    before, after = change.folder / old, change.folder / new
    if os.path.lexists(before):
        change.put_away(before)
    pointer = change.folder / f"{old}.dvc"
    for path in (pointer, change.folder / f"{new}.dvc", after.parent / ".gitignore"):
        change.keep(path)
    if new != old and pointer.exists():
        change.dvc("remove", "--quiet", f"{old}.dvc")
    change.move(ready, after)
    if not by_git:
        change.dvc("add", "--quiet", new)


def _say_changes(folder: Path, name: str, after: dict[str, int]) -> None:
    """Say which numbers are others than those of the export before, if both are known."""
    before = inputs.numbers(folder / "data" / name / inputs.METRICS)
    if not (before and after):
        return
    changed = [key for key in {**before, **after} if before.get(key, 0) != after.get(key, 0)]
    for key in changed:
        messages.say(f"{name}: {key} {before.get(key, 0)} -> {after.get(key, 0)}")
    if not changed:
        messages.say(f"{name}: no number is another one")


def _say_next(name: str, old: str, new: str, *, by_git: bool) -> None:
    program = messages.program()
    messages.say(f"{new}: replaced" if old == new else f"{new}: replaces {old}")
    messages.say("next:")
    if not by_git:
        messages.say(f"  dvc push {new}.dvc")
    messages.say(f"  git add data/{name} params.yaml && git commit -m 'A new export of {name}'")
    messages.say(f"  git push    # CI publishes it; without CI: {program} repro, commit, dvc push")
