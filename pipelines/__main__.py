"""Keep a data registry: run `python -m pipelines COMMAND` in its folder.

commands:
  images         write images.yaml and build the images that the engine lacks
  check BRANCH   say whether a branch of CVAT would be published; needs no secret
  publish        publish the waiting branches of CVAT, then whatever else changed
  status         say what waits, what would run and what the remote lacks; fetches no data

publish works on the clone's `origin` and its default branch; the files that are checked out are
neither read nor changed. The credentials of the remote come from the environment.
exit codes: 0 done, 1 refused, 2 wrong options, 3 run it again later
"""

import argparse
import sys
from collections.abc import Sequence

from pipelines import images, publish
from pipelines.attempt import Options
from pipelines.errors import PipelineError, Transient


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work; a PipelineError becomes a message and exit code."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return publish.AGAIN if isinstance(error, Transient) else publish.REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    building = commands.add_parser("images", help=argparse.SUPPRESS)
    text = "of a prefix that is a container registry: push the images that it lacks"
    building.add_argument("--push", action="store_true", help=text)
    checking = commands.add_parser("check", help=argparse.SUPPRESS)
    checking.add_argument("branch", help="cvat_<task>_<name>")
    publishing = commands.add_parser("publish", help=argparse.SUPPRESS)
    text = "instead of publish.max-drop: the part of a dataset's objects that may be lost, 0 to 1"
    publishing.add_argument("--max-drop", type=float, metavar="PART", help=text)
    for each in (checking, publishing, commands.add_parser("status", help=argparse.SUPPRESS)):
        text = "how long a step that uses the network may take (default: %(default)s)"
        each.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help=text)
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.command == "images":
        images.ensure(push=args.push)
        return publish.DONE
    options = Options(getattr(args, "max_drop", None), args.timeout)
    if args.command == "check":
        return publish.check(args.branch, options)
    return {"publish": publish.publish, "status": publish.status}[args.command](options)


if __name__ == "__main__":
    sys.exit(main())
