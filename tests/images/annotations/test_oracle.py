"""Real CVAT files give the boxes that datumaro, another reader of them, finds in them.

What datumaro read is stored in tests/oracle by its make.py, which has how.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import readings
from annotations.export_file import ANY, Choice
from annotations.model import Annotation
from registries import PROJECT
from stage import frames
from stage.errors import StageError

ORACLE = PROJECT / "tests" / "oracle"
STORED = {path.stem: json.loads(path.read_text("utf-8")) for path in ORACLE.glob("*.json")}

TASK_ASSET = "openvinotoolkit_datumaro_for_images_export_task_train"

REFUSED = {TASK_ASSET: "train.xml:50: '' is no label"}
"""Files that datumaro reads and this refuses. This one was edited by hand for datumaro's tests: a
polyline and a polygon have the label "", which no label of CVAT can be.
"""

COMPARED = sorted(set(STORED) - set(REFUSED))


def read(corpus: Path, name: str) -> list[Annotation]:
    """Read the file that an expectation is about."""
    subset = STORED[name]["subset"]
    choice = Choice(subset=subset) if subset else ANY
    source = corpus / "cvat/real" / STORED[name]["source"]
    return readings.read(source, choice=choice)


def boxes(annotations: list[Annotation]) -> list[list[Any]]:
    """Picture, label, edges and rotation of each box, sorted."""
    return sorted(
        [frames.identifier(annotation.picture), each.label, list(each.box), each.rotation]
        for annotation in annotations
        for each in annotation.objects
        if each.shape == "box"
    )


def test_there_is_an_expectation_for_every_real_file(corpus: Path) -> None:
    folder = corpus / "cvat/real"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.xml")}

    assert {each["source"] for each in STORED.values()} == files
    assert set(REFUSED) < set(STORED)


@pytest.mark.parametrize("name", COMPARED)
def test_a_real_file_has_the_boxes_that_datumaro_finds(corpus: Path, name: str) -> None:
    found, expected = boxes(read(corpus, name)), STORED[name]

    assert Counter(label for _, label, *_ in found) == expected["labels"]
    if "boxes" in expected:
        assert found == expected["boxes"]
    else:
        counts = Counter(picture for picture, *_ in found)
        canonical = json.dumps(found, ensure_ascii=False).encode()
        assert len(counts) == expected["pictures"]
        assert max(counts.values()) == expected["most in one picture"]
        assert hashlib.sha256(canonical).hexdigest() == expected["sha256"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_edited_by_hand_is_refused_by_line(corpus: Path, name: str) -> None:
    with pytest.raises(StageError, match=re.escape(REFUSED[name])):
        read(corpus, name)
