"""`add`: a movie and what CVAT exported of it become a dataset of the registry."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines import messages
from pipelines.containers import images
from pipelines.datasets import edits, inputs, params, params_file
from pipelines.datasets.edits import MERGED, Edit
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError

LONGEST = 100
"""Characters of a name: it is the beginning of each picture's."""


@dataclass(frozen=True)
class New:
    """What is to be added. cvat_task: the CVAT task whose branch is going to bring the export."""

    name: str
    movie: Path
    export: Path
    split: str | None = None
    cvat_task: int | None = None
    move: bool = False


def add(folder: Path, new: New) -> None:
    """Add a dataset to the registry in a folder; a PipelineError says why not, nothing changed."""
    text = edits.read(folder)
    settings = params.parse(text)
    refuse_name(folder, settings, new.name)
    _refuse_split(settings, new.split)
    inputs.require_file(new.movie, "a movie")
    inputs.require_file(new.export, "what CVAT exported")
    if new.movie.samefile(new.export):
        raise PipelineError(f"{new.movie}: is given as movie and as export; give both files")
    inputs.refuse_movie_of_other_split(folder, settings, new.movie, new.split)
    values: dict[str, str | int] = {
        "source": f"data/{new.name}/movie{inputs.extension(new.movie)}",
        "export": f"data/{new.name}/annotations{inputs.extension(new.export)}",
    }
    if new.cvat_task is not None:
        values["cvat-task"] = new.cvat_task
    edited = params_file.add_dataset(text, new.name, values, new.split)
    params.parse(edited)
    images.ready(folder)
    with edits.edit(folder) as change:
        left, edited = _bring(change, new, values, edited)
        _put(change, new, values, edited)
    if new.move:
        for path in left:
            path.unlink(missing_ok=True)
    _say_next(new)


def refuse_name(folder: Path, settings: Settings, name: str) -> None:
    """Refuse a name that DVC or the stages cannot take, or that is taken."""
    if wrong := mistake_of_name(name):
        raise PipelineError(f"{name!r}: {wrong}; take another name")
    if name in settings.exports:
        text = f"there is a dataset {name} already; take another name"
        raise PipelineError(f"params.yaml: {text}, or bring its new export by `update`")
    if (folder / "data" / name).exists() or (folder / "data" / name).is_symlink():
        text = "is there already, but no dataset of params.yaml; move it away, or take another name"
        raise PipelineError(f"data/{name}: {text}")


def mistake_of_name(name: str) -> str:
    """Return why a name cannot be a dataset's; nothing if it can."""
    if not params.NAME.fullmatch(name) or name == MERGED or len(name) > LONGEST:
        text = "a dataset's name has letters and digits, with single - or _ between them"
        return f"{text}, at most {LONGEST} in all, and is not `{MERGED}`"
    text = "YAML takes this for something else than text, so it cannot be a dataset's name"
    return text if _yaml_takes_it_for_more(name) else ""


def _yaml_takes_it_for_more(name: str) -> bool:
    """Tell whether a name would be read as a number or a truth: by DVC or by Python's YAML."""
    number = re.fullmatch(r"[0-9_]+|[0-9]+[eE][0-9]+|0[xo][0-9a-fA-F]+", name, re.ASCII)
    return bool(number) or yaml.safe_load(name) != name


def _refuse_split(settings: Settings, split: str | None) -> None:
    if split is not None and split not in (settings.splits or {}):
        known = ", ".join(settings.splits or {}) or "none"
        raise PipelineError(f"params.yaml: there is no split {split}; there are: {known}")


def _bring(
    change: Edit, new: New, values: dict[str, str | int], edited: str
) -> tuple[list[Path], str]:
    """Bring both files in, out of sight, and have the stages look at them.

    Return the originals that are still where they were, and what params.yaml is going to be.
    """
    root = change.aside / new.name
    root.mkdir()
    movie, export = (root / Path(str(values[key])).name for key in ("source", "export"))
    inputs.write_parameters(change, edited)
    pairs = ((new.movie, movie), (new.export, export))
    left = [one for one, target in pairs if inputs.bring(change, one, target, move=new.move)]
    messages.say(inputs.look_at_movie(change, root, movie, str(new.movie)).rstrip())
    edited = _name_labels(change, root, export, edited)
    inputs.write_parameters(change, edited)
    messages.say(inputs.look_at_export(change, root, export, str(new.export)).rstrip())
    for made in root.iterdir():
        if made not in (movie, export):
            made.unlink()
    return left, edited


def _name_labels(change: Edit, root: Path, export: Path, text: str) -> str:
    """Return params.yaml with the labels of an export, if it names none to keep yet."""
    if params.parse(text).labels:
        return text
    labels = inputs.find_labels(change, root, export, text)
    if not labels:
        return text
    said = f"was empty and is now {', '.join(labels)}; delete those that are not to be kept"
    messages.say(f"params.yaml: annotations.valid-labels: {said}")
    return params_file.add_labels(text, labels)


def _put(change: Edit, new: New, values: dict[str, str | int], edited: str) -> None:
    """Put the dataset in its place: its folder, DVC's files, the pipeline, and params.yaml."""
    folder = change.folder / "data" / new.name
    # what DVC writes into it is to go before the files are moved back
    change.undo.callback(_remove_dvc_files, change.aside / new.name)
    change.move(change.aside / new.name, folder)
    kept = [str(values["source"])]
    if new.cvat_task is None:
        kept.append(str(values["export"]))
    change.dvc("add", "--quiet", *kept)
    change.write(edited)
    if new.cvat_task is not None:
        change.git("add", "--force", "--", str(values["export"]))


def _remove_dvc_files(folder: Path) -> None:
    for path in (*folder.glob("*.dvc"), folder / ".gitignore"):
        path.unlink(missing_ok=True)


def _say_next(new: New) -> None:
    where = f"in the split {new.split}" if new.split else "in no split yet: name it in params.yaml"
    program = messages.program()
    messages.say(f"{new.name}: added, {where}")
    messages.say("next:")
    if not new.split:
        messages.say(f"  {program} splits   # when it is in a split of params.yaml")
    messages.say(f"  {program} repro    # runs the stages; look at the numbers")
    messages.say("  git add data params.yaml dvc.yaml pictures/dvc.yaml dvc.lock")
    messages.say(f"  git commit -m 'Add {new.name}'")
    messages.say("  dvc push && git push")
