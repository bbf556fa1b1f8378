"""What a machine needs to work on a registry."""
