"""Git, DVC and the remote that holds the data."""
