"""What `add` is given no file of, from CVAT: the export of a task, and its movie."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines import messages
from pipelines.cvat import access, exports, movies, tasks
from pipelines.cvat.exports import Limits, Patience
from pipelines.cvat.http import Refused, Server
from pipelines.cvat.settings import Cvat
from pipelines.cvat.tasks import Movie, Task
from pipelines.datasets.params import Settings
from pipelines.errors import PipelineError, Transient

SECONDS = 900
"""How long an export is waited for."""

LONGER = 3600
"""Seconds that a backup is waited for: CVAT copies the movie into it."""


@dataclass(frozen=True)
class Source:
    """A task in CVAT. size: bytes that an export may have.

    movie: what CVAT says of the movie, if it is to be fetched.
    """

    server: Server
    task: Task
    size: int
    movie: Movie | None

    def write_export(self, path: Path) -> str:
        """Write the task's export as `fetch` commits it; return the date of its last change."""
        number = self.task.id
        messages.tell(f"task {number}: wait for its export")
        with _named(number):
            made = exports.export(self.server, self.task, Limits(self.size, Patience(SECONDS)))
        path.write_bytes(made.content)
        return made.updated

    def write_movie(self, path: Path) -> None:
        """Write the task's movie, as it was uploaded."""
        assert self.movie
        with _named(self.task.id):
            name = self.movie.name
            movies.download_movie(self.server, self.task.id, name, path, Patience(LONGER))

    def refuse_shorter(self, count: int) -> None:
        """Refuse a movie that lacks frames which the task has; count: of its frames."""
        if self.movie and count <= self.movie.last:
            text = f"its frames go to number {self.movie.last}, but its movie has {count}"
            raise PipelineError(f"task {self.task.id}: {text}; {movies.REMEDY}")


def find(folder: Path, settings: Settings, number: int, *, movie: bool) -> Source:
    """Return a task of the CVAT that params.yaml names; refuse one that cannot be a dataset.

    movie: whether its movie is to be fetched, too.
    """
    if not settings.cvat:
        text = "is missing, so there is no CVAT to ask; set it, or give --movie and --export"
        raise PipelineError(f"params.yaml: cvat.url: {text}")
    server = access.open_server(settings.cvat, partial(access.read_file, folder))
    messages.tell(f"ask CVAT for task {number}")
    with _named(number):
        try:
            task = _find_task(server, number, settings.cvat)
            known = tasks.read_movie(server, number) if movie else None
        except Refused as error:
            if error.status == 404:
                raise PipelineError("is not in CVAT; look at its number there") from None
            raise tasks.explain(error, server) from None
    return Source(server, task, settings.max_size, known)


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Say which task it is that an error is about."""
    try:
        yield
    except Transient as error:
        raise Transient(f"task {number}: {error}; nothing was changed, try again later") from None
    except PipelineError as error:
        raise PipelineError(f"task {number}: {error}") from None


def _find_task(server: Server, number: int, cvat: Cvat) -> Task:
    task = tasks.read_task(server, number)
    if cvat.when == "completed":
        task = tasks.count_jobs(server, [task])[number]
    if task.size is None:
        raise PipelineError("has no data yet; upload its movie in CVAT")
    if task.of_pictures:
        text = "is of pictures, and datasets are of movies; if these are a movie's frames"
        raise PipelineError(f"{text}, export it in CVAT and give --movie and --export")
    if undone := tasks.find_undone(task, cvat.when):
        messages.warn(f"task {number}: {undone}; what it has now is taken")
    return task
