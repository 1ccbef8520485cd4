"""Findings, on worlds where the answer is known."""

import made_store
import numpy as np
import pytest

from analysis.best import best_pair
from analysis.findings import discordant, findings
from analysis.sweep_data import SweepData


@pytest.fixture(scope="module")
def made():
    return made_store.world(made_store.points())


def test_discordant_pairs_are_counted_without_ties():
    assert discordant(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == (0, 3)
    assert discordant(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 2.0])) == (2, 2)


def test_every_finding_is_told_with_numbers(made):
    data = SweepData(*made)
    found = findings(data, best_pair(data))
    assert len(found) == 4
    assert all(any(letter.isdigit() for letter in each.text) for each in found)


def test_a_sweep_of_one_point_has_no_findings_and_no_crash():
    points, rows = made_store.world(made_store.points()[:1])
    assert findings(SweepData(points, rows), None) == []
