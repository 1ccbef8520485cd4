"""A program: the waits for the GPU in steps of each stage, on a pretend one, as JSON.

python tests/census.py CODEC SIDE_PX STAGE [CODEC SIDE_PX STAGE ...]
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from pretend_gpu import Waits, counted, pretend_gpu

from tfic.codec import build
from tfic.config import Config
from tfic.data import train_pages
from tfic.recipes import recipe
from tfic.training import stages
from tfic.training.stages import Stage
from tfic.training.steps import Steps

WARM = 1
"""Steps before the one that is counted: what is kept on the device has been made then."""


@dataclass(frozen=True)
class Found:
    """What a stage asked of the GPU."""

    step: dict[str, int]
    """Waits in one step by place, most first."""
    sent: dict[str, int]
    """Bytes copied to the GPU in that step for which nothing waits, by place."""
    report: dict[str, int]
    """Waits when the terms are read."""
    means: dict[str, float]
    """Means of the terms over all steps."""
    operations: int
    """Operations of that step."""


def settings(codec: str, side_px: int) -> Config:
    """Settings of tiny with all terms of reading; `lite-vbr` is trained as the demo trains it, beside the detector."""
    tiny = recipe("tiny")
    train = replace(
        tiny.train,
        pretrain_average=1.0,
        crop_height_px=side_px,
        crop_width_px=side_px,
        finetune_steps=20,  # takes as many crops as there are images, so that the GPU holds these
        tasks="reading+detection",
        reading="ctc+features+logits",
        rest_distortion=0.1,
        lmbda_share=1.0,
    )
    if codec == "lite-vbr":
        train = replace(train, whole_range=True, learns="encoder", reading="features", tasks="reading+0.5*detection")
    return replace(tiny, codec=codec, lmbda=0.01, gamma=1.0, train=train)


def take(stage: Stage, config: Config, device: torch.device) -> Found:
    torch.manual_seed(0)
    codec = build(config.codec)
    if config.train.learns == "encoder":
        codec.freeze_decoder()
    steps = Steps(stage, codec.to(device), 1.0)
    for step in range(WARM):
        steps.take(step)
    with counted() as step_waits:
        steps.take(WARM)
    with counted() as report_waits:
        means = steps.means()
    return Found(by_place(step_waits), dict(step_waits.sent), by_place(report_waits), means, step_waits.operations)


def by_place(waits: Waits) -> dict[str, int]:
    return {f"{kind} at {line}": count for (kind, line), count in waits.found.most_common()}


def main(arguments: Sequence[str]) -> None:
    torch.set_num_threads(1)
    found = {}
    with pretend_gpu() as device:  # before the first backward pass, which learns what devices there are
        for codec, side_px, name in zip(*[iter(arguments)] * 3, strict=True):
            config = settings(codec, int(side_px))
            stage = getattr(stages, name)(config, train_pages(config.data))
            here, there = (take(stage, config, each) for each in (torch.device("cpu"), device))
            found[f"{codec} {name}"] = {"cpu": asdict(here), "gpu": asdict(there)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
