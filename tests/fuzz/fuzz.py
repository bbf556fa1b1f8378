"""Feed the readers broken files for a minute: nothing but a StageError may ever leave them.

  fuzz.py                  all targets, one after the other, each in a process of its own
  fuzz.py TARGET SECONDS   one target
  fuzz.py TARGET FILE      read a file once, as a find is looked into

A find is a file for which a reader raises something else, takes longer than LIMIT, or ends the
process. It is saved below finds/, and the exit code is 1.
"""

import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from targets import Target

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
FINDS = HERE / "finds"

LIMIT = 5
"""Seconds of processor time that a small file may take, many times what any should."""

MEMORY = 2 << 30
LONGEST = 20_000
"""Bytes that a process may use, and of a file that is tried."""

WORD = 64
"""Bytes of a word that libFuzzer takes; longer ones are put in by `reordered` alone."""

OTHERS = ("yaml", "zipfile", "csv", "targets")
"""Whose branches the fuzzer sees, besides the stages'; the rest, lxml above all, is C."""


class TookLong(Exception):  # noqa: N818  # it is how a find is called
    """A reader was at it for longer than LIMIT."""


def main() -> int:
    """Do what the command line says."""
    if sys.argv[1:]:
        name, what = sys.argv[1:]
        if what.isdigit():
            fuzz(name, int(what))
        again(name, Path(what))
        return 0
    sys.path[:0] = folders()
    import targets  # noqa: PLC0415  # it needs the path

    finds, tried = [], []
    for name, target in targets.TARGETS.items():
        count, found = in_process(name, target.seconds)
        print(f"{name:<12} {count:>9} inputs tried, {len(found)} finds", flush=True)
        tried.append(count)
        finds += found
    seconds = sum(target.seconds for target in targets.TARGETS.values())
    print(f"{sum(tried)} inputs in {seconds} s, {len(finds)} finds")
    for find in finds:
        print(find, file=sys.stderr)
    return 1 if finds else 0


def in_process(name: str, seconds: int) -> tuple[int, list[str]]:
    """Fuzz a target in a process of its own; return how many inputs were tried, and the finds."""
    with tempfile.TemporaryDirectory() as folder:
        with Path(folder, "log").open("w+", encoding="utf-8", errors="replace") as log:
            command = [sys.executable, __file__, name, str(seconds)]
            try:
                code = subprocess.run(
                    command,
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(folders())},
                    stdout=log,
                    stderr=log,
                    timeout=seconds + 60,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
            log.seek(0)
            text = log.read()
        finds = re.findall(r"^find: (.*)$", text, re.M)
        done = re.search(r"^Done (\d+) runs in", text, re.M)
        if code != 0 or not done:
            left = sorted(Path(folder, "tried").glob("*"))
            why = f"the process did not end by itself (code {code})"
            finds.append(saved(name, left[0].read_bytes(), why) if left else f"{name}: {why}")
            print(text[-3000:], file=sys.stderr)
        return int(done[1]) if done else 0, finds


def folders() -> list[str]:
    """The folders that the tests import from."""
    images = (path.parent for path in sorted(PROJECT.glob("images/*/Dockerfile")))
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    listed = settings["tool"]["pytest"]["ini_options"]["pythonpath"]
    return [str(folder) for folder in (*images, *(PROJECT / each for each in listed))]


def own_modules() -> set[str]:
    """The modules and packages of the stages."""
    modules = {path.stem for path in (PROJECT / "images").glob("*/*.py")}
    return modules | {path.parent.name for path in (PROJECT / "images").glob("*/*/__init__.py")}


def saved(name: str, content: bytes, why: str) -> str:
    """Save a file that is a find; return what to say of it."""
    FINDS.mkdir(exist_ok=True)
    path = FINDS / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
    path.write_bytes(content)
    own = path.relative_to(PROJECT)
    return f"{name}: {why}; look into it by tests/fuzz/fuzz.py {name} {own}"


def again(name: str, path: Path) -> None:
    """Read a file once in all ways of a target; whatever is raised is shown."""
    sys.path[:0] = folders()
    import targets  # noqa: PLC0415  # it needs the path

    target = targets.TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        (copy := Path(folder, target.name)).write_bytes(path.read_bytes())
        for kind, place, error in strangers(target, copy):
            traceback.print_exception(error)
            print(f"find: {kind} at {place}")


def fuzz(name: str, seconds: int) -> NoReturn:
    """Fuzz a target in this process, which ends with it."""
    import atheris  # noqa: PLC0415  # pytest and mypy do without it

    seen = [*sorted(own_modules()), *OTHERS]
    with atheris.instrument_imports(include=seen, enable_loader_override=False):
        import targets  # noqa: PLC0415  # instrumented

    target = targets.TARGETS[name]
    for each in ("tried", "corpus"):
        Path(each).mkdir()
    for number, seed in enumerate(target.seeds):
        Path("corpus", str(number)).write_bytes(seed)
    words = target.dictionary
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in words if len(word) <= WORD)
    Path("words").write_text("".join(f'"{word}"\n' for word in quoted), "ascii")
    tried, known = Path("tried", target.name), set[tuple[str, str]]()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _took_long)

    def test(data: bytes) -> None:
        content = target.made(data)
        tried.write_bytes(content)
        for kind, place, _ in strangers(target, tried):
            if (kind, place) not in known:
                known.add((kind, place))
                print("find:", saved(name, content, f"{kind} at {place}"), flush=True)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        return reordered(data, words, chance)[:longest]

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-dict=words",
        f"-timeout={seconds}",
    ]
    options += ["-rss_limit_mb=0", "-len_control=0", "-verbosity=1", f"-seed={os.getpid()}"]
    atheris.Setup([__file__, *options, "corpus"], test, custom_mutator=mutate)
    atheris.Fuzz()
    raise AssertionError("the fuzzer ends the process")


def strangers(target: "Target", path: Path) -> Iterator[tuple[str, str, Exception]]:
    """Read a file in all ways of a target; yield what is raised but a StageError, and where."""
    from stage.errors import StageError  # noqa: PLC0415  # it needs the path

    for reading in target.readings:
        try:
            with limited():
                reading(path)
        except StageError:
            pass
        except Exception as error:  # all of them are finds
            steps = traceback.extract_tb(error.__traceback__)
            own = [step for step in steps if str(PROJECT / "images") in step.filename] or steps
            place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
            yield type(error).__name__, place, error


@contextmanager
def limited() -> Iterator[None]:
    """Stop what takes longer than LIMIT; processor time, for the machine may be busy."""
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _took_long(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TookLong


PARTS = (rb"<[^>]*>|[^<]+", rb"[\w.]+=\"[^\"]*\"|</?\w+|[\w.-]+|\s+|.", rb"[\w.-]+|\s+|.")
"""What a text is taken apart into: tags; attributes and words; words."""

SLOW = 1000
"""Bytes of a word past which readers are slow, so that it is put in less often."""


def reordered(data: bytes, words: list[bytes], chance: random.Random) -> bytes:
    """Return a text with words, tags or attributes left out, doubled, moved or replaced."""
    parts = re.findall(chance.choice(PARTS), data, re.S)
    for _ in range(chance.choice((1, 1, 2, 5))):
        if not parts:
            break
        first = chance.randrange(len(parts))
        some = slice(first, first + chance.choice((1, 1, 2, 8, 40)))
        alike = [word for word in words if word.isdigit() == parts[first].isdigit()]
        word = chance.choice(alike if chance.random() < 0.5 else words)
        word = chance.choice(words) if len(word) > SLOW else word
        put = chance.choice((None, [], [word], [word], parts[some] * 2))
        if put is None:
            put, parts[some] = parts[some], []
            some = slice(place := chance.randrange(len(parts) + 1), place)
        parts[some] = put
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
