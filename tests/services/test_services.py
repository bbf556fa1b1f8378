"""The services do what they say: they refuse what they should, and they go when told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError

import docker
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from registries import PROJECT, Registry
from services import azurite as azure
from services import container_registry as docker_registry
from services import cvat, gitserver
from services.azurite import Azurite, Container
from services.container_registry import ContainerRegistry
from services.gitserver import Bare, GitServer
from services.processes import answers, children

MD5 = "5d41402abc4b2a76b9719d911017c592"
"""Of the five bytes `hello`."""

BLOB = f"registry/files/md5/{MD5[:2]}/{MD5[2:]}"


def gone(pid: int) -> bool:
    """Whether a process is no more, or soon will be: the kernel takes its time to end one."""
    for _ in range(100):
        if (
            not Path(f"/proc/{pid}").exists()
            or "(zombie)" in Path(f"/proc/{pid}/status").read_text()
        ):
            return True
        time.sleep(0.05)
    return False


def closed(port: int) -> bool:
    """Whether nobody listens on a port: the threads of who was killed end one by one."""
    for _ in range(100):
        if not answers(port):
            return True
        time.sleep(0.05)
    return False


CONFIG = """[core]
    remote = here
    no_scm = true
    analytics = false
    check_update = false
['remote "here"']
    url = azure://{}/registry
"""


@pytest.fixture
def tracked(tmp_path: Path) -> Callable[[str, Container], Registry]:
    """Make a DVC repository with one file, and a container as its remote."""

    def make(name: str, container: Container) -> Registry:
        registry = Registry(tmp_path / name)
        (registry / ".dvc").mkdir(parents=True)
        (registry / ".dvc/config").write_text(CONFIG.format(container.name))
        (registry / "hello").write_bytes(b"hello")
        registry.sh("dvc add -q hello")
        return registry

    return make


def dvc(registry: Registry, words: str, connection_string: str) -> tuple[int, str]:
    """Run dvc with a secret; its exit code, and all that it says."""
    done = registry.sh(
        f"dvc {words}", check=False, AZURE_STORAGE_CONNECTION_STRING=connection_string
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("permissions", ["", "rlcw"])
def test_dvc_pushes_and_pulls(
    azurite: Azurite,
    container: Container,
    tracked: Callable[[str, Container], Registry],
    permissions: str,
) -> None:
    one = tracked("my régistry", container)
    secret = container.sas(permissions) if permissions else azurite.connection_string

    assert container.blobs() == []
    pushed = dvc(one, "push", secret)
    assert pushed[0] == 0, pushed
    assert container.blobs() == [(BLOB, 5)]
    assert container.read(BLOB) == b"hello"

    one.sh("rm -r hello .dvc/cache")
    pulled = dvc(one, "pull", secret)
    assert pulled[0] == 0, pulled
    assert (one / "hello").read_bytes() == b"hello"


def test_a_key_to_read_only_reads(
    azurite: Azurite, container: Container, tracked: Callable[[str, Container], Registry]
) -> None:
    one = tracked("one", container)
    code, said = dvc(one, "push", container.sas("rl"))
    assert code != 0
    assert "AuthorizationPermissionMismatch" in said
    assert container.blobs() == []

    assert dvc(one, "push", azurite.connection_string)[0] == 0
    one.sh("rm -r hello .dvc/cache")
    assert dvc(one, "pull", container.sas("rl"))[0] == 0
    assert (one / "hello").read_bytes() == b"hello"


def test_a_key_that_has_expired_and_one_of_another_container_are_refused(
    azurite: Azurite, container: Container, tracked: Callable[[str, Container], Registry]
) -> None:
    one = tracked("one", container)
    other = azurite.container("another")
    for secret in container.sas("rlcw", minutes=-1), other.sas("rlcw"):
        code, said = dvc(one, "push", secret)
        assert code != 0
        assert "AuthenticationFailed" in said or "AuthorizationFailure" in said
    assert container.blobs() == other.blobs() == []


def test_blobs_are_deleted_overwritten_and_corrupted(container: Container) -> None:
    for name in "a", "b", "c":
        container.write(name, b"hello")
    container.delete("a")
    container.write("b", b"hello, world")
    container.corrupt("c")

    assert container.blobs() == [("b", 12), ("c", 5)]
    assert container.read("b") == b"hello, world"
    assert sum((x ^ y).bit_count() for x, y in zip(container.read("c"), b"hello", strict=True)) == 1
    with container._client() as client:
        stated = client.get_blob_client("c").get_blob_properties().content_settings.content_md5
    assert stated
    assert stated.hex() == MD5  # rot does not write down a new checksum
    with pytest.raises(HttpResponseError):
        container.read("a")


def test_azurite_stops_starts_again_and_leaves_nothing(tmp_path: Path) -> None:
    with azure.serving(tmp_path) as one:
        container = one.container("kept")
        container.write("a", b"hello")
        first = one.server.pid
        one.stop()
        assert gone(first)
        assert not answers(one.port)
        with pytest.raises(ServiceRequestError):
            container.read("a")

        port = one.port
        one.start()
        assert one.port == port
        assert container.blobs() == [("a", 5)]

        one.pause()
        assert "stopped" in Path(f"/proc/{one.server.pid}/status").read_text()
        one.resume()
        assert container.read("a") == b"hello"
        pids = [one.server.pid, *children(one.server.pid)]
        one.pause()  # even a service that hangs is ended
    assert all(gone(pid) for pid in pids)
    assert not answers(port)


def test_two_services_do_not_meet(azurite: Azurite, tmp_path: Path) -> None:
    with azure.serving(tmp_path) as other:
        other.container("only-here").write("a", b"")
        assert other.port != azurite.port
        lost = Container("only-here", azurite.port, azurite.connection_string)
        with pytest.raises(HttpResponseError):
            lost.blobs()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A git repository with one commit, to push from."""
    folder = tmp_path / "work"
    folder.mkdir()
    gitserver.git(folder, "init", "-q", "-b", "main", ".")
    (folder / "file").write_text("1")
    gitserver.git(folder, "add", "file")
    gitserver.git(folder, "commit", "-q", "-m", "one")
    return folder


def push(folder: Path, url: str, *words: str, server: GitServer) -> tuple[int, str]:
    """Push; git's exit code and what it says."""
    done = subprocess.run(
        ["git", "push", *words[:-1], url, words[-1]],
        cwd=folder,
        env={**os.environ, **gitserver.ISOLATED, **server.env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture(params=["file", "ssh"])
def address(request: pytest.FixtureRequest) -> Callable[[Bare], str]:
    """Get a repository's address, of either kind."""
    return lambda bare: bare.file_url if request.param == "file" else bare.ssh_url


@pytest.fixture
def repository(git_server: GitServer, request: pytest.FixtureRequest) -> Bare:
    """A bare repository with a name as people have them, and another default branch."""
    return git_server.bare(f"{request.node.name} ü", branch="trunk")


def test_a_push_arrives_and_is_written_down(
    git_server: GitServer, repository: Bare, work: Path, address: Callable[[Bare], str]
) -> None:
    url, commit = address(repository), gitserver.git(work, "rev-parse", "HEAD")
    code, said = push(work, url, "-o", "ci.skip", "HEAD:refs/heads/trunk", server=git_server)

    assert code == 0, said
    assert repository.refs() == {"refs/heads/trunk": commit}
    update = gitserver.Update("0" * 40, commit, "refs/heads/trunk")
    assert repository.pushes() == [
        gitserver.Push(done, ("ci.skip",), (update,)) for done in (False, True)
    ]
    clone = work.parent / "clone"
    gitserver.git(work, "clone", "-q", url, str(clone), env=git_server.env)
    assert gitserver.git(clone, "branch", "--show-current") == "trunk"
    assert (clone / "file").read_text() == "1"


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_hook_refuses_until_it_is_taken_away(
    git_server: GitServer,
    repository: Bare,
    work: Path,
    address: Callable[[Bare], str],
    hook: Literal["pre-receive", "update"],
) -> None:
    repository.hook(hook, "echo 'trunk is protected' >&2; exit 1")
    code, said = push(work, address(repository), "HEAD:refs/heads/trunk", server=git_server)

    assert code != 0
    assert "remote: trunk is protected" in said
    assert repository.refs() == {}
    assert [one.done for one in repository.pushes()] == [False]

    repository.hook(hook, "")
    assert push(work, address(repository), "HEAD:refs/heads/trunk", server=git_server)[0] == 0
    assert [one.done for one in repository.pushes()] == [False, False, True]


def test_hooks_are_told_what_git_tells_them(
    git_server: GitServer, repository: Bare, work: Path, address: Callable[[Bare], str]
) -> None:
    repository.hook("pre-receive", "sed 's/^/pre /' >>told")
    repository.hook("update", "echo update $2 $3 $1 >>told")
    repository.hook("post-receive", "sed 's/^/post /' >>told; exit 1")
    commit = gitserver.git(work, "rev-parse", "HEAD")
    code, said = push(work, address(repository), "HEAD:refs/heads/trunk", server=git_server)

    assert code == 0, said
    assert (repository.folder / "told").read_text().splitlines() == [
        f"{stage} {'0' * 40} {commit} refs/heads/trunk" for stage in ("pre", "update", "post")
    ]


def test_sshd_knows_only_its_own_key(git_server: GitServer, repository: Bare, work: Path) -> None:
    key = work.parent / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    config = work.parent / "config"
    text = (git_server.folder / "ssh_config").read_text()
    config.write_text(text.replace(f"{git_server.folder}/user", str(key)))
    assert str(key) in config.read_text()
    with pytest.raises(AssertionError, match="Permission denied"):
        gitserver.git(
            work,
            "ls-remote",
            repository.ssh_url,
            env={"GIT_SSH_COMMAND": f"ssh -F '{config}'"},
        )


def test_sshd_is_gone_with_what_it_started(tmp_path: Path, work: Path) -> None:
    with gitserver.serving(tmp_path / "server") as server:
        bare = server.bare("one")
        bare.hook("pre-receive", "echo $$ >pid; exec sleep 600")
        hanging = subprocess.Popen(
            ["git", "push", "-q", bare.ssh_url, "HEAD:refs/heads/main"],
            cwd=work,
            env={**os.environ, **gitserver.ISOLATED, **server.env},
            stderr=subprocess.DEVNULL,
        )
        while not (bare.folder / "pid").exists() or not (bare.folder / "pid").read_text():
            assert hanging.poll() is None
            time.sleep(0.05)
        sleeps = int((bare.folder / "pid").read_text())
        pids = [*children(server.server.pid), server.server.pid]
        assert sleeps in pids
    assert hanging.wait(10) != 0
    assert all(gone(pid) for pid in pids)
    assert not answers(server.port)
    assert bare.refs() == {}
    with pytest.raises(AssertionError, match="Connection refused"):
        gitserver.git(work, "ls-remote", bare.ssh_url, env=server.env)
    assert gitserver.git(work, "ls-remote", bare.file_url) == ""


@pytest.fixture
def image(
    engine: docker.DockerClient,
    container_registry: ContainerRegistry,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """An image with nothing in it, named as the container registry wants it."""
    name = f"{container_registry.host}/{request.node.name}/empty"
    engine.api.import_image_from_data(bytes(1024), name, "1")
    yield f"{name}:1"
    engine.images.remove(f"{name}:1")


def run_docker(words: str, env: dict[str, str]) -> tuple[int, str]:
    """Run docker; its exit code, and all that it says."""
    done = subprocess.run(
        ["docker", *words.split()],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_image_is_pushed_listed_and_pulled(
    engine: docker.DockerClient,
    container_registry: ContainerRegistry,
    image: str,
    tmp_path: Path,
) -> None:
    repository = image.removeprefix(f"{container_registry.host}/").removesuffix(":1")
    made = engine.images.get(image).id
    env = container_registry.log_in(tmp_path / "docker")

    assert repository not in container_registry.images()
    pushed = run_docker(f"push {image}", env)
    assert pushed[0] == 0, pushed
    assert container_registry.images()[repository] == ["1"]

    engine.images.remove(image)
    pulled = run_docker(f"pull {image}", env)
    assert pulled[0] == 0, pulled
    assert engine.images.get(image).id == made


def test_an_image_of_who_has_not_the_password_is_refused(
    container_registry: ContainerRegistry, image: str, tmp_path: Path
) -> None:
    stranger = replace(container_registry, password="guessed")  # noqa: S106
    nobody = {"DOCKER_CONFIG": str(tmp_path / "empty")}
    before = container_registry.images()
    for env in nobody, stranger.log_in(tmp_path / "docker"):
        for word in "push", "pull":
            code, said = run_docker(f"{word} {image}", env)
            assert code != 0
            assert "no basic auth credentials" in said or "unauthorized" in said
    assert container_registry.images() == before
    with pytest.raises(HTTPError, match="401"):
        stranger.images()


def test_a_container_registry_is_empty_at_first_and_ends(
    container_registry: ContainerRegistry, tmp_path: Path
) -> None:
    with docker_registry.serving(tmp_path / "my régistry") as one:
        assert one.images() == {}
        assert one.port != container_registry.port
        assert one.password != container_registry.password
    assert gone(one.server.pid)
    assert not answers(one.port)


DIES = """
import sys, time
from pathlib import Path
from services import azurite, container_registry, gitserver
folder = Path(sys.argv[1])
with azurite.serving(folder / "a") as one, gitserver.serving(folder / "g") as other:
    with container_registry.serving(folder / "c") as third:
        for service in one, other, third:
            print(service.server.pid, service.port, end=" ")
        print(flush=True)
        time.sleep(600)
"""


def test_services_die_with_a_test_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DIES, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "tests")},
    ) as process:
        assert process.stdout
        numbers = [int(word) for word in process.stdout.readline().split()]
        pids, ports = numbers[::2], numbers[1::2]
        assert len(ports) == 3
        assert all(answers(port) for port in ports)
        process.send_signal(signal.SIGKILL)
    assert all(gone(pid) for pid in pids)
    assert all(closed(port) for port in ports)


@pytest.fixture
def registry(git_server: GitServer, request: pytest.FixtureRequest, tmp_path: Path) -> Bare:
    """A registry on the server, with two movies' annotations and a file beside each."""
    bare = git_server.bare(request.node.name, branch="master")
    folder = tmp_path / "registry"
    for path in "street/cvat.zip", "street/movie.mkv", "yard/annotations.xml":
        (folder / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / path).write_text(path)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    gitserver.git(folder, "init", "-q", "-b", "master", ".")
    gitserver.git(folder, "add", ".")
    gitserver.git(folder, "commit", "-q", "-m", "base")
    gitserver.git(folder, "push", "-q", bare.file_url, "master")
    return bare


def test_cvat_makes_its_branch_anew(
    git_server: GitServer, registry: Bare, tmp_path: Path, address: Callable[[Bare], str]
) -> None:
    base = registry.refs()["refs/heads/master"]
    one = cvat.Cvat(tmp_path / "cvat", address(registry), git_server.env)
    first = one.synchronize(12, "Street 1/2", "data/street/cvat.zip", b"PK 1")
    old = registry.refs()[f"refs/heads/{first}"]
    second = one.synchronize(
        12, "Street 1/2", "data/street/cvat.zip", b"PK 2", user="Ann", email="ann@example.org"
    )
    new = registry.refs()[f"refs/heads/{second}"]

    assert first == second == "cvat_12_Street_1_2"
    assert registry.refs()["refs/heads/master"] == base
    for commit in old, new:
        assert registry.git("rev-parse", f"{commit}^") == base
        changed = registry.git("diff-tree", "-r", "--name-status", base, commit)
        assert changed == "M\tdata/street/cvat.zip"
    assert registry.git("show", f"{new}:data/street/cvat.zip") == "PK 2"
    assert registry.git("log", "-1", "--format=%an %ae", old) == "annotator dummy@cvat.com"
    assert registry.git("log", "-1", "--format=%an %ae", new) == "Ann ann@example.org"
    assert registry.git("log", "-1", "--format=%s", new).startswith(
        "CVAT Annotation updated by Ann. Task URL: "
    )


def test_cvat_with_lfs_leaves_a_pointer(registry: Bare, tmp_path: Path) -> None:
    one = cvat.Cvat(tmp_path / "cvat", registry.file_url)
    name = one.synchronize(13, "x", "data/yard/annotations.xml", b"<annotations/>", lfs=True)

    changed = registry.git("diff-tree", "-r", "--name-only", "master", name).splitlines()
    assert changed == [".gitattributes", "data/yard/annotations.xml"]
    text = registry.git("show", f"{name}:data/yard/annotations.xml")
    assert text.startswith("version https://git-lfs.github.com/spec/v1\noid sha256:")
    assert text.endswith("size 14")


PATHS = {
    "data/movie1/annotations.xml": "data/street/cvat.zip",
    "data/movie2/annotations.xml": "data/yard/annotations.xml",
}


def changes(folder: Path, base: str, tip: str) -> dict[str, tuple[str, str]]:
    """What a commit changes: each path with its new mode and object."""
    listed = gitserver.git(folder, "diff-tree", "-r", "-z", "--no-renames", base, tip)
    fields = listed.split("\0")[:-1]
    return {
        path: (change.split()[1], change.split()[3])
        for change, path in zip(fields[::2], fields[1::2], strict=True)
    }


def test_hostile_branches_are_grafted_as_they_are(
    hostile_branches: Path, registry: Bare, tmp_path: Path
) -> None:
    base = registry.refs()["refs/heads/master"]
    made = cvat.graft(hostile_branches, tmp_path / "graft", registry.file_url, base, paths=PATHS)
    theirs = dict(
        line.split(" ", 1)[::-1]
        for line in gitserver.git(
            hostile_branches, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"
        ).splitlines()
    )
    root = theirs.pop("refs/heads/master")

    assert {f"refs/heads/{name}": commit for name, commit in made.items()} == {
        ref: commit for ref, commit in registry.refs().items() if ref != "refs/heads/master"
    }
    assert {f"refs/heads/{name}" for name in made} == set(theirs)
    assert len(made) == 52
    for name, commit in made.items():
        their = theirs[f"refs/heads/{name}"]
        log = "log", "-1", "--format=%an%x00%ae%x00%ad%x00%B"
        assert registry.git(*log, commit) == gitserver.git(hostile_branches, *log, their)
        if name == "cvat_12_orphan":
            continue
        assert registry.git("rev-parse", f"{commit}^@") == base
        wanted = {
            cvat.mapped(path, PATHS): change
            for path, change in changes(hostile_branches, root, their).items()
        }
        if name == "cvat_12_symlink_dir":  # a link stands where a folder was
            wanted["data/street/movie.mkv"] = "000000", "0" * 40
        assert changes(registry.folder, base, commit) == wanted, name
    orphan = made["cvat_12_orphan"]
    assert registry.git("rev-parse", f"{orphan}^@") == ""
    assert registry.git("ls-tree", "-r", "--name-only", orphan) == "data/street/cvat.zip"


def test_some_branches_are_grafted_with_content_of_another_kind(
    git_server: GitServer, hostile_branches: Path, registry: Bare, tmp_path: Path
) -> None:
    base = registry.refs()["refs/heads/master"]
    made = cvat.graft(
        hostile_branches,
        tmp_path / "graft",
        registry.ssh_url,
        base,
        paths=PATHS,
        content=lambda data: b"PK " + data[:5],
        only=["cvat_12_honest", "cvat_12_symlink"],
        env=git_server.env,
    )

    assert sorted(made) == ["cvat_12_honest", "cvat_12_symlink"]
    assert registry.git("show", f"{made['cvat_12_honest']}:data/street/cvat.zip") == "PK <?xml"
    assert registry.git("show", f"{made['cvat_12_symlink']}:data/street/cvat.zip") == "/etc/passwd"
    with pytest.raises(AssertionError, match="no such branches"):
        cvat.graft(
            hostile_branches, tmp_path / "again", registry.file_url, base, only=["cvat_12_other"]
        )
