"""`add`: a movie and what CVAT exported of it become a dataset of the registry.

Both are files that somebody has, or are fetched from a task in CVAT.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines import messages
from pipelines.containers import images
from pipelines.cvat.known import TRAILER
from pipelines.datasets import edits, from_cvat, inputs, params, params_file
from pipelines.datasets.edits import MERGED, Edit
from pipelines.datasets.from_cvat import Source
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError

LONGEST = 100
"""Characters of a name: it is the beginning of each picture's."""


EXPORT = ".xml"
"""The extension of an export that is fetched from CVAT."""


@dataclass(frozen=True)
class New:
    """What is to be added. cvat_task: the CVAT task whose branch is going to bring the export.

    movie, export: files; what is None is fetched from that task.
    """

    name: str
    movie: Path | None
    export: Path | None
    split: str | None = None
    cvat_task: int | None = None
    move: bool = False

    def name_files(self, movie: str, export: str) -> dict[str, str | int]:
        """Return what params.yaml says of it, with the extensions of its files."""
        values: dict[str, str | int] = {
            "source": f"data/{self.name}/movie{movie}",
            "export": f"data/{self.name}/annotations{export}",
        }
        return values if self.cvat_task is None else {**values, "cvat-task": self.cvat_task}


def add(folder: Path, new: New) -> None:
    """Add a dataset to the registry in a folder; a PipelineError says why not, nothing changed."""
    text = edits.read(folder)
    settings = params.parse(text)
    refuse_name(folder, settings, new.name)
    _refuse_split(settings, new.split)
    _refuse_files(folder, settings, new)
    params.parse(params_file.add_dataset(text, new.name, new.name_files("", ""), new.split))
    source = _find_source(folder, settings, new)
    values = _name_files(new, source)
    edited = params_file.add_dataset(text, new.name, values, new.split)
    images.ready(folder)
    with edits.edit(folder) as change:
        change.try_write(edited)
        brought = _bring(change, new, source, values)
        edited = _look(change, new, source, brought, edited)
        _put(change, new, values, edited)
    if new.move:
        for path in brought.left:
            path.unlink(missing_ok=True)
    _say_next(new, brought.updated)


@dataclass(frozen=True)
class Brought:
    """What was brought in, out of sight. left: originals that are still where they were.

    updated: the date of the last change in an export that was fetched; empty for a file.
    """

    movie: Path
    export: Path
    left: list[Path]
    updated: str


def _refuse_files(folder: Path, settings: Settings, new: New) -> None:
    """Refuse files that are none, or cannot be this dataset's."""
    if new.movie:
        inputs.require_file(new.movie, "a movie")
    if new.export:
        inputs.require_file(new.export, "what CVAT exported")
    if new.movie and new.export and new.movie.samefile(new.export):
        raise PipelineError(f"{new.movie}: is given as movie and as export; give both files")
    if new.movie:
        inputs.refuse_movie_of_other_split(folder, settings, new.movie, new.split)


def _find_source(folder: Path, settings: Settings, new: New) -> Source | None:
    """Return the task in CVAT that has what is not given; None if all is."""
    if new.movie and new.export:
        return None
    assert new.cvat_task is not None
    return from_cvat.find(folder, settings, new.cvat_task, movie=not new.movie)


def _name_files(new: New, source: Source | None) -> dict[str, str | int]:
    movie = new.movie or Path(source.movie.name if source and source.movie else "")
    export = inputs.extension(new.export) if new.export else EXPORT
    return new.name_files(inputs.extension(movie), export)


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


def _bring(change: Edit, new: New, source: Source | None, values: dict[str, str | int]) -> Brought:
    """Bring both files in, out of sight; what is fetched comes first, for it may not be had."""
    root = change.aside / new.name
    root.mkdir()
    movie, export = (root / Path(str(values[key])).name for key in ("source", "export"))
    updated = source.write_export(export) if source and not new.export else ""
    if source and source.movie:
        source.write_movie(movie)
        settings, shown = params.parse(change.text), _show_movie(new)
        inputs.refuse_movie_of_other_split(change.folder, settings, movie, new.split, shown)
    pairs = ((new.movie, movie), (new.export, export))
    given = [(one, target) for one, target in pairs if one]
    left = [one for one, target in given if inputs.bring(change, one, target, move=new.move)]
    return Brought(movie, export, left, updated)


def _look(change: Edit, new: New, source: Source | None, brought: Brought, edited: str) -> str:
    """Have the stages look at both files; return what params.yaml is going to be."""
    root, movie, export = brought.movie.parent, brought.movie, brought.export
    inputs.write_parameters(change, edited)
    messages.say(inputs.look_at_movie(change, root, movie, _show_movie(new)).rstrip())
    if source and (root / inputs.INDEX).is_file():
        source.refuse_shorter(inputs.count_frames(root / inputs.INDEX))
    edited = _name_labels(change, root, export, edited)
    inputs.write_parameters(change, edited)
    shown = str(new.export or f"the export of task {new.cvat_task}")
    messages.say(inputs.look_at_export(change, root, export, shown).rstrip())
    for made in root.iterdir():
        if made not in (movie, export):
            made.unlink()
    return edited


def _show_movie(new: New) -> str:
    return str(new.movie or f"the movie of task {new.cvat_task}")


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


def _say_next(new: New, updated: str) -> None:
    """Say what is to be done; updated: what spares the next `fetch` an export, if it is known."""
    where = f"in the split {new.split}" if new.split else "in no split yet: name it in params.yaml"
    program = messages.program()
    messages.say(f"{new.name}: added, {where}")
    messages.say("next:")
    if not new.split:
        messages.say(f"  {program} splits   # when it is in a split of params.yaml")
    messages.say(f"  {program} repro    # runs the stages; look at the numbers")
    messages.say("  git add data params.yaml dvc.yaml pictures/dvc.yaml dvc.lock")
    trailer = f" -m '{TRAILER}: {updated}'" if updated else ""
    messages.say(f"  git commit -m 'Add {new.name}'{trailer}")
    messages.say("  dvc push && git push")
