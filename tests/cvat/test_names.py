"""Branch names: whatever a task is called, git and `publish` take its branch."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cvat.names import name_branch
from pipelines.publishing.branches import NAME

ODD = st.text(st.sampled_from("a./lock.. -()_\n\u202eé@{~^:?*[\\"), max_size=120)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=120), ODD, st.text("ab", max_size=99).map(lambda t: f"{t}.lock")))
def test_a_name_is_a_branch(name: str) -> None:
    branch = name_branch(12, name)
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{branch}"], check=False, capture_output=True
    )

    assert done.returncode == 0, branch
    assert NAME.fullmatch(branch)
    assert len(branch) <= len("cvat_12_") + 100


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("bikes day 1/2 *new*", "cvat_12_bikes_day_1_2__new_"),  # of the recordings
        ("Main St. 2019 (1)", "cvat_12_Main_St._2019_(1)"),
        ("x" * 101, "cvat_12_" + "x" * 100),
        ("../../etc", "cvat_12____.._etc".replace("..", "__")),
        ("a\nb\u202ec", "cvat_12_a_b_c"),
    ],
)
def test_what_is_odd_becomes_a_line_below(name: str, branch: str) -> None:
    assert name_branch(12, name) == branch
