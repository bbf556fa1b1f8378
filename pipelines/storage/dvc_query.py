"""What DVC knows of a pipeline and has no command for; a process of its own, as it imports DVC.

stages             print every stage, with its outputs
changed STAGE...   print which of them, and of the stages they need, would run

`dvc repro --dry` does not serve: it fails where what a stage reads is not on this disk.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any


def stages(repo: Any) -> list[Any]:
    """Return of each stage its name, command and dependencies, and its outputs.

    Of an output: path, whether the remote is to hold it, if a metric, which remote ("": default).
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
    """Return the stages that would run: changed themselves, or made of what would be made."""
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
