"""Asks DVC what it has no command for. It imports DVC, so it runs as a process of its own.

stages             print every stage, with its outputs
changed STAGE...   print which of them, and of the stages they need, would run

`dvc repro --dry` does not serve: it fails where what a stage reads is not on this disk.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any


def stages(repo: Any) -> list[Any]:
    """Return the name, command, dependencies and outputs of each stage.

    An output is its path, whether it is stored, whether it is a metric, and the remote that stores
    it, empty for the default one.
    """
    return [
        [
            each.addressing,
            "\n".join([each.cmd] if isinstance(each.cmd, str) else each.cmd),
            [dep.def_path for dep in each.deps],
            [
                [o.def_path, bool(o.use_cache and o.can_push), bool(o.metric), o.remote or ""]
                for o in each.outs
            ],
        ]
        for each in repo.index.stages
        if each.cmd
    ]


def changed(repo: Any, targets: Sequence[str]) -> list[str]:
    """Return the stages that would run: they changed, or a stage that they depend on would run."""
    from networkx import topological_sort  # noqa: PLC0415  # DVC's own, loaded with it

    graph, found = repo.index.graph, list[Any]()
    wanted = {stage for each in targets for stage in repo.stage.collect(each, with_deps=True)}
    with repo.lock:
        for stage in topological_sort(graph.reverse()):
            needed = list(graph.successors(stage))
            if stage not in wanted or not stage.cmd:
                continue
            if {*needed} & {*found} or stage.changed(True, needed):
                found.append(stage)
    return [stage.addressing for stage in found]


def main() -> None:
    """Read the command line, and print what was asked for as JSON."""
    from dvc.repo import Repo  # noqa: PLC0415  # it takes a second

    with Repo() as repo:
        what, *targets = sys.argv[1:]
        print(json.dumps(stages(repo) if what == "stages" else changed(repo, targets)))


if __name__ == "__main__":
    main()
