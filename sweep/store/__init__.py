"""The tracking store: MLflow runs, their schema, retrying, and the lease of a driver."""
