"""Debian's docker-registry, a real registry of container images that lets one user in."""

import base64
import ctypes
import json
import re
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import docker

from registries import PROJECT
from services.processes import Server, answers, running

MAIN = PROJECT / ".venv/services/docker-registry/usr/bin/docker-registry"
CONFIG = """version: 0.1
storage:
  filesystem:
    rootdirectory: storage
auth:
  htpasswd:
    realm: tests
    path: htpasswd
http:
  addr: 127.0.0.1:0
"""
"""Paths are seen from the folder that it runs in; the system gives it a free port."""


@dataclass(frozen=True)
class ContainerRegistry:
    """A container registry, which an engine of this machine uses without TLS."""

    server: Server
    port: int
    user: str
    password: str

    @property
    def host(self) -> str:
        """What the names of its images begin with."""
        return f"127.0.0.1:{self.port}"

    def log_in(self, folder: Path) -> dict[str, str]:
        """Log in by a config.json in a folder, which is made; return what docker's env needs."""
        folder.mkdir(parents=True, exist_ok=True)
        auths = {self.host: {"auth": self._secret()}}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))
        return {"DOCKER_CONFIG": str(folder)}

    def images(self) -> dict[str, list[str]]:
        """List the tags of each repository; both sorted."""
        names = self._get("_catalog?n=1000")["repositories"]
        return {name: sorted(self._get(f"{name}/tags/list")["tags"] or ()) for name in names}

    def held(self, prefix: str) -> set[str]:
        """The references that it has of the images of a prefix."""
        known = {f"{self.host}/{name}": tags for name, tags in self.images().items()}
        return {
            f"{name}:{tag}"
            for name, tags in known.items()
            for tag in tags
            if name.startswith(f"{prefix}/")
        }

    @property
    def credentials(self) -> dict[str, str]:
        """What CI has in its environment to get in."""
        return {
            "CI_REGISTRY": self.host,
            "CI_REGISTRY_USER": self.user,
            "CI_REGISTRY_PASSWORD": self.password,
        }

    def _get(self, path: str) -> Any:
        """Ask it something; no proxy shall be asked instead."""
        headers = {"Authorization": f"Basic {self._secret()}"}
        request = Request(f"http://{self.host}/v2/{path}", headers=headers)
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    def _secret(self) -> str:
        """Write the user and the password as HTTP and docker's config.json do."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def stop(self) -> None:
        """End it; what was pushed stays in its folder."""
        self.server.stop()


def forget(engine: docker.DockerClient, prefix: str) -> None:
    """Remove the images of a prefix from an engine, as if it were another machine's."""
    for image in engine.images.list(name=f"{prefix}/*"):
        for reference in image.tags:
            if reference.startswith(f"{prefix}/"):
                engine.images.remove(reference, force=True)


def hashed(password: str) -> str:
    """Hash a password by bcrypt, all that the registry takes; Python 3.13 itself has no such."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    made = crypt(password.encode(), f"$2b$04${secrets.token_hex(11)}".encode())
    assert isinstance(made, bytes)
    return made.decode()


def start(folder: Path) -> ContainerRegistry:
    """Start one with its images in a folder, and with a new password."""
    if not MAIN.exists():
        command = "pipelines/setup/setup.sh services tests/services"
        raise FileNotFoundError(f"{MAIN} is missing; `{command}` makes it")
    user, password = "publisher", secrets.token_urlsafe()
    (folder / "htpasswd").write_text(f"{user}:{hashed(password)}\n")
    (folder / "config.yml").write_text(CONFIG)
    (folder / "log").unlink(missing_ok=True)
    server = Server([MAIN, "serve", "config.yml"], folder, {})
    server.wait(lambda: answers(port(server)))
    return ContainerRegistry(server, port(server), user, password)


def port(server: Server) -> int:
    """Return the port that it says it was given by the system; 0 before that."""
    said = re.search(r"listening on 127\.0\.0\.1:(\d+)", server.text())
    return int(said[1]) if said else 0


def serving(folder: Path) -> AbstractContextManager[ContainerRegistry]:
    """Give a container registry with its images in a folder, and end it."""
    return running(start, folder)
