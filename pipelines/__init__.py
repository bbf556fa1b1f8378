"""What runs on the host and in CI: `python -m pipelines`."""
