"""What Dockerfiles, locks and code must never say. Every rule is shown a text that breaks it."""

import ast
import re
from pathlib import Path

import pytest

from image_folders import DOCKERFILES, TOOLS
from registries import PROJECT

LOCKS = sorted([*PROJECT.glob("**/requirements.txt"), PROJECT / "pipelines/setup/build.txt"])
LOCKS = [path for path in LOCKS if ".venv" not in path.parts]
CODE = sorted(
    path
    for folder in ("images", "pipelines")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix == ".py"
    or (path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/python"))
)


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


RULES = {
    "syntax": r"^#\s*syntax\s*=",
    "heredoc": r"<<-?\s*['\"]?[A-Za-z_]",
    "run option": r"^\s*RUN\s+--",
    "copy option": r"^\s*(COPY|ADD)\s+(?!--from=packages\s)--",
    "add": r"^\s*ADD\s",
    "fetch": r"\b(curl|wget)\b|git clone",
    "no hashes": r"pip3? install(?!.*--require-hashes)",
    "builds": r"pip3? install(?!.*--only-binary :all:)",
    "dependencies": r"pip3? install(?!.*--no-deps)",
    "cache": r"pip3? install(?!.*--no-cache-dir)",
    "latest": r"^(FROM|ARG)\s.*:latest\b",
    "foreign parent": r"^FROM\s+(?!\$\{(ROOT|PARENT)_IMAGE\})",
    "root": r"^USER\s+(0|root)\b",
    "secret": r"^(ENV|ARG)\s.*(TOKEN|PASSWORD|SECRET|CONNECTION_STRING|_KEY)",
    "bundle kept": r"^ENV\s.*(CERT|CA_BUNDLE)",
}


def mistakes(dockerfile: str) -> set[str]:
    """The rules that a Dockerfile breaks."""
    text = dockerfile.replace("\\\n", " ")
    found = {rule for rule, pattern in RULES.items() if re.search(pattern, text, re.I | re.M)}
    last = text[text.rindex("\nFROM ") :]
    if re.search(r"ca-bundle|PIP_|apt-get update(?!.*rm -rf /var/lib/apt)", last):
        found.add("last stage")
    return found


ALLOWED = {TOOLS: {"root"}}
"""What an image needs all the same: the tools work with what is root's on a runner."""


@pytest.mark.parametrize("path", DOCKERFILES.values(), ids=name)
def test_dockerfiles_are_plain_and_locked(path: Path) -> None:
    assert mistakes(path.read_text("utf-8")) == ALLOWED.get(path.parent.name, set())


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("# What", "# syntax=docker/dockerfile:1\n# What", "syntax"),
        ("USER 65534:65534", "RUN cat <<EOF\nEOF", "heredoc"),
        ("RUN if", "RUN --mount=type=secret,id=x if", "run option"),
        ("COPY stage", "COPY --chown=0 stage", "copy option"),
        ("COPY stage", "ADD stage", "add"),
        ("COPY stage", "ADD https://example.org/stage", "add"),
        ("USER 65534", "RUN curl -O example.org\nUSER 65534", "fetch"),
        (" --require-hashes", "", "no hashes"),
        (" --only-binary :all:", "", "builds"),
        (" --no-deps", "", "dependencies"),
        (" --no-cache-dir", "", "cache"),
        ("bookworm-slim\n", "latest\n", "latest"),
        ("FROM ${ROOT_IMAGE}\n", "FROM debian\n", "foreign parent"),
        ("USER 65534:65534", "USER root", "root"),
        ("ENV PATH", "ENV API_TOKEN=1 PATH", "secret"),
        ("ENV PATH", "ENV SSL_CERT_FILE=/x PATH", "bundle kept"),
        ("COPY stage", "COPY ca-bundle.pem", "last stage"),
        ("&& rm -rf /var/lib/apt/lists/*", "&& rm -rf", "last stage"),
    ],
)
def test_a_dockerfile_that_is_not_shows(old: str, new: str, rule: str) -> None:
    text = (PROJECT / "images/base/Dockerfile").read_text("utf-8")

    assert text.count(old) == 1
    assert rule in mistakes(text.replace(old, new))


def unlocked(lock: str) -> list[str]:
    """The lines of a lock that are no comment and name no exact version and its hash."""
    lines = lock.replace("\\\n", " ").splitlines()
    package = r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+( ; (?:(?!--)[^#])+)?"
    wanted = package + r"(\s+--hash=sha256:[0-9a-f]{64})+\s*"
    return [
        line
        for line in lines
        if line.strip()[:1] not in ("", "#") and not re.fullmatch(wanted, line)
    ]


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_locks_name_versions_and_hashes(path: Path) -> None:
    text = path.read_text("utf-8")

    assert "==" in text
    assert unlocked(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "tqdm==4.70.1",
        "tqdm>=4 --hash=sha256:" + "0" * 64,
        "tqdm",
        "git+https://example.org/tqdm",
        "--index-url https://example.org",
        "tqdm==4.70.1 --hash=md5:" + "0" * 32,
    ],
)
def test_a_line_without_them_shows(line: str) -> None:
    assert unlocked(f"a==1 \\\n    --hash=sha256:{'0' * 64}\n{line}\n") == [line]


def test_every_wanted_package_has_a_lock() -> None:
    wanted = [path for path in PROJECT.glob("*/**/*.in") if ".venv" not in path.parts]

    assert {path.with_suffix(".txt") for path in wanted} == set(LOCKS)


FORBIDDEN = {
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
}
FORBIDDEN |= {
    "pickle.load",
    "pickle.loads",
    "marshal.loads",
    "tarfile.extractall",
    "tempfile.mktemp",
}


def dangers(source: str) -> set[str]:
    """The calls that run, or unpack, what others wrote."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found |= {called} & FORBIDDEN
            found |= {
                "extractall" for one in (called,) if one.endswith((".extractall", ".extract"))
            }
            found |= {
                "shell"
                for keyword in node.keywords
                if keyword.arg == "shell" and ast.unparse(keyword.value) != "False"
            }
    return found


@pytest.mark.parametrize("path", CODE, ids=name)
def test_code_runs_nothing_that_others_wrote(path: Path) -> None:
    assert dangers(path.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("os.system('ls')", "os.system"),
        ("subprocess.run('ls', shell=True)", "shell"),
        ("subprocess.Popen('ls', shell=flag)", "shell"),
        ("yaml.load(text)", "yaml.load"),
        ("yaml.load(text, yaml.Loader)", "yaml.load"),
        ("eval(text)", "eval"),
        ("zipfile.ZipFile(path).extractall(folder)", "extractall"),
    ],
)
def test_code_that_does_shows(source: str, found: str) -> None:
    assert found in dangers(source)
