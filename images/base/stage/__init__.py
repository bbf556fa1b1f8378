"""What every stage shares: command-line habits, errors, outputs, frame names, safe input."""
