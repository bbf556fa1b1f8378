"""Keep a data registry: run `registry COMMAND` or `python -m pipelines COMMAND` in its folder.

publish works on the clone's `origin` and its default branch; the files that are checked out are
neither read nor changed. The credentials of the remote come from the environment.
exit codes: 0 done, 1 refused, 2 wrong options, 3 run it again later
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines import messages
from pipelines.containers import images
from pipelines.cvat import fetch
from pipelines.datasets import command_line, split_stages
from pipelines.errors import PipelineError, Transient
from pipelines.publishing import check, publish, repro, status
from pipelines.publishing.plan import Options
from pipelines.setup import doctor


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work; a PipelineError becomes a message and exit code."""
    sys.excepthook = messages.show_bug
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except KeyboardInterrupt:
        messages.refuse("stopped before it was done")
        return publish.REFUSED
    except PipelineError as error:
        messages.refuse(str(error))
        return publish.AGAIN if isinstance(error, Transient) else publish.REFUSED


LONGEST = 7 * 86400
"""Seconds of the longest wait that can be asked for: a week."""

COMMANDS = {
    "images": "write images.yaml; pull or build the images that the engine lacks",
    "repro": "run the stages that must run, all or TARGETs, here; say which were up to date",
    "check": "say whether a branch of CVAT, or without BRANCH a merge request, would be taken",
    "fetch": "export the tasks of CVAT that are due, all or those of NAMEs, and push branches",
    "publish": "publish the waiting branches of CVAT, then whatever else changed",
    "status": "say what waits, what would run and what the remote lacks; fetch no data",
    "splits": "write the stages of the splits into dvc.yaml and pictures/dvc.yaml",
    "doctor": "say what is not set up as it should be, in a CI job or on a laptop",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=messages.program(),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    made = {name: commands.add_parser(name, help=t, description=t) for name, t in COMMANDS.items()}
    command_line.add_parsers(commands)
    text = "the one that CI's jobs run in, too"
    made["images"].add_argument("--tools", action="store_true", help=text)
    text = "the one that runs beside CVAT, too"
    made["images"].add_argument("--receiver", action="store_true", help=text)
    text = "all, and send to the container registry that the prefix names what it lacks"
    made["images"].add_argument("--push", action="store_true", help=text)
    text = "cvat_<task>_<name>; without it, what is checked out is checked"
    made["check"].add_argument("branch", nargs="?", metavar="BRANCH", help=text)
    text = "a stage, or a file with stages, as `dvc repro` takes them; without it, all of all files"
    made["repro"].add_argument("targets", nargs="*", metavar="TARGET", help=text)
    text = "check all, say what would be published and sent, and change nothing"
    made["publish"].add_argument("--dry-run", action="store_true", help=text)
    text = "instead of publish.max-drop: the part of a dataset's objects that may be lost, 0 to 1"
    made["publish"].add_argument("--max-drop", type=_part, metavar="PART", help=text)
    text = "a dataset with a cvat-task; without it, all of them"
    made["fetch"].add_argument("names", nargs="*", metavar="NAME", help=text)
    for name in ("check", "fetch", "publish", "status"):
        add = made[name].add_argument
        text = "how long a step that waits for others may take (default: %(default)s)"
        longest = fetch.SECONDS if name == "fetch" else 1800
        add("--timeout", type=_seconds, default=longest, metavar="SECONDS", help=text)
    return parser


def _part(text: str) -> float:
    """Read a part of a whole: a number from 0 to 1."""
    if not 0 <= (value := float(text)) <= 1:  # nan is none of them
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return value


def _seconds(text: str) -> float:
    """Read how long to wait, which must have an end."""
    if not 1 <= (value := float(text)) <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 1 to {LONGEST}")
    return value


def _run(args: argparse.Namespace) -> int:
    if args.command in command_line.COMMANDS:
        return command_line.run(args)
    if args.command in ALONE:
        return ALONE[args.command](args)
    return _publish_or_look(args)


def _publish_or_look(args: argparse.Namespace) -> int:
    """Do what looks at the default branch of origin."""
    options = Options(
        getattr(args, "max_drop", None), args.timeout, dry_run=getattr(args, "dry_run", False)
    )
    if args.command == "check" and args.branch is None:
        return check.check_registry(options)
    if args.command == "check":
        return check.check_branch(args.branch, options)
    return {"publish": publish.publish, "status": status.status}[args.command](options)


def _provide_images(args: argparse.Namespace) -> int:
    images.ensure(tools=args.tools, receiver=args.receiver, push=args.push)
    return publish.DONE


def _write_splits(_: argparse.Namespace) -> int:
    for path in (changed := split_stages.write(Path.cwd())):
        messages.say(f"{path}: written")
    if not changed:
        messages.say("dvc.yaml, pictures/dvc.yaml: have the splits of params.yaml already")
    return publish.DONE


ALONE: dict[str, Callable[[argparse.Namespace], int]] = {
    "images": _provide_images,
    "doctor": lambda _: doctor.doctor(),
    "fetch": lambda args: fetch.fetch(args.names, args.timeout),
    "repro": lambda args: repro.repro(args.targets),
    "splits": _write_splits,
}
"""The commands that take no options of a publish."""


if __name__ == "__main__":
    sys.exit(main())
