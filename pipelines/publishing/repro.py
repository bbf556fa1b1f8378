"""`repro`: reproduce the pipeline in the current folder, as `dvc repro` does, in few words."""

from collections.abc import Sequence
from pathlib import Path

from pipelines import messages
from pipelines.containers import engine, images
from pipelines.datasets import split_stages
from pipelines.storage.dvc import Dvc

SECONDS = 7 * 86400
"""How long it may take: a week."""


def repro(targets: Sequence[str]) -> int:
    """Run the stages that must run, of all pipeline files or only targets; say what ran."""
    folder = Path.cwd()
    split_stages.check(folder)
    images.ready(folder)
    dvc = Dvc(folder, SECONDS)
    stages = dvc.stages()
    try:
        done = dvc.repro(targets or ["--all-pipelines"], stages)
    except KeyboardInterrupt:
        engine.stop_containers(f"data-registry={folder}")
        raise
    if done.ran:
        messages.say(f"ran: {', '.join(done.ran)}")
    messages.say(
        f"up to date: {len(done.unchanged)} of {len(done.unchanged) + len(done.ran)} stages"
    )
    return 0
