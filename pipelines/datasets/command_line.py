"""The commands that edit a registry: their options, and what they call."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.datasets import add, new, remove, rename, update

COMMANDS = {
    "new": "make a registry without datasets, which uses the images and CI jobs of these tools",
    "add": "add a dataset: bring in its movie and CVAT's export, files or from CVAT; look at both",
    "update": "put a new export of CVAT in the place of a dataset's old one",
    "remove": "remove a dataset from the registry; old versions stay in git and in the remote",
    "rename": "give a dataset another name, and with it its folder and its pictures in splits",
}

ALL_OR_NOTHING = "Nothing is changed if it is refused or interrupted."
MORE = {
    "new": "The folder must not be there, or be empty. It becomes a git repository, unless it lies "
    "in one.",
    "add": f"Files are copied into data/NAME and kept by DVC; params.yaml and dvc.yaml are edited. "
    f"What comes from CVAT needs the section cvat of params.yaml, and CVAT_ACCESS_TOKEN. "
    f"{ALL_OR_NOTHING}",
    "update": f"The export is read first; the old file is replaced, never written into. "
    f"{ALL_OR_NOTHING}",
    "remove": f"data/NAME is deleted, too; files that neither git nor DVC has are refused. "
    f"{ALL_OR_NOTHING}",
    "rename": f"What DVC keeps stays as it is and is not sent again; the dataset's stages run "
    f"again. {ALL_OR_NOTHING}",
}
"""What --help says beside the first line."""


def add_parsers(commands: Any) -> None:
    """Add the commands to the subparsers of the whole command line."""
    made = {
        name: commands.add_parser(name, help=text, description=f"{text}. {MORE[name]}")
        for name, text in COMMANDS.items()
    }
    _new(made["new"])
    _add(made["add"])
    made["update"].add_argument("name", metavar="NAME", help="the dataset")
    made["update"].add_argument("export", type=Path, metavar="EXPORT", help="what CVAT exported")
    made["remove"].add_argument("name", metavar="NAME", help="the dataset")
    made["rename"].add_argument("old", metavar="OLD", help="the dataset")
    made["rename"].add_argument("new", metavar="NEW", help="what it is going to be called")


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the registry is made")
    text = (
        "a label to keep, repeated in the order of the class numbers (default: those of the first "
    )
    text += "export)"
    parser.add_argument("--label", action="append", default=[], metavar="LABEL", help=text)
    text = "the repository of the tools and a commit of it, which CI files name (default: of this "
    text += "clone)"
    parser.add_argument("--tools", metavar="URL@COMMIT", help=text)
    text = "the images.yaml that says which images to use (default: of this clone, else of this "
    text += "folder)"
    parser.add_argument("--images", type=Path, metavar="FILE", help=text)


def _add(parser: argparse.ArgumentParser) -> None:
    text = "letters and digits, with single - or _ between them"
    parser.add_argument("name", metavar="NAME", help=text)
    text = "the movie (default: that of --cvat-task, from CVAT)"
    parser.add_argument("--movie", type=Path, metavar="FILE", help=text)
    text = "what CVAT exported of it: 'CVAT for video 1.1', 'CVAT for images 1.1', 'PASCAL VOC 1.1'"
    text += " (default: that of --cvat-task, from CVAT)"
    parser.add_argument("--export", type=Path, metavar="FILE", help=text)
    text = "the split to put it into (default: none)"
    parser.add_argument("--split", metavar="SPLIT", help=text)
    text = "the number of the CVAT task whose branch brings new exports: git keeps them, not DVC; "
    text += "what is not given as a file is fetched from it now"
    parser.add_argument("--cvat-task", type=_task, metavar="N", help=text)
    text = "move the files instead of copying them"
    parser.add_argument("--move", action="store_true", help=text)
    parser.set_defaults(refuse=parser.error)


def _task(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a task")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says, in the current folder."""
    here = Path.cwd()
    if args.command == "add" and args.cvat_task is None:
        missing = [f"--{each}" for each in ("movie", "export") if getattr(args, each) is None]
        if missing:
            args.refuse(f"without --cvat-task, these are required: {', '.join(missing)}")
    work: dict[str, Callable[[], None]] = {
        "new": lambda: new.new(args.folder, args.label, args.tools, args.images),
        "add": lambda: add.add(
            here,
            add.New(args.name, args.movie, args.export, args.split, args.cvat_task, args.move),
        ),
        "update": lambda: update.update(here, args.name, args.export),
        "remove": lambda: remove.remove(here, args.name),
        "rename": lambda: rename.rename(here, args.old, args.new),
    }
    work[args.command]()
    return 0
