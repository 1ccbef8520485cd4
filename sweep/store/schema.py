"""A trial as the tracking store knows it: all that a sweep needs to go on, to grow, and to say why."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.spec.trials import LEARNED, Trial
from tfic.config import TrainConfig, first_names

if TYPE_CHECKING:
    from mlflow.entities import Run  # a second of import, for who has a store

LMBDA_SHARE = f"train.{first_names(TrainConfig)['lmbda_share']}"
"""Parameter of a run: the share of lambda that stage 2 kept, under the setting's first name."""


@dataclass(frozen=True)
class Record:
    """What the store holds of one trial."""

    key: str
    """The trial's key."""
    kind: str
    """The trial's kind."""
    finished: bool
    """Whether everything is measured and logged."""
    lmbda: float = 0.0
    """Weight of distortion; 0 for the kinds that train nothing."""
    gamma: float = 0.0
    """Weight of reading; 0 for the kinds without stage 2."""
    proposed: bool = False
    """Whether Optuna proposed it, beyond the grid."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics by name; empty unless finished."""
    lmbda_share: float = 0.0
    """Share of lambda that its stage 2 kept."""
    running: bool = False
    """Whether the store calls it running: it is, or its driver died."""
    reason: str = ""
    """Why it failed or was stopped by a rule, or ""."""
    stopped: bool = False
    """Whether a stop rule ended it."""
    kept: tuple[int, ...] = ()
    """Steps of stage 2 at which it kept its codec on the way."""
    decides: Mapping[str, Any] = field(default_factory=dict)
    """What decided its key; empty for runs of versions that did not write it down."""
    run_id: str = ""
    """Its run in the store."""


def tags(trial: Trial, sweep: str, proposed: bool) -> dict[str, str]:
    """Tags with which the run of a trial begins."""
    found = {"trial_key": trial.key, "kind": trial.kind, "sweep": sweep, "decides": json.dumps(trial.decides)}
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
    if trial.kind == "classical":
        found["quality"] = str(trial.quality)
    if trial.kind == "candidate":
        found["step"] = str(trial.step)
    for table in ("data", "train", "eval") if learned else ("data", "eval"):
        first = first_names(type(getattr(trial.config, table)))
        found |= {f"{table}.{first.get(name, name)}": str(value) for name, value in config[table].items()}
    return found


def record(run: "Run") -> Record:
    """What a run of the store says of its trial."""
    tagged, settings = run.data.tags, run.data.params
    finished = run.info.status == "FINISHED"
    return Record(
        key=tagged["trial_key"],
        kind=tagged.get("kind", ""),
        finished=finished,
        lmbda=float(settings.get("lmbda", 0)),
        gamma=float(settings.get("gamma", 0)),
        proposed="proposed" in tagged,
        metrics=dict(run.data.metrics) if finished else {},
        lmbda_share=float(settings.get(LMBDA_SHARE, 0)),
        running=run.info.status == "RUNNING",
        reason=tagged.get("failure", tagged.get("stopped", "")),
        stopped="stopped" in tagged,
        kept=tuple(int(step) for step in tagged.get("kept", "").split(",") if step),
        decides=json.loads(tagged.get("decides", "{}")),
        run_id=run.info.run_id,
    )
