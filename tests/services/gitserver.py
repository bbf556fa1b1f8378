"""Git's real server side: bare repositories with hooks, over file:// and over ssh://."""

import os
import pwd
import shlex
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from registries import GIT
from services.processes import Server, answers, free_port, running

SSHD = Path("/usr/sbin/sshd")
TRIES = 5
ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
"""No setting of the machine's user shall decide a test."""

HOOK = """#!/bin/sh
# Written by the tests: take down what was pushed, then do what the test's own hook says.
lines=$(cat)
options=
i=0
while [ "$i" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
  eval "options=\\"\\$options \\$GIT_PUSH_OPTION_$i\\""
  i=$((i + 1))
done
printf '%s\\n' "STAGE$options | $(printf '%s ' $lines)" >>pushes
[ ! -x hooks/STAGE.test ] || printf '%s\\n' "$lines" | hooks/STAGE.test
"""


class Update(NamedTuple):
    """One ref's change; a commit of zeros stands for a ref that is not there."""

    old: str
    new: str
    ref: str


class Push(NamedTuple):
    """A push that the server was asked for, or one that it has done."""

    done: bool
    options: tuple[str, ...]
    updates: tuple[Update, ...]


def raw(
    folder: Path, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> bytes:
    """Run git in a folder, with no settings of the user's; return all that it prints."""
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **GIT, **ISOLATED, **(env or {})},
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(words)}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


def git(folder: Path, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """Run git as `raw` does; return what it prints as text, less its end of line."""
    return raw(folder, *words, stdin=stdin, env=env).decode(errors="surrogateescape").rstrip("\n")


@dataclass(frozen=True)
class Bare:
    """A bare repository on the server."""

    folder: Path
    ssh_base: str

    @property
    def file_url(self) -> str:
        """Its address as a folder of this machine."""
        return self.folder.as_uri()

    @property
    def ssh_url(self) -> str:
        """Its address through sshd; a client needs the environment of the server's `env`."""
        return self.ssh_base + quote(str(self.folder))

    def git(self, *words: str, stdin: bytes = b"") -> str:
        """Run git in it, as the server's administrator would."""
        return git(self.folder, *words, stdin=stdin, env={"GIT_DIR": str(self.folder)})

    def hook(self, name: Literal["pre-receive", "update", "post-receive"], text: str) -> None:
        """Install a hook, given as a shell script without its first line; none for no text."""
        path = self.folder / "hooks" / (name if name == "update" else f"{name}.test")
        path.unlink(missing_ok=True)
        if text:
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)

    def refs(self) -> dict[str, str]:
        """Its refs, by full name, with the object each points to."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        return {ref: commit for commit, ref in (line.split(" ", 1) for line in listed)}

    def pushes(self) -> list[Push]:
        """All pushes, in order: when they came to the server, and again when they were done.

        One that a pre-receive hook or an update hook refuses is never done.
        """
        log = self.folder / "pushes"
        if not log.exists():
            return []
        return [_push(line) for line in log.read_text("utf-8").splitlines()]


def _push(line: str) -> Push:
    """Read a line that HOOK wrote.

    >>> _push("post-receive ci.skip | 0 1 refs/heads/a 2 3 refs/heads/b ")
    ... # doctest: +NORMALIZE_WHITESPACE
    Push(done=True, options=('ci.skip',),
         updates=(Update(old='0', new='1', ref='refs/heads/a'),
                  Update(old='2', new='3', ref='refs/heads/b')))
    """
    stage, _, updates = line.partition(" | ")
    name, *options = stage.split(" ")
    words = iter(updates.split())
    triples = tuple(Update(*triple) for triple in zip(words, words, words, strict=True))
    return Push(name == "post-receive", tuple(options), triples)


class GitServer:
    """A folder of bare repositories, and an sshd of our own that lets one temporary key in."""

    def __init__(self, folder: Path) -> None:
        """Make the keys and start sshd; on another port if somebody took the free one."""
        self.folder = folder
        for key in "host", "user":
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", folder / key],
                check=True,
            )
        (folder / "authorized").write_text(f"restrict {(folder / 'user.pub').read_text()}")
        (folder / "authorized").chmod(0o600)
        for left in reversed(range(TRIES)):
            self.port = free_port()
            try:
                self.server = self._start()
                break
            except RuntimeError as error:
                if not left or "Address already in use" not in str(error):
                    raise

    def _start(self) -> Server:
        """Start sshd with nothing of the machine's settings."""
        if os.geteuid() == 0:  # where sshd, run by root, locks up what it does before the log-in
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f'HostKey "{self.folder}/host"\n'
            f'AuthorizedKeysFile "{self.folder}/authorized"\n'
            "PidFile none\n"
            "UsePAM no\n"
            "StrictModes no\n"
            "AuthenticationMethods publickey\n"
            "PermitRootLogin prohibit-password\n"
            "PermitUserRC no\n"
            "PrintMotd no\n"
            "UseDNS no\n"
            "MaxStartups 100\n"
            "AcceptEnv GIT_PROTOCOL\n"
        )
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}")
        (self.folder / "ssh_config").write_text(
            f'UserKnownHostsFile "{self.folder}/known_hosts"\n'
            f'IdentityFile "{self.folder}/user"\n'
            "GlobalKnownHostsFile none\n"
            "StrictHostKeyChecking yes\n"
            "IdentitiesOnly yes\n"
            "IdentityAgent none\n"
            "BatchMode yes\n"
            "ConnectTimeout 10\n"
        )
        command: list[str | Path] = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        server = Server(command, self.folder, {"PATH": os.environ["PATH"]})
        server.wait(lambda: "Server listening on" in server.text() and answers(self.port))
        return server

    @property
    def env(self) -> dict[str, str]:
        """What a client's environment needs for ssh://."""
        config = shlex.quote(str(self.folder / "ssh_config"))
        return {"GIT_SSH_COMMAND": f"ssh -F {config}", "GIT_SSH_VARIANT": "ssh"}

    def bare(self, name: str, branch: str = "main") -> Bare:
        """Make a bare repository with a default branch."""
        folder = self.folder / "repositories" / f"{name}.git"
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "--bare", "--template=", "-b", branch)
        git(folder, "config", "receive.advertisePushOptions", "true")
        (folder / "hooks").mkdir()
        for stage in "pre-receive", "post-receive":
            (folder / "hooks" / stage).write_text(HOOK.replace("STAGE", stage))
            (folder / "hooks" / stage).chmod(0o755)
        user = quote(pwd.getpwuid(os.geteuid()).pw_name)
        return Bare(folder, f"ssh://{user}@127.0.0.1:{self.port}")

    def stop(self) -> None:
        """End sshd and what it has started; file:// goes on working."""
        self.server.stop()


def serving(folder: Path) -> AbstractContextManager[GitServer]:
    """Give a server with its repositories in a folder, and end it."""
    return running(GitServer, folder)
