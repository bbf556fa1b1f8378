"""The other rival: datumaro reads an export of CVAT and writes it as Pascal VOC."""

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> None:
    """Read the command line: EXPORT LABEL..."""
    from datumaro.components.dataset import Dataset  # type: ignore[import-not-found] # noqa: PLC0415

    folder = Path(tempfile.mkdtemp())
    try:
        with zipfile.ZipFile(sys.argv[1]) as zipped:
            zipped.extractall(folder / "in")  # made by the benchmark itself
        names = sorted(path.stem for path in (folder / "in/Annotations").iterdir())
        lists = folder / "in/ImageSets/Main"
        lists.mkdir(parents=True)
        (lists / "default.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")
        lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
        lines += [f"{label}:{n},{n},{n}::" for n, label in enumerate(sys.argv[2:], 1)]
        (folder / "in/labelmap.txt").write_text("\n".join(lines), "utf-8")
        Dataset.import_from(str(folder / "in"), "voc").export(str(folder / "out"), "voc")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
