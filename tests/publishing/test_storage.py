"""A remote that lacks data, lies, does not answer or does not let us in: nothing dangles."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from publishing.test_crashes import Driven, published_by
from publishing.worlds import World
from registries import PROJECT, Registry
from services import azurite as azure
from services.azurite import KEY
from services.gitserver import GitServer, git

pytestmark = pytest.mark.azure

LOSE = """
def lose(work):
    known = set((HERE / "known").read_text().split())
    cache = work.folder / ".dvc/cache/files/md5"
    made = [p for p in sorted(cache.glob("*/*")) if p.parent.name + p.name not in known]
    lost = [p for p in made if CHOICE]
    assert lost, made
    for path in lost:
        path.unlink()
wrap(attempt, "push_data", before=lose)
"""


def blob(md5: str) -> str:
    """The name of an object's blob."""
    return f"dvc/files/md5/{md5[:2]}/{md5[2:]}"


def md5_of(world: World, path: str) -> str:
    """What dvc.lock or the .dvc file of a path says of it."""
    for stage in yaml.safe_load(world.file("dvc.lock"))["stages"].values():
        for out in stage.get("outs", []):
            if out["path"] == path:
                return str(out["md5"])
    return str(yaml.safe_load(world.file(f"{path}.dvc"))["outs"][0]["md5"])


def child_of(world: World, path: str) -> str:
    """The blob of a file of a folder that dvc.lock names."""
    return blob(json.loads(world.container.read(blob(md5_of(world, path))))[0]["md5"])


def refused_because_data_is_lost(world: World, choice: str) -> None:
    """Lose what was made before it is sent, and find that nothing is published."""
    branch, before = world.sync(), world.bare.refs()
    names = [one.name.removeprefix("dvc/files/md5/") for one in world.container.blobs()]
    (world.folder / "known").write_text("\n".join(name.replace("/", "") for name in names))
    client = Driven(world, LOSE.replace("CHOICE", choice))
    assert client.end() == 3, client.out
    said = rf"error: {branch}: data/\S+: the remote lacks it after `dvc push`"
    assert re.search(said, client.err), client.err
    assert world.bare.refs() == before


@pytest.mark.parametrize(
    "choice",
    ["p == [p for p in made if p.suffix != '.dir'][0]", "True"],
    ids=["one file", "everything"],
)
def test_data_lost_before_it_is_sent_is_not_published(world: World, choice: str) -> None:
    refused_because_data_is_lost(world, choice)
    world.publish()
    world.whole()


def test_these_tests_notice_a_publish_that_does_not_look_at_the_remote(world: World) -> None:
    path = world.clone / "pipelines/publishing/attempt.py"
    text = path.read_text()
    assert "        verify(work, result, unsent)\n" in text
    path.write_text(text.replace("        verify(work, result, unsent)\n", ""))
    with pytest.raises(AssertionError):
        refused_because_data_is_lost(world, "p == [p for p in made if p.suffix != '.dir'][0]")
    assert world.head != world.first  # it was published all the same, and dangles:
    with pytest.raises(AssertionError):
        world.whole()


def test_a_file_that_the_remote_lost_is_made_again_and_sent(world: World) -> None:
    lost = child_of(world, "data/movie2/Annotations")
    content = world.container.read(lost)
    world.container.delete(lost)
    before = world.head
    assert "data/movie2/Annotations: the remote lacks it" in world.pipelines("status").stdout

    said = world.publish().stdout
    assert "made again what the remote lacked: prepare-annotations@movie2" in said
    assert world.container.read(lost) == content
    assert world.head == before
    world.pipelines("status")
    assert world.publish().stdout == "default branch: nothing to do\n"


def test_a_branch_is_published_though_the_remote_lost_a_file_of_another_dataset(
    world: World,
) -> None:
    lost = child_of(world, "data/movie3/Annotations")
    world.container.delete(lost)
    branch = world.sync()
    world.publish()
    assert lost in {one.name for one in world.container.blobs()}
    assert len(published_by(world, branch)) == 1
    world.whole()


def test_data_that_was_added_by_hand_and_lost_is_named_with_what_helps(world: World) -> None:
    content = world.container.read(lost := blob(md5_of(world, "data/movie3/movie.mp4")))
    world.container.delete(lost)
    world.sync()
    before = world.bare.refs()
    said = world.publish(code=1).stderr
    assert "data/movie3/movie.mp4: the remote lacks it" in said
    assert "run `dvc push` where it was added" in said
    assert world.bare.refs() == before
    world.container.write(lost, content)
    world.publish()
    world.whole()


@pytest.mark.parametrize(
    ("path", "other", "why"),
    [
        ("data/movie2/frames.csv", lambda right: right[:-1] + b"!", "hashes to"),
        ("data/movie2/frames.csv", lambda right: right[:-9], " bytes, not "),
        ("data/movie2/Annotations", lambda right: right.replace(b"a", b"b", 1), "hashes to"),
    ],
    ids=["same length", "shorter", "a folder's listing"],
)
def test_a_blob_with_other_bytes_is_found_and_made_right(
    world: World, path: str, other: Callable[[bytes], bytes], why: str
) -> None:
    name = blob(md5_of(world, path))
    right = world.container.read(name)
    world.container.write(name, other(right))
    said = world.pipelines("status").stdout
    assert re.search(rf"{path}: the remote lacks it \(.*{why}", said), said
    assert "made again what the remote lacked" in world.publish().stdout
    assert world.container.read(name) == right
    if path.endswith("Annotations"):
        world.whole()


def test_a_remote_that_is_down_is_named_and_tried_again_later(
    tmp_path: Path, worlds_at: Callable[[azure.Container], World]
) -> None:
    with azure.serving(tmp_path / "azurite") as own:
        world = worlds_at(own.container("down"))
        before = world.bare.refs()
        own.stop()
        begin = time.monotonic()
        said = world.publish("--timeout 15", code=3).stderr
        assert time.monotonic() - begin < 30
        assert "the remote cannot be read: no answer within 15 s" in said
        assert "try again later" in said
        assert world.bare.refs() == before

        own.start()
        branch = world.sync()
        client = Driven(
            world, "wrap(attempt, 'push_data', before=once(wait))", words="publish --timeout 20"
        )
        client.until()
        now = world.bare.refs()
        own.pause()
        client.go.touch()
        begin = time.monotonic()
        assert client.end() == 3
        assert time.monotonic() - begin < 60
        told = rf"error: {branch}: the remote does not take the data: .*; try again later"
        assert re.search(told, client.err), client.err
        assert world.bare.refs() == now

        own.resume()
        world.publish()
        assert len(published_by(world, branch)) == 1
        world.whole()


def secrets(container: azure.Container) -> dict[str, str]:
    """Connection strings with which nothing can be read."""
    right = container.connection_string
    return {
        "wrong key": right.replace(KEY, "Q0hBTkdFRA" * 8 + "Q0hBTg=="),
        "expired": container.sas("rlcw", -5),
        "empty": "",
        "garbled": "DefaultEndpointsProtocol=http;AccountName",
        "line end": right + "\n",
        "cut": right.partition("BlobEndpoint")[0][:-40],
    }


@pytest.mark.parametrize("kind", ["wrong key", "expired", "empty", "garbled", "line end", "cut"])
def test_a_secret_that_does_not_open_the_remote_is_told_in_one_line(
    world: World, kind: str
) -> None:
    before, blobs = world.bare.refs(), world.container.blobs()
    secret = secrets(world.azure)[kind]
    begin = time.monotonic()
    done = world.publish(code=None, AZURE_STORAGE_CONNECTION_STRING=secret)
    assert time.monotonic() - begin < 30
    assert done.returncode == 1
    assert "error: default branch: the remote cannot be " in done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    for part in re.findall(r"(?:AccountKey|sig)=([^;&]+)", secret):
        assert part[:12] not in done.stdout + done.stderr
    assert (world.bare.refs(), world.container.blobs()) == (before, blobs)


ANSWERS = {
    401: ("NoAuthenticationInformation", "the remote cannot be read: "),
    403: ("AuthorizationPermissionMismatch", "they must allow to read and list (SAS: rl)"),
    404: ("ContainerNotFound", "there is no container "),
}


@contextmanager
def answering(code: int) -> Iterator[int]:
    """Serve a storage that refuses whatever it is asked, as Azure does; yield its port."""
    error = f"<Code>{ANSWERS[code][0]}</Code><Message>No.</Message>"
    body = f"<?xml version='1.0'?><Error>{error}</Error>".encode()

    class Refusing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(code)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  # the library's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("code", ANSWERS)
def test_a_storage_that_refuses_is_not_tried_again_later(world: World, code: int) -> None:
    before = world.bare.refs()
    with answering(code) as port:
        text = world.azure.connection_string
        secret = text.replace(str(world.azure.port), str(port))
        assert secret != text
        done = world.publish(code=1, AZURE_STORAGE_CONNECTION_STRING=secret)

    assert ANSWERS[code][1] in done.stderr
    assert "later" not in done.stderr
    assert world.bare.refs() == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("dvc remote remove storage", "no remote specified"),
        ("dvc config core.remote nowhere", "nowhere"),
        ("dvc remote modify storage version_aware true", "cloud versioned remotes"),
        ("dvc remote modify storage url s3://bucket/x", "run `pip install 'dvc[s3]'` in .venv"),
    ],
)
def test_a_remote_that_is_not_set_up_is_refused(world: World, command: str, said: str) -> None:
    maintainer(world).sh(f"{command} && git commit -qam x && git push -q")

    done = world.publish(code=1)

    assert "error: default branch: the remote cannot be used: " in done.stderr
    assert said in done.stderr
    assert "later" not in done.stderr


def test_a_blob_that_states_the_right_hash_of_wrong_bytes_is_not_newly_named(
    world: World,
) -> None:
    """What this publish names for the first time lies in the remote already, and is not whole."""
    branch, old = world.sync(), {one.name for one in world.container.blobs()}
    client = Driven(world, "wrap(attempt, 'push_data', after=once(wait))")
    client.until()
    fresh = sorted({one.name for one in world.container.blobs()} - old)
    right = {name: world.container.read(name) for name in fresh}
    for name in fresh:
        world.azure.corrupt(name)
    client.go.touch()

    assert client.end() == 0, client.err
    assert len(published_by(world, branch)) == 1
    assert {name: world.container.read(name) for name in fresh} == right
    world.whole()


def test_a_listing_that_lies_cut_in_the_remote_is_sent_again(world: World) -> None:
    branch, old = world.sync(), {one.name for one in world.container.blobs()}
    client = Driven(world, "wrap(attempt, 'push_data', after=once(wait))")
    client.until()
    client.kill()
    listings = {one.name for one in world.container.blobs()} - old
    right = {name: world.container.read(name) for name in listings if name.endswith(".dir")}
    assert right
    for name, content in right.items():
        world.container.write(name, content[: len(content) // 2])

    world.publish()

    assert len(published_by(world, branch)) == 1
    assert {name: world.container.read(name) for name in right} == right
    world.whole()


def test_a_movie_that_was_imported_by_its_address_must_be_in_the_remote(world: World) -> None:
    person = maintainer(world)
    (world.folder / "notes.txt").write_text("kept beside the movies")
    person.sh(f"dvc import-url -q '{world.folder}/notes.txt' data/movie3/notes.txt")
    person.sh("git add -A && git commit -qm notes && git push -q")

    said = world.publish(code=1).stderr

    assert "data/movie3/notes.txt: the remote lacks it" in said
    assert "run `dvc push` where it was added" in said
    person.sh("dvc push -q data/movie3/notes.txt.dvc", True, None, **world.env)
    assert world.publish().stdout == "default branch: nothing to do\n"


def test_what_another_remote_is_to_hold_is_looked_up_there(world: World) -> None:
    person, other = maintainer(world), world.folder.parent / "other storage"
    other.mkdir()
    person.sh(f"dvc remote add -q other '{other}'")
    (person / "data/movie3/notes.txt").write_text("kept in another place")
    person.sh("dvc add -q data/movie3/notes.txt")
    path = person / "data/movie3/notes.txt.dvc"
    path.write_text(path.read_text().replace("  path: ", "  remote: other\n  path: "))
    person.sh("git add -A && git commit -qm notes && git push -q")

    assert "data/movie3/notes.txt: the remote lacks it" in world.publish(code=1).stderr

    person.sh("dvc push -q data/movie3/notes.txt.dvc", True, None, **world.env)
    assert any(other.rglob("*"))
    assert world.publish().stdout == "default branch: nothing to do\n"


def maintainer(world: World) -> Registry:
    """Return a clone of somebody who adds data."""
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.folder / "maintainer"))
    return Registry(world.folder / "maintainer")


OWN = """
  merge-annotations-own:
    cmd: >-
      ${run} ${images.merge-annotations} --source data/movie2 --destination data/own --images none
    deps:
      - data/movie2/Annotations
    outs:
      - data/own/Annotations
"""


def test_a_stage_of_ones_own_whose_dependencies_lack_data_is_refused(world: World) -> None:
    world.commit("a change", **{"dvc.yaml": world.file("dvc.yaml") + OWN.encode()})
    branch, before = world.sync(), world.head
    why = "dvc.yaml: merge-annotations-own: its command uses data/movie2/labelmap.txt, which"
    find_refused_by_all(world, branch, why)
    assert world.head == before


def test_a_split_that_differs_from_params_is_refused(world: World) -> None:
    changed = world.file("dvc.yaml").replace(b"- data/movie2/labelmap.txt", b"# nothing")
    assert changed != world.file("dvc.yaml")
    world.commit("a change", **{"dvc.yaml": changed})
    branch, before = world.sync(), world.head
    why = "dvc.yaml: does not have the splits of params.yaml; run `registry splits`"
    find_refused_by_all(world, branch, why)
    assert world.head == before


def find_refused_by_all(world: World, branch: str, why: str) -> None:
    """Find that no command takes a pipeline, and that each says why."""
    assert why in world.publish(code=1).stderr
    assert why in world.pipelines("status", 1).stderr
    assert why in world.pipelines(f"check {branch}", 1).stderr


def test_a_signature_that_may_read_list_create_and_write_is_enough(world: World) -> None:
    branch = world.sync()
    world.publish(AZURE_STORAGE_CONNECTION_STRING=world.azure.sas("rlcw"))
    assert len(published_by(world, branch)) == 1
    world.whole()


def test_a_signature_that_may_only_read_and_list_publishes_nothing(world: World) -> None:
    world.sync()
    before, blobs = world.bare.refs(), world.container.blobs()
    said = world.publish(code=1, AZURE_STORAGE_CONNECTION_STRING=world.azure.sas("rl")).stderr
    assert "the remote cannot be written to: dvc push: " in said
    assert "create and write, too (SAS: rlcw)" in said
    assert (world.bare.refs(), world.container.blobs()) == (before, blobs)


def test_nothing_of_the_pipelines_deletes_data_or_forces_a_push() -> None:
    words = re.compile(
        r"gc -c|[\"']gc[\"']|--force-with-lease|rm_blob|delete_blob|\brm\("
        r"|rm_file(?!\(path\))"  # of what doctor wrote to see whether it may
    )
    push = re.compile(r"[\"']push[\"'].*(--force|-f\b|[\"']\+)")
    files = [path for path in (PROJECT / "pipelines").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        if path.suffix == ".pyc":
            continue
        for line in path.read_text("utf-8").splitlines():
            assert not words.search(line), f"{path.name}: {line}"
            assert not push.search(line), f"{path.name}: {line}"


def test_two_registries_share_a_container(world: World, git_server: GitServer) -> None:
    bare = git_server.bare(f"{world.container.name}-other", world.branch)
    git(world.clone.folder, "push", "-q", bare.file_url, f"HEAD:refs/heads/{world.branch}")
    folder = world.folder / "other"
    folder.mkdir()
    git(folder, "clone", "-q", bare.file_url, str(folder / "clone"))
    other = World(folder, bare, world.container, world.branch, world.env, first=world.head)
    world.sync()
    other.sync(other.export(lambda text: text.replace('outside="0"', 'outside="1"', 1)))

    world.publish()
    other.publish()

    assert world.file("dvc.lock") != other.file("dvc.lock")
    world.whole()
    other.whole()


def test_a_fork_with_an_empty_remote_is_filled_from_what_people_added(world: World) -> None:
    names = ("data/movie3/movie.mp4", "data/movie3/annotations.zip")
    added = {blob(md5_of(world, path)) for path in names}
    before = world.container.blobs()
    for one in before:
        if one.name not in added:
            world.container.delete(one.name)
    said = world.publish().stdout
    assert "made again what the remote lacked: " in said
    assert world.container.blobs() == before
    assert world.head == world.first
    world.whole()
