"""Edits of params.yaml change the lines that they must, and no other character."""

import difflib
from collections.abc import Callable

import pytest
import yaml

from pipelines.datasets import params_file
from pipelines.errors import PipelineError

ODD = """\
# Kept as it is:   blanks, quotes, order.
annotations: &rules   # an anchor
    valid-labels:  [ 'Car',"Bicycle" , Bus ]
    concat-type-attribute: False
    rename-labels: {'a b':   "c: d", x : y}

datasets:
    # the first one
    "street":            # in the north
        export: 'data/street/annotations.zip'
        source: "data/street/movie.mp4"   # filmed in May
        cvat-task: 0012

    road:
        source: data/road/movie.mp4
        export: data/road/annotations.zip
        annotations:
            min-size: [8,   8]
        # of road, too

    # the last one
    park: {source: data/park/movie.mp4,   export: data/park/x.xml}   # short
# between the sections
splits:
    training:
        datasets:
        - street   # all of it
        - "road[0:5]"
        apart-from: []
    validation: {datasets: [ park,'road[5:]' ],   apart-from: [training]}
    test:

frames: {format: png,quality: 2}
# the end, without a line end"""

VALUES = {"source": "data/lake/movie.mp4", "export": "data/lake/annotations.zip"}
LAKE = ["    lake:", "      source: data/lake/movie.mp4", "      export: data/lake/annotations.zip"]
Edit = Callable[[str], str]

EDITS: dict[str, tuple[Edit, list[str], list[str]]] = {
    "add": (lambda t: params_file.add_dataset(t, "lake", VALUES), [], LAKE),
    "add to a list of lines": (
        lambda t: params_file.add_dataset(t, "lake", VALUES, "training"),
        [],
        [*LAKE, "        - lake"],
    ),
    "add to a list in brackets": (
        lambda t: params_file.add_dataset(t, "lake", VALUES, "validation"),
        ["    validation: {datasets: [ park,'road[5:]' ],   apart-from: [training]}"],
        [*LAKE, "    validation: {datasets: [ park,'road[5:]', lake ],   apart-from: [training]}"],
    ),
    "add to an empty split": (
        lambda t: params_file.add_dataset(t, "lake", VALUES, "test"),
        [],
        [*LAKE, "      datasets: [lake]"],
    ),
    "labels": (
        lambda t: params_file.add_labels(t, ["no", "a, b"]),
        ["""    valid-labels:  [ 'Car',"Bicycle" , Bus ]"""],
        ["""    valid-labels:  [ 'Car',"Bicycle" , Bus, 'no', 'a, b' ]"""],
    ),
    "remove": (
        lambda t: params_file.remove_dataset(t, "road"),
        [
            "    road:",
            "        source: data/road/movie.mp4",
            "        export: data/road/annotations.zip",
            "        annotations:",
            "            min-size: [8,   8]",
            "        # of road, too",
            '        - "road[0:5]"',
            "    validation: {datasets: [ park,'road[5:]' ],   apart-from: [training]}",
        ],
        ["    validation: {datasets: [ park ],   apart-from: [training]}"],
    ),
    "remove the last one": (
        lambda t: params_file.remove_dataset(t, "park"),
        [
            "    park: {source: data/park/movie.mp4,   export: data/park/x.xml}   # short",
            "    validation: {datasets: [ park,'road[5:]' ],   apart-from: [training]}",
        ],
        ["    validation: {datasets: [ 'road[5:]' ],   apart-from: [training]}"],
    ),
    "rename": (
        lambda t: params_file.rename_dataset(t, "street", "avenue"),
        [
            '    "street":            # in the north',
            "        export: 'data/street/annotations.zip'",
            '        source: "data/street/movie.mp4"   # filmed in May',
            "        - street   # all of it",
        ],
        [
            '    "avenue":            # in the north',
            "        export: 'data/avenue/annotations.zip'",
            '        source: "data/avenue/movie.mp4"   # filmed in May',
            "        - avenue   # all of it",
        ],
    ),
    "rename one with ranges": (
        lambda t: params_file.rename_dataset(t, "road", "way"),
        [
            "    road:",
            "        source: data/road/movie.mp4",
            "        export: data/road/annotations.zip",
            '        - "road[0:5]"',
            "    validation: {datasets: [ park,'road[5:]' ],   apart-from: [training]}",
        ],
        [
            "    way:",
            "        source: data/way/movie.mp4",
            "        export: data/way/annotations.zip",
            '        - "way[0:5]"',
            "    validation: {datasets: [ park,'way[5:]' ],   apart-from: [training]}",
        ],
    ),
    "another export": (
        lambda t: params_file.set_export(t, "street", "data/street/annotations.xml"),
        ["        export: 'data/street/annotations.zip'"],
        ["        export: 'data/street/annotations.xml'"],
    ),
}


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came, line ends included in what is compared."""
    lines = [*difflib.ndiff(before.splitlines(True), after.splitlines(True))]
    gone, come = ([line[2:] for line in lines if line.startswith(sign)] for sign in "-+")
    return gone, come


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_only_the_lines_it_must(name: str, newline: str) -> None:
    edit, gone, come = EDITS[name]
    text = ODD.replace("\n", newline)
    after = edit(text)

    assert changed(text, after) == tuple([f"{x}{newline}" for x in each] for each in (gone, come))


@pytest.mark.parametrize(
    "text",
    [
        "datasets: {}\n",
        "datasets: {}  # none yet",
        "datasets:\n",
        "datasets:",
        "datasets: ~\n# more\n",
        "frames: {format: png}\n",
        "frames:\n  format: png",
        "\ufeffdatasets: {}\n",
    ],
)
def test_a_first_dataset_comes_and_goes(text: str) -> None:
    added = params_file.add_dataset(text, "lake", VALUES)
    removed = params_file.remove_dataset(added, "lake")

    assert yaml.safe_load(added)["datasets"] == {"lake": VALUES}
    assert yaml.safe_load(removed)["datasets"] == {}
    assert all(line in removed for line in text.splitlines() if line.startswith("#"))


def test_the_last_dataset_of_a_list_of_lines_leaves_an_empty_list() -> None:
    text = "datasets:\n  a: {source: s}\nsplits:\n  t:\n    datasets: # x\n      - a\n"
    text += "    apart-from: []\n"

    assert params_file.remove_dataset(text, "a") == (
        "datasets: {}\nsplits:\n  t:\n    datasets: [] # x\n    apart-from: []\n"
    )


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        (
            "datasets: &all {a: {export: data/a/x.zip}}\nother: *all\n",
            lambda t: params_file.set_export(t, "a", "data/a/x.xml"),
        ),
        (
            "splits: {t: {datasets: &d [a]}, u: {datasets: *d}}\ndatasets: {a: {}}\n",
            lambda t: params_file.add_dataset(t, "b", VALUES, "t"),
        ),
        ("{datasets: }", lambda t: params_file.add_dataset(t, "b", VALUES)),
    ],
)
def test_what_cannot_be_edited_safely_is_refused(text: str, edit: Edit) -> None:
    with pytest.raises(PipelineError, match="edit it by hand"):
        edit(text)


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: params_file.remove_dataset(t, "12"),
        lambda t: params_file.rename_dataset(t, "lake", "sea"),
        lambda t: params_file.set_export(t, "lake", "x"),
    ],
)
def test_a_dataset_that_is_not_there_is_refused(edit: Edit) -> None:
    with pytest.raises(PipelineError, match="there is no dataset"):
        edit("datasets: {12: {}, a: {}}\n")
