"""The tracking store: MLflow runs, their schema, the store's address, retrying, and the lease of a driver."""
