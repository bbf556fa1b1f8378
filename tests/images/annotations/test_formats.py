"""Formats are modules of one folder: what each of them has, and that no list names them."""

import inspect
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest

import readings
from annotations import exports, voc_file
from annotations.export_file import Choice
from annotations.formats import FORMATS, Format
from annotations.model import Annotation
from registries import PROJECT
from stage.errors import StageError

ANNOTATIONS = PROJECT / "images/annotations/annotations"
MODULES = {path.stem for path in (ANNOTATIONS / "formats").glob("*.py")} - {"__init__"}

IMAGES = (
    '<annotations><image id="0" name="frame_000000" width="64" height="48"></image></annotations>'
)


def name(module: Format) -> str:
    """The last part of a module's name."""
    return str(vars(module)["__name__"]).rpartition(".")[2]


def test_every_module_of_the_folder_is_a_format() -> None:
    assert {name(each) for each in FORMATS} == MODULES
    assert len({each.NAME for each in FORMATS}) == len(MODULES)


@pytest.mark.parametrize("each", FORMATS, ids=name)
def test_a_format_has_what_its_protocol_says(each: Format) -> None:
    for method in ("matches", "read"):
        wanted, found = (inspect.signature(getattr(one, method)) for one in (Format, each))
        types = [parameter.annotation for parameter in wanted.parameters.values()][1:]
        assert [parameter.annotation for parameter in found.parameters.values()] == types
        assert found.return_annotation == wanted.return_annotation
    assert {field.name for field in fields(Choice)} >= each.OPTIONS
    assert set(exports.LACKS) >= each.OPTIONS
    assert f"'{each.NAME}'" in exports.ACCEPTED


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """A small export of each of two formats."""
    (tmp_path / "images.xml").write_text(IMAGES)
    with zipfile.ZipFile(tmp_path / "voc.zip", "w") as zipped:
        content = voc_file.write(Annotation("frame_000000.PNG", 64, 48))
        zipped.writestr("Annotations/frame_000000.xml", content)
    return {each: tmp_path / each for each in ("images.xml", "voc.zip")}


@pytest.mark.parametrize(
    ("export", "choice", "said"),
    [
        ("voc.zip", Choice(task="7"), "'PASCAL VOC 1.1' does not say which task .* --task"),
        ("voc.zip", Choice(interpolate=True), "'PASCAL VOC 1.1' has no keyframes .* --interpolate"),
        ("images.xml", Choice(interpolate=True), "'CVAT for images 1.1' has no keyframes"),
    ],
)
def test_an_option_that_a_format_cannot_honour_is_refused(
    made: dict[str, Path], export: str, choice: Choice, said: str
) -> None:
    with pytest.raises(StageError, match=f"{re.escape(export)}: {said}"):
        readings.read(made[export], choice=choice)


NEW = '''\
"""'Points 1.0': a text file, a line a picture."""

from annotations.model import Annotation, Export

NAME = "Points 1.0"
OPTIONS = frozenset()


def matches(export):
    return export.archive is None and export.open("").read(6) == b"POINTS"


def read(export, pictures, choice):
    lines = export.open("").read().decode().split()[1:]
    return Export([Annotation(line, 64, 48) for line in lines])
'''

READ = """\
import sys
from pathlib import Path
import readings
from annotations import exports
print([each.picture for each in readings.read(Path(sys.argv[1]))], exports.ACCEPTED)
"""


def test_a_new_format_is_one_new_module(tmp_path: Path) -> None:
    shutil.copytree(ANNOTATIONS, tmp_path / "annotations")
    (tmp_path / "annotations/formats/points.py").write_text(NEW)
    (tmp_path / "export.txt").write_text("POINTS a.png b.png")
    command = [sys.executable, "-c", READ, str(tmp_path / "export.txt")]
    path = ":".join(map(str, (tmp_path, PROJECT / "images/base", PROJECT / "tests")))
    done = subprocess.run(
        command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("['a.png', 'b.png'] "), done.stderr
    assert "'Points 1.0'" in done.stdout
