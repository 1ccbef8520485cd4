"""The columns that MLflow's page of a sweep shows: a view that is kept with the sweep and has a link.

MLflow keeps the views that people share as tags of the experiment, `mlflow.sharedViewState.KEY`, and shows the one of
`?viewStateShareKey=KEY`. Tried with MLflow 3.17; a later one that does not know the tag shows its own columns.
"""

KEY = "tfic"
"""Name of the view."""
TAG = f"mlflow.sharedViewState.{KEY}"
"""Tag of the experiment that holds it."""
COLUMNS = {
    "tags": ("kind",),
    "params": ("codec", "lmbda", "gamma", "quality"),
    "metrics": ("bpp", "accuracy", "accuracy_heldout", "psnr_db", "encode_ms", "gpu_hours"),
}
"""Tags, parameters and metrics of a run that are columns."""


def state() -> dict[str, object]:
    """The view: these columns, by rising rate."""
    columns = [f"{kind}.`{name}`" for kind, names in COLUMNS.items() for name in names]
    return {"orderByKey": "metrics.`bpp`", "orderByAsc": True, "selectedColumns": columns}


def link(server: str, experiment: str) -> str:
    """Address of the view on a server."""
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?viewStateShareKey={KEY}"
