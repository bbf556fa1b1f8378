"""From the branches that CVAT pushes to one commit on the default branch."""
