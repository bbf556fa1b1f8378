"""Real CVAT files give the boxes that datumaro, another reader of them, finds in them.

What datumaro read is stored in tests/oracle by its make.py, which has how.
"""

import hashlib
import json
import re
from collections import Counter
from typing import Any

import pytest

import corpora
import readings
from annotations.export_file import ANY, Choice
from annotations.model import Annotation
from registries import PROJECT
from stage import frames
from stage.errors import StageError

ORACLE = PROJECT / "tests" / "oracle"
STORED = {path.stem: json.loads(path.read_text("utf-8")) for path in ORACLE.glob("*.json")}
FOLDER = "cvat/real"

TASK_ASSET = "openvinotoolkit_datumaro_for_images_export_task_train"

REFUSED = {TASK_ASSET: "train.xml:50: '' is no label"}
"""Files that datumaro reads and this refuses. This one was edited by hand for datumaro's tests: a
polyline and a polygon have the label "", which no label of CVAT can be.
"""

COMPARED = sorted(
    name
    for name, stored in STORED.items()
    if name not in REFUSED and corpora.has(f"{FOLDER}/{stored['source']}")
)


def read(name: str) -> list[Annotation]:
    """Read the file that an expectation is about."""
    subset = STORED[name]["subset"]
    choice = Choice(subset=subset) if subset else ANY
    return readings.read(corpora.path(f"{FOLDER}/{STORED[name]['source']}"), choice=choice)


def boxes(annotations: list[Annotation]) -> list[list[Any]]:
    """Picture, label, edges and rotation of each box, sorted."""
    return sorted(
        [frames.identifier(annotation.picture), each.label, list(each.box), each.rotation]
        for annotation in annotations
        for each in annotation.objects
        if each.shape == "box"
    )


def test_there_is_an_expectation_for_every_real_file() -> None:
    files = {name.removeprefix(f"{FOLDER}/") for name in corpora.names(f"{FOLDER}/**/*.xml")}

    assert files <= {each["source"] for each in STORED.values()}
    assert len(files) > 5
    assert set(REFUSED) < set(STORED)


@pytest.mark.parametrize("name", COMPARED)
def test_a_real_file_has_the_boxes_that_datumaro_finds(name: str) -> None:
    found, expected = boxes(read(name)), STORED[name]

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
def test_a_file_edited_by_hand_is_refused_by_line(name: str) -> None:
    with pytest.raises(StageError, match=re.escape(REFUSED[name])):
        read(name)
