"""A report of a large sweep stays a file that a mail takes, whatever its pictures are."""

import json
import math
import re

import made_store
import pytest
from made_store import Made
from mlflow import MlflowClient

from analysis import explore, report, runs
from analysis.pictures import LARGEST_PX

LIMIT_BYTES = 15_000_000


def many(count: int) -> list[Made]:
    """So many fine-tunings, their baselines, classical codecs and the original."""
    made = [each for each in made_store.points() if each.kind != "finetune"]
    for number in range(count):
        lmbda = (0.001, 0.003, 0.01)[number % 3]
        bpp, skill = 0.1 * 1.006**number, 2 * math.sin(number)
        key = f"finetune-{number:04d}"
        made.append(Made(key, "finetune", "tic-tiny", bpp, skill, skill - 1, 20.0, lmbda, 0.1 + number / count, None,
                         f"pretrain-l{lmbda:g}"))  # fmt: skip
    return made


@pytest.mark.slow
def test_three_hundred_trials_with_noise_for_pictures_make_less_than_15_mb(tmp_path, laid_out):
    uri = laid_out(tmp_path / "mlflow.db")
    made = many(300)
    made_store.log_sweep(MlflowClient(tracking_uri=uri), "demo", made, tmp_path / "made", 0, noise_px=LARGEST_PX)
    page = report.page(runs.load(uri, "demo"))
    assert len(page.encode()) < LIMIT_BYTES
    found = json.loads(re.search(r'id="explore-data">(.*?)</script>', page, flags=re.DOTALL)[1])
    assert len(found["codecs"]) == len(made)
    (only,) = found["pages"]
    looks = only["looks"]
    size = sum(len(look["src"].partition(",")[2]) * 3 // 4 for look in looks.values())
    assert 0.95 * explore.LARGEST_BYTES < size <= explore.LARGEST_BYTES
    assert "uncompressed" in looks
    assert len(looks) < len(made)
    assert f"Of the first page {len(looks)} of {len(made)} codecs have one here" in re.sub(r"\s+", " ", page)
    learned = next(look for key, look in looks.items() if key.startswith("finetune"))
    assert (len(learned["bits"]), len(learned["bits"][0])) == (LARGEST_PX // 16, LARGEST_PX // 16)
