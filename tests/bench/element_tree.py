"""The rival: an export filtered with the standard library, one file at a time.

This is the method of the peer tools: ElementTree for each file of the zip, objects of unwanted
labels removed, what is left written to a folder, or to another zip.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree


def filtered(source: Path, labels: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the annotation files of a zip with the objects of some labels only."""
    with zipfile.ZipFile(source) as zipped:
        for name in sorted(zipped.namelist()):
            if name.startswith("Annotations/"):
                root = ElementTree.fromstring(zipped.read(name))
                for thing in root.findall("object"):
                    if thing.findtext("name") not in labels:
                        root.remove(thing)
                if root.find("object") is not None:
                    yield name, ElementTree.tostring(root, "utf-8")


def main() -> None:
    """Read the command line: EXPORT DESTINATION LABEL..."""
    source, destination, labels = Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3:])
    if destination.suffix == ".zip":
        with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in filtered(source, labels):
                zipped.writestr(name, content)
        return
    destination.mkdir(parents=True)
    for name, content in filtered(source, labels):
        (destination / Path(name).name).write_bytes(content)


if __name__ == "__main__":
    main()
