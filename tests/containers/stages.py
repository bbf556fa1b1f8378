"""Which images there are, by their Dockerfiles: a new one is tested without being named here."""

from registries import PROJECT

DOCKERFILES = {
    path.parent.name: path.read_text("utf-8") for path in PROJECT.glob("images/*/Dockerfile")
}

PARENTS = sorted(name for name, text in DOCKERFILES.items() if "\nENTRYPOINT" not in text)
"""Images that others are built from; they have no command."""

STAGES = sorted(
    name
    for name, text in DOCKERFILES.items()
    if name not in PARENTS and "ARG PROJECT_FOLDER" not in text
)
"""Images of stages. What else has a command is built from another folder of the project, too: it
holds the tools of the host."""
