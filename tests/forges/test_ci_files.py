"""What the files of both forges must never say. Every rule is shown a text that breaks it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pipelines.cvat import http
from pipelines.setup.doctor import SECRET
from registries import PROJECT

WORKFLOWS = {path.name: path.read_text("utf-8") for path in PROJECT.glob(".github/workflows/*.yml")}
GITLAB = (PROJECT / ".gitlab-ci.yml").read_text("utf-8")
INCLUDED = (PROJECT / "pipelines/gitlab/registry.yml").read_text("utf-8")

PINNED = re.compile(r"\./\.github/workflows/[a-z-]+\.yml|[\w./-]+@[0-9a-f]{40}")
COMMAND = re.compile(
    r"make (lint|test)|pipelines/setup/setup\.sh tools"
    r'|(pipelines/registry|\$\[\[ inputs\.command \]\]) [a-z]+( --push| "\$[A-Z_]+")?'
    r"|env -u [A-Z_]+ \$\[\[ inputs\.command \]\] (fetch \|\| fetched=\$\?|publish)"
    r'|exit "\$\{fetched:-0\}"'
    r'|git fetch --quiet origin "\$CI_DEFAULT_BRANCH"'
    r'|git checkout --quiet --detach ("refs/remotes/origin/\$DEFAULT"|FETCH_HEAD)'
)
"""All that a job may run: what anyone can run, and how it comes to the default branch."""

WRITES = {"publish.yml": {"contents"}, "registry-publish.yml": {"contents"}}
WRITES["images.yml"] = {"packages"}
TOKEN = http.SECRET
"""The name of CVAT's secret; that of the storage is SECRET."""

READS = {"publish.yml": {SECRET, TOKEN}, "registry-publish.yml": {SECRET, TOKEN}}
READS["images.yml"] = {"CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"}
"""What a workflow may write, and which secrets it may read; the others none."""


def walked(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key and value of YAML, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from walked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walked(inner)


def lines(script: object) -> list[str]:
    """The lines of a step or of a job's script, but for what it takes from another job."""
    texts = script if isinstance(script, list) else [script]
    own = [str(text) for text in texts if not isinstance(text, tuple)]
    return [line for text in own for line in text.strip().splitlines()]


def written(granted: list[Any]) -> set[str]:
    """What permissions let a workflow write."""
    found = [each.items() if isinstance(each, dict) else [(each, each)] for each in granted]
    return {scope for pairs in found for scope, how in pairs if "write" in str(how)}


def workflow_mistakes(name: str, text: str) -> set[str]:
    """The rules that a workflow breaks."""
    found = yaml.safe_load(text)
    keys = list(walked(found))
    publishes = "publish" in name
    triggers = found[True]  # what YAML takes `on` for
    commands = [line for key, value in keys if key == "run" for line in lines(value)]
    granted = [value for key, value in keys if key == "permissions"]
    checkouts = [
        (step.get("with") or {}).get("persist-credentials", True)
        for job in found["jobs"].values()
        for step in job.get("steps", [])
        if "checkout" in step.get("uses", "")
    ]
    rules = {
        "unpinned": all(PINNED.fullmatch(value) for key, value in keys if key == "uses"),
        "permissions": found.get("permissions") == {}
        and all("permissions" in job for job in found["jobs"].values()),
        "writes": written(granted) <= WRITES.get(name, set()),
        "template in run": not any("${{" in line for line in commands),
        "foreign trigger": not {"pull_request_target", "issue_comment"} & set(triggers),
        "inherits": not any(value == "inherit" for key, value in keys if key == "secrets"),
        "secret": set(re.findall(rf"secrets\.(\w+)|({SECRET}|{TOKEN})", text))
        <= {pair for each in READS.get(name, set()) for pair in ((each, ""), ("", each))},
        "credentials": checkouts == [publishes] * len(checkouts),
        "logic": all(COMMAND.fullmatch(line) for line in commands),
        "continues": "continue-on-error" not in dict(keys),
        "branch of CVAT": name == "check.yml"
        or "push" not in triggers
        or "cvat_*" in triggers["push"].get("branches-ignore", []),
    }
    if name == "publish.yml":
        wanted = {"group": "publish", "cancel-in-progress": False}
        rules["concurrency"] = found.get("concurrency") == wanted
        rules["schedule"] = {"schedule", "workflow_dispatch", "workflow_run"} <= set(triggers)
    if name in ("images.yml", "registry-publish.yml"):
        naming = [job for job in found["jobs"].values() if "secrets." in str(job)]
        rules["environment"] = bool(naming) and all(job.get("environment") for job in naming)
    if name == "registry-publish.yml":
        steps = {each.get("name"): each for each in found["jobs"]["publish"]["steps"]}
        seen = {step: {SECRET, TOKEN} & set(each.get("env", {})) for step, each in steps.items()}
        own = {step: secrets for step, secrets in seen.items() if secrets}
        rules["secret of another command"] = own == {"fetch": {TOKEN}, "publish": {SECRET}}
        whatever = "${{ !cancelled() && steps.images.outcome == 'success' }}"
        rules["kept from publishing"] = steps["publish"].get("if") == whatever
    return {rule for rule, kept in rules.items() if not kept}


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_keep_the_rules(name: str) -> None:
    assert workflow_mistakes(name, WORKFLOWS[name]) == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("test.yml", "@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", "unpinned"),
        ("test.yml", "\npermissions: {}", "", "permissions"),
        ("test.yml", "\npermissions: {}", "\npermissions: write-all", "permissions"),
        ("test.yml", "contents: read", "contents: write", "writes"),
        ("check.yml", "contents: read", "contents: write", "writes"),
        ("registry-check.yml", '"$BRANCH"', "${{ github.ref_name }}", "template in run"),
        ("test.yml", "pull_request:", "pull_request_target:", "foreign trigger"),
        ("check.yml", "jobs:\n  check:\n", "jobs:\n  check:\n    secrets: inherit\n", "inherits"),
        ("check.yml", "\njobs:", "\nenv:\n  A: ${{ secrets.OTHER }}\njobs:", "secret"),
        ("test.yml", "\njobs:", f"\nenv:\n  {SECRET}: x\njobs:", "secret"),
        ("test.yml", "persist-credentials: false", "persist-credentials: true", "credentials"),
        ("test.yml", "          persist-credentials: false\n", "", "credentials"),
        ("images.yml", "packages: write", "contents: write", "writes"),
        ("images.yml", "secrets.CI_REGISTRY_USER", f"secrets.{SECRET}", "secret"),
        ("images.yml", "    environment: registry", "    #", "environment"),
        ("registry-publish.yml", f"secrets.{SECRET}", "secrets.OTHER", "secret"),
        ("registry-publish.yml", "registry images", "registry images || true", "logic"),
        ("registry-publish.yml", "pipelines/registry images", "dvc push", "logic"),
        ("test.yml", "run: make test", "continue-on-error: true\n        run: x", "continues"),
        ("test.yml", '    branches-ignore: ["cvat_*"]\n', "    tags: [x]\n", "branch of CVAT"),
        ("publish.yml", "cancel-in-progress: false", "cancel-in-progress: true", "concurrency"),
        ("publish.yml", "group: publish", "group: ${{ github.ref }}", "concurrency"),
        ("publish.yml", '  schedule:\n    - cron: "7,37 * * * *"\n', "", "schedule"),
        ("registry-publish.yml", "    environment: ${{ inputs.environment }}\n", "", "environment"),
        (
            "registry-publish.yml",
            f"          {TOKEN}: $",
            f"          {SECRET}: x\n          {TOKEN}: $",
            "secret of another command",
        ),
        ("registry-publish.yml", "!cancelled() && ", "", "kept from publishing"),
    ],
)
def test_a_workflow_that_does_not_shows(name: str, old: str, new: str, rule: str) -> None:
    assert old in WORKFLOWS[name]
    assert rule in workflow_mistakes(name, WORKFLOWS[name].replace(old, new))


IMAGES = ("debian:bookworm-slim", {"name": "$[[ inputs.image ]]", "entrypoint": [""]})
PUSHED = [
    {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "variables": {"OPTION": "--push"}},
    {"when": "on_success"},
]
"""What jobs run in, and when images are pushed."""


class Loader(yaml.SafeLoader):
    """YAML with GitLab's `!reference`."""


def _taken(_: yaml.SafeLoader, node: yaml.Node) -> tuple[str, ...]:
    """What a `!reference` names: lines of another job."""
    return tuple(each.value for each in node.value)


Loader.add_constructor("!reference", _taken)


def gitlab_mistakes(main: str, included: str) -> set[str]:
    """The rules that .gitlab-ci.yml, and what other registries include, break."""
    spec, jobs = yaml.safe_load_all(included)
    own = yaml.load(main, Loader)  # noqa: S506  # a safe one
    both = [own, jobs]
    keys = [pair for each in both for pair in walked(each)]
    publish, check = jobs["publish"], jobs["check"]
    commands = [line for key, value in keys if key.endswith("script") for line in lines(value)]
    asked = set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", included))
    includes = own.get("include", [])
    taken = "git checkout --quiet --detach FETCH_HEAD"
    rules = {
        "inputs": set((spec or {}).get("spec", {}).get("inputs", {})) == asked != set(),
        "one at a time": publish.get("resource_group") == "publish",
        "interrupted": publish.get("interruptible") is False,
        "shallow": jobs[".registry"].get("variables", {}).get("GIT_DEPTH") == "0",
        "published elsewhere": publish.get("rules")
        == [
            {"if": '$CI_PIPELINE_SOURCE == "trigger" && $DATA_REGISTRY_IMAGE', "when": "never"},
            {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"},
        ],
        "secret": not re.search(rf"(?<!env -u )({SECRET}|{TOKEN})", main + included),
        "secret of another command": publish["script"][1:3]
        == [
            f"env -u {SECRET} $[[ inputs.command ]] fetch || fetched=$?",
            f"env -u {TOKEN} $[[ inputs.command ]] publish",
        ],
        "hidden failure": publish["script"][-1] == 'exit "${fetched:-0}"',
        "cache": "cache" not in dict(keys),
        "logic": all(COMMAND.fullmatch(line) for line in commands),
        "code of the branch": check["before_script"][1:] == [taken],
        "unpinned": all(
            set(each) == {"local"} or re.fullmatch(r"[0-9a-f]{40}", str(each.get("ref")))
            for each in includes
        )
        and all(value in IMAGES for key, value in keys if key == "image"),
        "secret of all": publish.get("environment") == {"name": "registry", "action": "access"}
        and not any("environment" in job for job in (jobs | own).values() if job is not publish),
        "pushed elsewhere": own["images"]["rules"] == PUSHED
        and own["images"]["variables"] == {"OPTION": "--tools"},
        "reports": publish.get("artifacts", {}).get("when") == "always",
    }
    return {rule for rule, kept in rules.items() if not kept}


def test_gitlab_s_files_keep_the_rules() -> None:
    assert gitlab_mistakes(GITLAB, INCLUDED) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("    tags:\n      description: The tags of the runners\n", "    tags_:\n", "inputs"),
        ("  resource_group: publish\n", "", "one at a time"),
        ("  interruptible: false\n", "", "interrupted"),
        ("  interruptible: false\n", "  interruptible: true\n", "interrupted"),
        ('GIT_DEPTH: "0"', 'GIT_DEPTH: "20"', "shallow"),
        ("- if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "- when: always", "published elsewhere"),
        (" && $DATA_REGISTRY_IMAGE", "", "published elsewhere"),
        (f"env -u {SECRET} ", "", "secret of another command"),
        ('    - exit "${fetched:-0}"\n', "", "hidden failure"),
        ("  stage: deploy\n", f"  stage: deploy\n  variables: {{{SECRET}: $X}}\n", "secret"),
        ("  timeout:", "  cache: {paths: [.dvc/cache]}\n  timeout:", "cache"),
        (" images\n", " images || true\n", "logic"),
        ("    - $[[ inputs.command ]] images\n", "    - apt-get install docker\n", "logic"),
        ("    action: access\n", "", "secret of all"),
        ("\ncheck:\n", "\ncheck:\n  environment: registry\n", "secret of all"),
        ("    - git checkout --quiet --detach FETCH_HEAD\n", "", "code of the branch"),
        ("  timeout:", "  image: debian\n  timeout:", "unpinned"),
        ("    when: always\n", "", "reports"),
    ],
)
def test_an_included_file_that_does_not_shows(old: str, new: str, rule: str) -> None:
    assert old in INCLUDED
    assert rule in gitlab_mistakes(GITLAB, INCLUDED.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("  - local: pipelines/gitlab/registry.yml", "  - {project: a/b, ref: main}", "unpinned"),
        ("    - make test", "    - make test\n    - dvc push", "logic"),
        ("image: debian:bookworm-slim", "image: debian", "unpinned"),
        ("    OPTION: --tools\n", "    OPTION: --push\n", "pushed elsewhere"),
    ],
)
def test_a_gitlab_file_that_does_not_shows(old: str, new: str, rule: str) -> None:
    assert old in GITLAB
    assert gitlab_mistakes(GITLAB.replace(old, new), INCLUDED) == {rule}


def commands(script: object) -> list[str]:
    """What a job runs, whatever the forge calls a branch, once it is on the right commit."""
    called = [line.replace("$[[ inputs.command ]]", "pipelines/registry") for line in lines(script)]
    plain = [re.sub(r"^env -u [A-Z_]+ | \|\| fetched=\$\?$", "", line) for line in called]
    ours = [line for line in plain if not line.startswith(("git ", "exit "))]
    return [re.sub(r"\$[A-Z_]+", "$X", line) for line in ours]


def of_github(name: str, job: str) -> list[str]:
    """What a job of a workflow runs."""
    steps = yaml.safe_load(WORKFLOWS[name])["jobs"][job]["steps"]
    return commands([step["run"] for step in steps if "run" in step])


@pytest.mark.parametrize(
    ("workflow", "job", "gitlab"),
    [
        ("registry-check.yml", "check", "check"),
        ("registry-publish.yml", "publish", "publish"),
        ("test.yml", "lock", "dvc.lock"),
        ("test.yml", "test", "lint and test"),
    ],
)
def test_both_forges_run_the_same(workflow: str, job: str, gitlab: str) -> None:
    _, jobs = yaml.safe_load_all(INCLUDED)
    script = {**yaml.load(GITLAB, Loader), **jobs}[gitlab]["script"]  # noqa: S506  # a safe one

    assert of_github(workflow, job) == commands(script)
    assert commands(script)


def test_the_publish_alone_is_started_by_what_is_not_a_push() -> None:
    started = {name: set(yaml.safe_load(text)[True]) for name, text in WORKFLOWS.items()}

    assert started == {
        "check.yml": {"push"},
        "publish.yml": {"push", "schedule", "workflow_dispatch", "workflow_run"},
        "images.yml": {"push", "workflow_dispatch"},
        "registry-check.yml": {"workflow_call"},
        "registry-publish.yml": {"workflow_call"},
        "test.yml": {"push", "pull_request"},
    }
