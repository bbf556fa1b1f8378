"""The image: what is in it, and that it works as the page says to run it beside CVAT."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.containers import Container

from containers.test_images import LIMIT, settings, told
from containers.test_layers import files, packages, unwanted
from containers.test_tools_image import certificates, more_than_a_stages
from documents import blocks, text_of
from image_folders import DOCKERFILES, RECEIVER, STAGES, TOOLS, parent
from pipelines.containers import dockerfiles, images, root_image
from pipelines.containers.engine import size
from receiver.played import SECRET, TRIGGER_TOKEN, progress, signature, status
from registries import PROJECT

PAGE = text_of("docs/cvat-receiver.md")
COMPOSE, GITHUB = (
    yaml.safe_load(re.sub(r"<[a-z]+>", "value", each)) for each in blocks(PAGE, "yaml")
)
SERVICE = COMPOSE["services"]["receiver"]

FORGE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("asked", self.path, body.decode(), flush=True)
        self.send_response(201)
        self.end_headers()
HTTPServer(("127.0.0.1", 9000), Handler).serve_forever()
"""
"""A forge in the receiver's own network, where no certificate is needed."""


CONNECT = "import socket; socket.create_connection(('127.0.0.1', 9000))"


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> str:
    """The image's reference, and the project as the current folder."""
    monkeypatch.chdir(PROJECT)
    return images.references()[RECEIVER]


def test_the_page_names_this_image_and_settings_that_there_are() -> None:
    """What it runs is read by the test below, too."""
    source = (PROJECT / "images/receiver/receiver_settings.py").read_text("utf-8")

    assert SERVICE["image"] == f"value/{RECEIVER}:value"
    assert RECEIVER in DOCKERFILES
    for name in {**SERVICE["environment"], **GITHUB}:
        assert f'"{name.removesuffix("_FILE")}"' in source


def test_the_page_gives_the_receiver_an_address_that_no_other_container_gets() -> None:
    (pool,) = COMPOSE["networks"]["receiver"]["ipam"]["config"]
    address = SERVICE["networks"]["receiver"]["ipv4_address"]

    assert ip_address(address) in ip_network(pool["subnet"])
    assert ip_address(address) not in ip_network(pool["ip_range"])
    assert f"SMOKESCREEN_OPTS=--allow-address={address}`" in PAGE
    assert f"`http://{address}:8080/`" in PAGE


def test_it_is_no_stage_and_is_built_from_nothing_of_one() -> None:
    assert RECEIVER not in STAGES
    assert RECEIVER != TOOLS
    assert parent(RECEIVER) is None


def test_it_says_what_it_is(engine: docker.DockerClient, image: str) -> None:
    assert settings(engine, RECEIVER, image, image) == set()
    assert told(engine, image) == {"certificate"}  # the name of Debian's package


def test_it_is_light(engine: docker.DockerClient, image: str) -> None:
    limit = float(engine.images.get(image).labels[LIMIT])

    assert 0 < size(image) - size(root_image.image(dockerfiles.declared_root())) <= limit * 1e6


def test_it_holds_its_code_and_pythons_library_and_no_package(engine: Any, image: str) -> None:
    found = files(image)
    own = {
        file.path.removeprefix("opt/receiver/"): file.content
        for file in found
        if file.path.startswith("opt/")
    }
    wanted = {path.name: path.read_bytes() for path in dockerfiles.files(RECEIVER)}
    known = certificates(found)

    assert own == {name: text for name, text in wanted.items() if name != "Dockerfile"}
    assert packages(found) == set()
    assert unwanted(more_than_a_stages(file, known) for file in found) == set()


@pytest.fixture
def containers(engine: docker.DockerClient) -> Iterator[Callable[..., Container]]:
    """Start containers; they are removed after the test."""
    with ExitStack() as stack:

        def start(image: str, command: list[str] | None = None, **options: Any) -> Container:
            one = engine.containers.run(image, command, detach=True, **options)
            stack.callback(one.remove, force=True)
            return one

        yield start


def wait(holds: Callable[[], bool], one: Container) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, one.logs()
        time.sleep(0.05)


def is_healthy(one: Container) -> bool:
    """Say whether Docker has found a container healthy."""
    one.reload()
    return bool(one.attrs["State"]["Health"]["Status"] == "healthy")


def as_compose(folder: Path) -> dict[str, Any]:
    """The options of the page's service, with files for its secrets, as Compose would set them."""
    mounts = []
    for name, text in ("webhook-secret", SECRET), ("forge-token", TRIGGER_TOKEN):
        (folder / name).write_text(f"{text}\n")
        (folder / name).chmod(0o444)
        mounts.append(f"{folder / name}:/run/secrets/{name}:ro")
    check = SERVICE["healthcheck"]
    return {
        "environment": {
            **SERVICE["environment"],
            "GITLAB_URL": "http://127.0.0.1:9000",
            "GITLAB_PROJECT": "team/registry",
        },
        "read_only": SERVICE["read_only"],
        "cap_drop": SERVICE["cap_drop"],
        "security_opt": SERVICE["security_opt"],
        "pids_limit": SERVICE["pids_limit"],
        "mem_limit": SERVICE["mem_limit"],
        "healthcheck": {"test": check["test"], "interval": 200_000_000, "retries": 3},
        "volumes": mounts,
        "ports": {"8080/tcp": ("127.0.0.1", None)},
    }


def test_it_works_as_the_page_runs_it(
    containers: Callable[..., Container], image: str, tmp_path: Path
) -> None:
    """CVAT is outside of the container, the forge is played in its network."""
    tmp_path.chmod(0o755)
    one = containers(image, **as_compose(tmp_path))
    forge = containers(
        image,
        ["-c", FORGE],
        entrypoint="python3",
        network_mode=f"container:{one.id}",
    )
    wait(lambda: b"listens on 0.0.0.0:8080" in one.logs(), one)
    wait(lambda: is_healthy(one), one)
    wait(lambda: one.exec_run(["python3", "-c", CONNECT])[0] == 0, one)

    port = int((one.ports["8080/tcp"] or [])[0]["HostPort"])
    body = progress()
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\nX-Signature-256: "
    answers = []
    for sign in (signature(body), signature(body, "another")):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(f"{head}{sign}\r\n\r\n".encode() + body)
            answers.append(status(client))
    assert answers == [204, 403]
    wait(lambda: b"it answered 201" in one.logs(), one)

    call = f"/api/v4/projects/team%2Fregistry/trigger/pipeline token={TRIGGER_TOKEN}&ref=main"
    assert [line for line in forge.logs().decode().splitlines() if line.startswith("asked")] == [
        f"asked {call}"
    ]
    rights = str(one.exec_run("cat /proc/1/status")[1])
    assert one.exec_run("touch /tmp/x")[0] != 0
    assert one.exec_run("id -u")[1] == b"65534\n"
    assert int(re.findall(r"CapBnd:\\t(\w+)", rights)[0], 16) == 0
    assert r"NoNewPrivs:\t1" in rights

    one.stop(timeout=60)
    one.reload()
    assert one.attrs["State"]["ExitCode"] == 0
    said = one.logs().decode()
    assert said.splitlines()[-1] == "receiver: ended by SIGTERM"
    assert not [each for each in (SECRET, TRIGGER_TOKEN) if each in said]


def test_a_container_without_settings_says_what_is_missing(
    engine: docker.DockerClient, image: str
) -> None:
    with pytest.raises(docker.errors.ContainerError) as caught:
        engine.containers.run(image, remove=True, stderr=True)

    assert caught.value.exit_status == 2
    assert "error: CVAT_WEBHOOK_SECRET: is missing" in str(caught.value)
