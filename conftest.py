"""Let tests import the code of every image, as the image itself does: its folder is on the path."""

import sys
from pathlib import Path

DOCKERFILES = sorted(Path(__file__).parent.glob("images/*/Dockerfile"))
sys.path[:0] = [str(path.parent) for path in DOCKERFILES]
