"""Trained codecs on disk and in MLflow: written, found by name, exported."""
