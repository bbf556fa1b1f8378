"""The least that merging could be: a link for each picture and each annotation file."""

import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    """Read the command line: NAME... of datasets in data/."""
    target = Path("data/linked")
    shutil.rmtree(target, ignore_errors=True)
    for kind in ("Annotations", "JPEGImages"):
        (target / kind).mkdir(parents=True)
        for name in sys.argv[1:]:
            for entry in os.scandir(f"data/{name}/{kind}"):
                link = target / kind / f"{name}__{entry.name}"
                link.symlink_to(f"../../{name}/{kind}/{entry.name}")


if __name__ == "__main__":
    main()
