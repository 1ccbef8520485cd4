"""A large sweep is drawn in part, and the report says which."""

import numpy as np
import pandas as pd

from analysis.drawn import drawn, sentence


def sweep(count: int) -> pd.DataFrame:
    """Fine-tunings whose accuracy is noise, a baseline and a classical codec."""
    rng = np.random.default_rng(0)
    kinds = ["pretrain", "classical", *["finetune"] * count]
    size = len(kinds)
    return pd.DataFrame(
        {"trial_key": [f"{i:05d}" for i in range(size)], "kind": kinds, "bpp": rng.uniform(0.05, 1, size)}
        | {name: rng.uniform(0, 1, size) for name in ("accuracy", "accuracy_heldout", "psnr_db")}
    )


def test_a_sweep_within_the_limit_is_drawn_whole_and_nothing_is_said():
    points = sweep(30)
    assert drawn(points, limit=30) is points
    assert sentence(points, points) == ""


def test_of_a_larger_one_the_best_at_each_rate_are_drawn_and_some_of_the_rest():
    points = sweep(500)
    shown = drawn(points, limit=100)
    tuned, rest = (each[each["kind"] == "finetune"] for each in (shown, points.drop(shown.index)))
    assert len(tuned) == 100
    assert len(shown) == 102
    for metric in ("accuracy", "accuracy_heldout", "psnr_db"):
        best = points[points["kind"] == "finetune"].sort_values("bpp")
        on_front = best[best[metric] > best[metric].cummax().shift(fill_value=-1.0)]
        assert set(on_front["trial_key"]) <= set(tuned["trial_key"]), metric
    assert tuned["bpp"].max() - tuned["bpp"].min() > 0.9
    assert tuned["accuracy"].mean() > rest["accuracy"].mean() + 0.1
    assert "Of 502 codecs 102 are drawn" in sentence(points, shown)
    assert "100 fine-tunings" in sentence(points, shown)
