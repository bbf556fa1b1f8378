"""What params.yaml and dvc.yaml say: datasets, labels, splits."""
