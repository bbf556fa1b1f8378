"""What the tests of containers and images share."""

import io
import tarfile
from collections.abc import Callable, Iterator

import docker
import pytest


@pytest.fixture
def build(engine: docker.DockerClient) -> Iterator[Callable[..., str]]:
    """Build an image of a Dockerfile and files, by their names; it is removed after the test."""
    made = []

    def build(dockerfile: str, mode: int = 0o644, **files: bytes) -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in {"Dockerfile": dockerfile.encode(), **files}.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), mode
                tar.addfile(info, io.BytesIO(content))
        buffer.seek(0)
        image, _ = engine.images.build(fileobj=buffer, custom_context=True, rm=True)
        made.append(image.id)
        return image.id

    yield build
    for image in made:
        engine.images.remove(image, force=True)
