"""What a real CVAT answered one morning, asked again by `fetch`: from a first run to a save."""

from cvat_worlds import STREET, World

NAME = "cvat_3_bikes_day_1_2__new_"
PUSHED = f"street: task 3: pushed {NAME}"
MORNING = [
    ("a-bridge-first-run", [PUSHED]),
    ("a-bridge-first-run", ["street: task 3: unchanged"]),
    ("c-bridge-after-an-edit", [PUSHED]),
    ("d-bridge-job-reopened", ["street: task 3: not accepted yet (4 of 5 jobs)"]),
    (
        "e-bridge-completed-again",
        ["street: task 3: unchanged: it was saved in CVAT without a change"],
    ),
]


def play(street: World, scenario: str) -> list[str]:
    """Run fetch while CVAT answers as recorded; return what it says of the task."""
    street.cvat.play("17-token-self", scenario, polls=1)
    return street.results()


def test_a_morning_of_a_real_cvat(street: World) -> None:
    said = [(scenario, play(street, scenario)) for scenario, _ in MORNING]

    assert said == MORNING
    titles = street.bare.git("log", "--format=%s", f"trunk..{NAME}").splitlines()
    assert titles == ["CVAT Annotation updated by bridge."] * 2
    trailer = "--format=%(trailers:key=CVAT-Updated,valueonly)"
    dates = street.bare.git("log", trailer, NAME)
    # of the task as the recorded lists have it
    assert dates.split() == ["2026-11-27T03:12:00.446842Z", "2026-11-27T03:02:39.643667Z"]
    # frame 3 of every second frame
    assert b"<deleted_frames>6</deleted_frames>" in street.file(NAME, STREET)
