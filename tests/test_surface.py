"""The response surface finds a quadratic, and importance finds the setting that matters."""

import numpy as np
import pandas as pd
import pytest

from analysis.surface import fit, grid, importance, settings_of


def sweep(count=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"lmbda": np.exp(rng.uniform(-7, -3, count)), "gamma": np.exp(rng.uniform(-3, 2, count)),
                         "lmbda_share": rng.choice([0.0, 1.0], count)})  # fmt: skip


def test_a_quadratic_is_found_and_drawn_exactly():
    tuned = sweep()
    names, settings = settings_of(tuned)
    lmbda, gamma = settings.T
    surface = fit(names, settings, 0.1 * lmbda - 0.02 * lmbda**2 + 0.3 * gamma + 0.01 * lmbda * gamma)
    assert surface.explained == pytest.approx(1)
    lmbdas, gammas, values = grid(surface, settings)
    x, y = np.log(lmbdas[3]), np.log(gammas[7])
    assert values[7, 3] == pytest.approx(0.1 * x - 0.02 * x**2 + 0.3 * y + 0.01 * x * y)


def test_the_setting_that_decides_is_the_important_one_and_parts_sum_to_one():
    tuned = sweep()
    names, settings = settings_of(tuned)
    assert names == ("lmbda", "gamma")
    surface = fit(names, settings, 3 * settings[:, 0] + 0.1 * settings[:, 1])
    found = importance(surface, settings)
    assert sum(found.values()) == pytest.approx(1)
    assert found["lmbda"] > 0.9 > found["gamma"] > 0
    alone = importance(fit(names, settings, 3 * settings[:, 0]), settings)
    assert alone["gamma"] < 1e-6


def test_too_few_codecs_or_a_measure_that_does_not_vary_have_no_surface():
    names, settings = settings_of(sweep(7))
    assert fit(names, settings, np.arange(7.0)) is None
    names, settings = settings_of(sweep())
    assert fit(names, settings, np.ones(60)) is None
