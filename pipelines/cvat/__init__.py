"""CVAT of today: its tasks are asked for, and their exports become branches that are published."""
