"""A laptop beside CI: it has pictures, CI publishes, and neither stands in the other's way."""

import re
from pathlib import Path

from publishing.worlds import EXPORT, World, with_less_of_a_car
from registries import Registry
from services.gitserver import git

LOCK = Path("pictures/dvc.lock")


def laptop(world: World) -> Registry:
    """A clone with the movies and all pictures."""
    git(world.folder, "clone", "-q", world.bare.file_url, str(world.folder / "laptop"))
    registry = Registry(world.folder / "laptop")
    registry.sh("dvc pull -q", True, None, **world.env)
    world.pipelines("repro", 0, registry)
    return registry


def changed_files(registry: Registry) -> list[str]:
    """What `git status` shows."""
    return registry.sh("git status --porcelain --untracked-files=all").stdout.splitlines()


def links(registry: Registry) -> set[str]:
    """The names of the training split's pictures."""
    return {path.stem for path in (registry / "data/merged/training/JPEGImages").iterdir()}


def annotated(registry: Registry) -> set[str]:
    """The names of the training split's annotations."""
    return {path.stem for path in (registry / "data/merged/training/Annotations").iterdir()}


def without_a_frame(text: str) -> str:
    """An export that has no object on frame 20, whose picture then is in no split."""
    return re.sub(r'(<box frame="20" keyframe=)"." outside="0"', r'\1"1" outside="1"', text)


def test_after_a_publish_a_laptop_decodes_no_movie_again_and_can_pull(world: World) -> None:
    person = laptop(world)
    assert changed_files(person) == [f"?? {LOCK}"]
    assert links(person) == annotated(person)
    before, lock = world.head, world.file("dvc.lock").decode()

    world.sync(world.export(without_a_frame))
    world.publish()
    person.sh("git pull -q --ff-only")
    stored = person.sh("dvc pull -q && dvc repro", True, None, **world.env).stdout
    said = world.pipelines("repro", 0, person).stdout

    assert "Running stage" not in stored
    assert said.splitlines()[0] == "ran: pictures/dvc.yaml:link-pictures-training"
    assert links(person) == annotated(person)
    assert "movie2__frame_000020" not in links(person)
    assert changed_files(person) == [f"?? {LOCK}"]
    assert set(world.file("dvc.lock").decode().splitlines()) - set(lock.splitlines())

    world.sync(world.export(with_less_of_a_car))
    world.publish()
    person.sh("git pull -q --ff-only")
    assert git(person.folder, "rev-parse", "HEAD") == world.head != before


def test_a_publish_changes_only_the_lines_of_dvc_lock_that_say_something_else(
    world: World,
) -> None:
    before = world.head
    world.sync()
    world.publish()

    diff = world.bare.git("diff", "--unified=0", before, world.head, "--", "dvc.lock")
    changed = [line for line in diff.splitlines() if re.match(r"[-+] ", line)]
    assert changed
    assert {re.sub(r"[-+ ]+", "", line).partition(":")[0] for line in changed} <= {
        *("md5", "size", "nfiles")
    }


def test_an_older_version_has_its_own_links(world: World) -> None:
    person = laptop(world)
    old = links(person)
    world.sync(world.export(without_a_frame))
    world.publish()
    person.sh("git tag v1.0 && git pull -q --ff-only")
    person.sh("dvc pull -q", True, None, **world.env)
    world.pipelines("repro", 0, person)
    assert links(person) < old

    person.sh("git checkout -q v1.0 && dvc checkout -q")
    wrong = world.pipelines("check", None, person).stderr
    assert re.search(r"data/merged/training/JPEGImages: .*dvc repro pictures/dvc.yaml", wrong), (
        wrong
    )
    person.sh("dvc repro -q pictures/dvc.yaml")
    assert links(person) == old == annotated(person)
    assert "JPEGImages" not in world.pipelines("check", None, person).stderr


def test_a_committed_lock_of_pictures_is_refused(world: World) -> None:
    person = laptop(world)
    person.sh(f"git add {LOCK} && git commit -q -m 'all of it' && git push -q")

    for words in ("check", "publish"):
        said = world.pipelines(words, 1, person if words == "check" else None).stderr
        assert re.search(rf"^error: .*{LOCK}: .*git rm --cached {LOCK}", said, re.M), said
    assert EXPORT in git(person.folder, "ls-files")
