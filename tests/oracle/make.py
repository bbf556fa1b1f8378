"""Write what datumaro reads of CVAT's files in the wild: the expectations of test_oracle.py.

  pip install datumaro==1.13.12
  python tests/oracle/make.py tests/corpus ../shared/corpus

Run by hand, in an environment of its own; the tests need only the JSON files beside this script.
Four work-arounds let datumaro read what it would not, or would read otherwise:

- <job>, or no <task> at all, in <meta> becomes a <task>;
- an empty file stands for each picture, as it wants to see it;
- shapes with outside="1", which it keeps, are left out;
- each subset of a project is imported once, though tasks may share it.

Of a file with few boxes they are all written, edges with two decimals, by picture; of the others
(MANY and more) the number by picture and the SHA-256 of all.
"""

import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

try:
    from datumaro.components.annotation import (  # type: ignore[import-not-found]
        AnnotationType,
        Bbox,
        RotatedBbox,
    )
    from datumaro.plugins.data_formats.cvat.base import CvatBase  # type: ignore[import-not-found]
except ImportError:  # where the tests run: pytest looks for examples in every module
    AnnotationType = Bbox = RotatedBbox = CvatBase = None

HERE = Path(__file__).parent
MANY = 100


def main(corpus: Path) -> None:
    """Write one JSON file for each XML file below cvat/real, and subset of a project."""
    folder = corpus / "cvat/real"
    for path in sorted(folder.rglob("*.xml")):
        root = ElementTree.fromstring(path.read_bytes())
        subsets = {e.text or "" for e in root.iterfind("meta/project/tasks/task/subset")} or {""}
        for subset in sorted(subsets):
            source = path.relative_to(folder).as_posix()
            name = re.sub(r"[/+]", "_", source.removesuffix(".xml")) + (subset and f"_{subset}")
            found = read(path, subset)
            expected = {"source": source, "subset": subset, **summary(found)}
            (HERE / f"{name}.json").write_text(written(expected), "utf-8")


def written(expected: dict[str, Any]) -> str:
    """Return JSON with one line a key, and one a box."""
    lines = []
    for key, value in sorted(expected.items()):
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        if key == "boxes" and value:
            boxes = (json.dumps(box, ensure_ascii=False) for box in value)
            text = "[\n  " + ",\n  ".join(boxes) + "\n ]"
        lines.append(f' "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: Path, subset: str) -> list[list[Any]]:
    """Read a file by datumaro: picture, label, edges and rotation of each box, sorted."""
    text = path.read_text("utf-8")
    text = text.replace("<job>", "<task>").replace("</job>", "</task>")
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made, "annotations.xml")
        copy.write_text(text, "utf-8")
        for image in ElementTree.fromstring(text).iter("image"):
            picture = Path(made, "images", subset, image.attrib["name"])
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
        base = CvatBase(str(copy), subset=subset or None)
        labels = [each.name for each in base.categories()[AnnotationType.label]]
        boxes = [
            [item.id, labels[each.label], edges(each), round(getattr(each, "r", 0.0), 2)]
            for item in base
            for each in item.annotations
            if isinstance(each, Bbox | RotatedBbox) and not each.attributes.get("outside")
        ]
    return sorted(boxes)


def edges(each: Any) -> list[float]:
    """Return left, top, right and bottom of a box before it is turned."""
    if isinstance(each, Bbox):
        values = [each.x, each.y, each.x + each.w, each.y + each.h]
    else:
        x, y, width, height, _ = each.points
        values = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    return [round(value, 2) for value in values]


def summary(boxes: list[list[Any]]) -> dict[str, Any]:
    """Return what is stored of the boxes of a file."""
    stored: dict[str, Any] = {"labels": Counter(label for _, label, _, _ in boxes)}
    if len(boxes) < MANY:
        return {**stored, "boxes": boxes}
    canonical = json.dumps(boxes, ensure_ascii=False).encode()
    counts = Counter(picture for picture, *_ in boxes)
    return {
        **stored,
        "pictures": len(counts),
        "most in one picture": max(counts.values()),
        "sha256": hashlib.sha256(canonical).hexdigest(),
    }


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        main(Path(folder))
