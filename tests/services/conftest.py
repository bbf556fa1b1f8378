"""The services, for the tests of the services."""

from services.fixtures import (
    azurite,
    container,
    container_registry,
    cvat_server,
    git_server,
    hostile_branches,
)

__all__ = [
    "azurite",
    "container",
    "container_registry",
    "cvat_server",
    "git_server",
    "hostile_branches",
]
