"""The schema of a run: tags and parameters of a trial in the tracking store, and the record that is read from them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.spec.trials import CHECKPOINTS, LEARNED, Kind, Trial
from tfic.config import LMBDA_SHARE
from tfic.strict import first_names

if TYPE_CHECKING:
    from mlflow.entities import Run  # a second of import, for who has a store

STORED_KINDS = {kind: str(kind) for kind in Kind} | {Kind.INTERMEDIATE: "candidate"}
"""Kinds of trials as the tag `kind` spells them."""
COST = "trained"
"""Tag of a run whose codec is in it, measured or not: the cost of the training."""
SPENT = "spent_hours"
"""Tag of a training: the GPU-hours of its attempts so far, those that failed or were cut off included."""
INTERMEDIATE_STEPS = "kept"
"""Tag of a training: the steps of its intermediate checkpoints, between commas."""


@dataclass(frozen=True)
class Record:
    """One trial as the store holds it."""

    key: str
    """The trial's key."""
    kind: Kind | None
    """The trial's kind; None for one that this version does not know."""
    finished: bool
    """True if all its metrics and files are logged."""
    lmbda: float = 0.0
    """Weight of distortion; 0 for the kinds that train nothing."""
    gamma: float = 0.0
    """Weight of reading; 0 for the kinds without stage 2."""
    proposed: bool = False
    """True if Optuna proposed it, beyond the grid."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics by name; empty unless finished."""
    lmbda_share: float = 0.0
    """Share of lambda that its stage 2 kept."""
    running: bool = False
    """True if the store has it as RUNNING: it runs, or its driver was killed."""
    reason: str = ""
    """The reason why it failed or was stopped by a rule; else ""."""
    stopped: bool = False
    """True if a stop rule ended it."""
    intermediate_steps: tuple[int, ...] = ()
    """Steps of its stage at which it wrote an intermediate checkpoint."""
    decides: Mapping[str, Any] = field(default_factory=dict)
    """Everything that decides its key; empty for runs of versions that did not store it."""
    run_id: str = ""
    """Its run in the store."""
    trained_hours: float | None = None
    """GPU-hours of its training, where its codec is in its run already and is still to be measured; else None."""
    spent_hours: float = 0.0
    """GPU-hours that it has cost so far, in all attempts."""


def tags(trial: Trial, sweep: str, proposed: bool) -> dict[str, str]:
    """The first tags of a trial's run."""
    found = {
        "trial_key": trial.key,
        "kind": STORED_KINDS[trial.kind],
        "sweep": sweep,
        "decides": json.dumps(trial.decides),
    }
    found |= {"parent": trial.parent} if trial.parent else {}
    found |= {"proposed": "true"} if proposed else {}
    return found


def params(trial: Trial) -> dict[str, str]:
    """Parameters of the trial's run: codec, lmbda, gamma or quality, then its settings as `train.batch`."""
    config = asdict(trial.config)
    learned = trial.kind in LEARNED
    found = {"codec": trial.config.codec}
    if learned:
        found |= {"lmbda": str(trial.config.lmbda), "gamma": str(trial.config.gamma)}
    if trial.config.warm_lmbda:
        found["warm_lmbda"] = str(trial.config.warm_lmbda)
    if trial.kind is Kind.CLASSICAL:
        found["quality"] = str(trial.quality)
    if trial.kind in CHECKPOINTS:
        found["step"] = str(trial.step)
    for table in ("data", "train", "eval") if learned else ("data", "eval"):
        first = first_names(type(getattr(trial.config, table)))
        found |= {f"{table}.{first.get(name, name)}": str(value) for name, value in config[table].items()}
    return found


def record(run: "Run") -> Record:
    """The record of a run's trial."""
    tagged, settings = run.data.tags, run.data.params
    kinds = {stored: kind for kind, stored in STORED_KINDS.items()}
    finished = run.info.status == "FINISHED"
    trained = None if finished or COST not in tagged else json.loads(tagged[COST]).get("gpu_hours", 0.0)
    spent = run.data.metrics.get("gpu_hours", 0.0) if finished else float(tagged.get(SPENT, 0))
    return Record(
        key=tagged["trial_key"],
        kind=kinds.get(tagged.get("kind", "")),
        finished=finished,
        lmbda=float(settings.get("lmbda", 0)),
        gamma=float(settings.get("gamma", 0)),
        proposed="proposed" in tagged,
        metrics=dict(run.data.metrics) if finished else {},
        lmbda_share=float(settings.get(LMBDA_SHARE, 0)),
        running=run.info.status == "RUNNING",
        reason=tagged.get("failure", tagged.get("stopped", "")),
        stopped="stopped" in tagged,
        intermediate_steps=tuple(int(step) for step in tagged.get(INTERMEDIATE_STEPS, "").split(",") if step),
        decides=json.loads(tagged.get("decides", "{}")),
        run_id=run.info.run_id,
        trained_hours=trained,
        spent_hours=spent if trained is None else trained,
    )
