"""Keep a data registry: run `python -m pipelines COMMAND` in its folder.

commands:
  images   write images.yaml and build the images that the engine lacks
"""

import argparse
import sys
from collections.abc import Sequence

from pipelines import images
from pipelines.errors import PipelineError

COMMANDS = {"images": images.ensure}


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do the work; a PipelineError becomes a message and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the above")
    args = parser.parse_args(argv)
    try:
        COMMANDS[args.command]()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
