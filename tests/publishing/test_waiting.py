"""Every wait has an end, and options that would make one endless are not understood."""

import socket
from collections.abc import Iterator

import pytest

from publishing.worlds import World


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of an engine that accepts connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("command", ["status", "publish"])
def test_an_engine_that_answers_nothing_is_not_waited_for(
    world: World, silent: str, command: str
) -> None:
    done = world.pipelines(f"{command} --timeout 5", 3, None, DOCKER_HOST=silent)

    assert "error: the Docker engine does not answer within 5 s; look at `docker version`" in (
        done.stderr
    )
    assert world.head == world.first


@pytest.mark.parametrize(
    "words",
    [
        *(f"publish --timeout {value}" for value in ("0", "-1", "nan", "inf", "x", "1e9")),
        *(f"publish --max-drop {value}" for value in ("nan", "inf", "-0.1", "1.1", "x")),
        *("status --timeout nan", "check --timeout inf"),
    ],
)
def test_an_option_without_sense_is_not_understood(world: World, words: str) -> None:
    done = world.pipelines(words, 2)

    assert f"argument {words.split()[1]}: " in done.stderr
