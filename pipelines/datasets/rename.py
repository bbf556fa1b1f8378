"""`rename`: a dataset has another name, and with it its folder and its pictures in the splits."""

from pathlib import Path

from pipelines import commands, messages
from pipelines.datasets import edits, params, params_file
from pipelines.datasets.add import refuse_name


def rename(folder: Path, old: str, new: str) -> None:
    """Rename a dataset; a PipelineError says why not, nothing is changed then."""
    text = edits.read(folder)
    params_file.require(params.load(text), old)
    settings = params.parse(text)
    refuse_name(folder, settings, new)
    edited = params_file.rename_dataset(text, old, new)
    before, after = f"data/{old}", f"data/{new}"
    with edits.edit(folder) as change:
        if (folder / before).exists():
            change.move(folder / before, folder / after)
        change.put_away_splits(old, settings, params.parse(edited))
        change.forget_stages(old)
        written = change.write(edited)
        change.git("update-index", "-z", "--index-info", stdin=_entries(folder, before, after))
    messages.say(f"{old}: is called {new} now, in {', '.join(written)}, and its folder is {after}")
    for path in ("dvc.yaml", "pictures/dvc.yaml"):
        if (folder / path).is_file() and f"{before}/" in (folder / path).read_text("utf-8"):
            messages.warn(f"{path}: still names {before}/ in stages of your own; correct them")
    messages.say(f"its pictures are called {new}__... in the splits, once the stages have run")
    messages.say("next:")
    messages.say(f"  {messages.program()} repro    # its stages run again, which takes its movie")
    messages.say(f"  git add {after} params.yaml dvc.yaml pictures/dvc.yaml dvc.lock data/merged")
    messages.say(f"  git commit -m 'Rename {old} to {new}'")


def _entries(folder: Path, before: str, after: str) -> bytes:
    """Return git's index entries of a folder as they are in another one, and that they are gone."""
    listed = commands.run("git", "ls-files", "-z", "--stage", "--", before, folder=folder).stdout
    lines = []
    for entry in filter(None, listed.split("\0")):
        fields, _, path = entry.partition("\t")
        mode, blob, _ = fields.split()
        lines += [
            f"0 {'0' * len(blob)}\t{path}\0",
            f"{mode} {blob}\t{after}{path[len(before) :]}\0",
        ]
    return "".join(lines).encode("utf-8", "surrogateescape")
