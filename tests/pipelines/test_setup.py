"""setup.sh on machines of all kinds, which are made of stubs on PATH."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from registries import PROJECT

TOOLS = "cat cut dirname grep head mkdir rm sed seq setsid sleep tail timeout tr wc"
"""What is the same on every machine."""

STUBS = {
    "id": "cat {0}/uid",
    "python3": "[ -e {0}/venv ]",
    "docker": "[ -e {0}/answers ]",
    "pgrep": "[ -e {0}/runs ]",
    "apt-get": "[ $1 = update ] || {{ cat {0}/stub >{0}/bin/iptables; touch {0}/bin/mmdebstrap; "
    "chmod 755 {0}/bin/iptables {0}/bin/mmdebstrap; }}",
    "dockerd": "[ -e {0}/dies ] && echo no room left && exit 1; echo $$ >{0}/pid; "
    "trap 'rm {0}/answers; exit' TERM; touch {0}/answers; while :; do sleep 0.1; done",
}


ELSEWHERE = "tcp://example.org:2375"


@dataclass(frozen=True)
class Machine:
    """A folder with stubs, which write down when they are called."""

    folder: Path

    def setup(self, *words: str, **env: str) -> tuple[int, str]:
        """Run setup.sh; return its exit code and what it said."""
        done = subprocess.run(
            ["/bin/bash", self.folder / "project/pipelines/setup/setup.sh", *words],
            env={"PATH": str(self.folder / "bin"), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    def did(self) -> str:
        """The calls, but for those that only look."""
        lines = (self.folder / "calls").read_text().splitlines()
        return " ".join(line for line in lines if line.startswith(("apt-get install", "dockerd")))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Make a machine: its user, and what it has: a venv, an engine that answers ..."""

    def make(uid: int, has: str = "") -> Machine:
        (tmp_path / "uid").write_text(str(uid))
        (tmp_path / "calls").touch()
        (tmp_path / "bin").mkdir()
        for tool in (*TOOLS.split(), "touch", "chmod"):
            (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
        for name, text in STUBS.items():
            body = f'echo "{name} $*" >>{tmp_path}/calls\n{text.format(tmp_path)}\n'
            (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}")
            (tmp_path / "bin" / name).chmod(0o755)
        (tmp_path / "stub").write_text("#!/bin/bash\n")
        for thing in has.split():
            (tmp_path / thing).touch(mode=0o755)
        script = (PROJECT / "pipelines/setup/setup.sh").read_text()
        assert script.count("run=/run/data-registry") == 1  # else a test would end the real engine
        script = script.replace("run=/run/data-registry", f"run={tmp_path}/run")
        for name, place in ("socket", "/var/run/docker.sock"), ("programs", "/usr/local/bin"):
            own = tmp_path / {"programs": "bin"}.get(name, name)
            assert script.count(f"{name}={place}\n") == 1
            script = script.replace(f"{name}={place}\n", f"{name}={own}\n")
        (tmp_path / "project/pipelines/setup").mkdir(parents=True)
        (tmp_path / "project/pipelines/setup/setup.sh").write_text(script)
        return Machine(tmp_path)

    yield make
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "has"),
    [
        ("check", ""),
        ("check", "venv"),
        ("check", "answers"),
        ("engine", ""),
        ("engine", "venv"),
        ("venv requirements.txt", ""),
        ("venv requirements.txt", "answers"),
    ],
)
def test_who_is_not_root_is_told_once_what_to_install(
    machine: Callable[..., Machine], command: str, has: str
) -> None:
    one = machine(1000, has)
    code, said = one.setup(*command.split())

    assert code == 1
    assert said.count("error: ") == said.count("this machine lacks") == 1
    assert ("apt-get install python3-venv" in said) is (has != "venv")
    assert ("apt-get install docker.io" in said) is (has != "answers")
    assert "run the same command as root" in said
    assert one.did() == ""


@pytest.mark.parametrize(("uid", "has"), [(0, ""), (1000, "venv answers")])
def test_who_lacks_nothing_is_told_nothing(
    machine: Callable[..., Machine], uid: int, has: str
) -> None:
    assert machine(uid, has).setup("check") == (0, "")


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("env", [{}, {"DOCKER_HOST": ELSEWHERE}])
def test_an_engine_that_answers_is_left_alone(
    machine: Callable[..., Machine], uid: int, env: dict[str, str]
) -> None:
    one = machine(uid, "answers")

    assert one.setup("engine", **env) == (0, "")
    assert one.did() == ""


@pytest.mark.parametrize("uid", [0, 1000])
def test_an_engine_elsewhere_that_is_dead_is_not_replaced(
    machine: Callable[..., Machine], uid: int
) -> None:
    one = machine(uid, "venv")
    code, said = one.setup("engine", DOCKER_HOST=ELSEWHERE)

    assert code == 1
    assert said.startswith(f"error: the Docker engine at DOCKER_HOST={ELSEWHERE} does not")
    assert one.did() == ""


APT = "apt-get install -qq --yes --no-install-recommends "
INSTALL = APT + "docker.io iptables mmdebstrap "


@pytest.mark.parametrize(
    ("has", "did"), [("", INSTALL + "dockerd "), ("bin/iptables bin/mmdebstrap", "dockerd ")]
)
def test_root_gets_an_engine_and_ends_that_one(
    machine: Callable[..., Machine], has: str, did: str
) -> None:
    one = machine(0, has)
    started = one.setup("engine")
    answered = (one.folder / "answers").exists()
    again = one.setup("engine")
    stopped = one.setup("stop")

    assert one.did() == did
    assert started[0] == 0
    assert "starting the Docker engine" in started[1]
    assert answered
    assert again == (0, "")
    assert stopped == (0, "the Docker engine is stopped\n")
    assert not (one.folder / "answers").exists()
    assert not (one.folder / "run").exists()


def without_docker(machine: Machine) -> Machine:
    """The same machine, which has docker only when it was installed."""
    docker, client = machine.folder / "bin/docker", machine.folder / "client"
    docker.rename(client)
    put = f"mkdir -p $1; cat {client} >$1/docker; chmod 755 $1/docker\n"
    script = machine.folder / "project/pipelines/setup/docker-client.sh"
    script.write_text(f"#!/bin/bash\necho client $* >>{machine.folder}/calls\n{put}")
    script.chmod(0o755)
    with (machine.folder / "bin/apt-get").open("a") as apt:
        apt.write(f"[ $1 = update ] || {{ set -- {docker.parent}; {put.strip()}; }}\n")  # noqa: S608  # shell
    return machine


@pytest.mark.parametrize("has", ["", "answers"])
@pytest.mark.parametrize("where", ["DOCKER_HOST", "a socket"])
def test_root_gets_only_a_client_for_an_engine_elsewhere(
    machine: Callable[..., Machine], has: str, where: str
) -> None:
    one = without_docker(machine(0, has))
    env = {"DOCKER_HOST": ELSEWHERE} if where == "DOCKER_HOST" else {}
    with socket.socket(socket.AF_UNIX) as there:
        if not env:
            there.bind(str(one.folder / "socket"))
        code, said = one.setup("engine", **env)
    first, *others = said.splitlines()

    assert first == "installing Docker's client"
    assert f"client {one.folder}/bin\n" in (one.folder / "calls").read_text()
    if has:
        assert (code, others, one.did()) == (0, [], "")
        assert one.setup("engine", **env) == (0, "")
    elif env:
        assert (code, len(others), one.did()) == (1, 1, "")
        assert others[0].startswith(f"error: the Docker engine at DOCKER_HOST={ELSEWHERE} does not")
    else:  # what nobody listens at is the socket of an engine that has ended
        assert one.did().startswith(INSTALL)
        assert one.setup("stop") == (0, "the Docker engine is stopped\n")


def test_root_gets_an_engine_where_none_is_elsewhere(machine: Callable[..., Machine]) -> None:
    one = without_docker(machine(0))
    started = one.setup("engine")
    stopped = one.setup("stop")

    assert started[0] == 0
    assert one.did() == INSTALL + "dockerd "
    assert stopped == (0, "the Docker engine is stopped\n")


def test_who_is_not_root_gets_no_client(machine: Callable[..., Machine]) -> None:
    one = without_docker(machine(1000, "venv answers"))
    code, said = one.setup("engine", DOCKER_HOST=ELSEWHERE)

    assert code == 1
    assert said.count("error: ") == 1
    assert one.did() == ""


@pytest.mark.parametrize(
    ("has", "word"),
    [
        ("dies", "error: the Docker engine did not start: no room left"),
        ("runs", "error: dockerd runs but does not answer"),
    ],
)
def test_an_engine_that_does_not_start_is_an_error(
    machine: Callable[..., Machine], has: str, word: str
) -> None:
    one = machine(0, f"bin/iptables bin/mmdebstrap {has}")
    code, said = one.setup("engine")

    assert code == 1
    assert said.splitlines()[-1].startswith(word)
    assert one.did() == ("dockerd " if has == "dies" else "")


@pytest.mark.parametrize("has", ["", "answers"])
@pytest.mark.parametrize("uid", [0, 1000])
def test_stop_says_when_there_is_nothing_to_stop(
    machine: Callable[..., Machine], uid: int, has: str
) -> None:
    code, said = machine(uid, has).setup("stop")

    assert code == 0
    assert said.startswith("no Docker engine was started by")


def test_an_engine_that_takes_its_time_is_waited_for(machine: Callable[..., Machine]) -> None:
    one = machine(0, "bin/iptables bin/mmdebstrap")
    (one.folder / "bin/setsid").unlink()
    (one.folder / "bin/setsid").write_text('#!/bin/bash\nsleep 1\nexec "$@"\n')
    (one.folder / "bin/setsid").chmod(0o755)
    started = one.setup("engine")
    stopped = one.setup("stop")

    assert started[0] == 0
    assert stopped == (0, "the Docker engine is stopped\n")


@pytest.mark.parametrize("now", ["another's", "nobody's"])
def test_stop_ends_no_process_that_is_not_its_engine(
    machine: Callable[..., Machine], now: str
) -> None:
    """The engine has ended, and its process id is another's by now; or nobody has buried it."""
    one = machine(0)
    (one.folder / "run").mkdir()
    (one.folder / "dockerd").write_text("#!/bin/sh\necho $$\n")
    (one.folder / "dockerd").chmod(0o755)
    command = "sleep 60 >/dev/null 2>&1 & echo $!" if now == "another's" else "exec ./dockerd"
    with subprocess.Popen(
        ["/bin/sh", "-c", command], cwd=one.folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        pid = int(process.stdout.read())
        (one.folder / "run/pid").write_text(f"{pid}\n")
        code, said = one.setup("stop")
        lives = Path(f"/proc/{pid}").exists()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    assert lives
    assert code == 0
    assert said.startswith("no Docker engine was started by")


LACKING = ["", "bin/git", "bin/make"]


@pytest.mark.parametrize("has", LACKING)
def test_root_gets_the_tools_that_lack(machine: Callable[..., Machine], has: str) -> None:
    one = machine(0, has)

    assert one.setup("tools") == (0, "installing ca-certificates git make python3-yaml\n")
    assert one.did() == APT + "ca-certificates git make python3-yaml"
    assert "apt-get update -qq\napt-get install" in (one.folder / "calls").read_text()


@pytest.mark.parametrize("has", LACKING)
def test_who_is_not_root_is_told_once_which_tools_to_install(
    machine: Callable[..., Machine], has: str
) -> None:
    one = machine(1000, has)
    code, said = one.setup("tools")

    assert code == 1
    assert said.startswith("error: this machine lacks git or make")
    assert said.count("error: ") == said.count("this machine lacks") == 1
    assert "apt-get install git make" in said
    assert "administrator" in said
    assert one.did() == ""


@pytest.mark.parametrize("uid", [0, 1000])
def test_who_has_the_tools_is_told_nothing(machine: Callable[..., Machine], uid: int) -> None:
    """Neither Python nor an engine is asked for: this comes before them."""
    one = machine(uid, "bin/git bin/make")

    assert one.setup("tools") == (0, "")
    assert one.did() == ""


def test_tools_that_cannot_be_installed_are_an_error(machine: Callable[..., Machine]) -> None:
    one = machine(0)
    (one.folder / "bin/apt-get").write_text("#!/bin/bash\necho no server >&2\nexit 100\n")
    code, said = one.setup("tools")

    assert code == 1
    assert "no server" in said
    assert said.count("error: ") == 1


COMMANDS = ("tools", "check", "venv", "services", "engine", "stop")


@pytest.mark.parametrize("words", [[], ["start"], ["--help"]])
def test_other_commands_are_explained(machine: Callable[..., Machine], words: list[str]) -> None:
    code, said = machine(1000).setup(*words)

    assert code == 2
    assert all(f"setup.sh {command}" in said for command in COMMANDS)
