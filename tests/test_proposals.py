"""Optuna proposes points that are new, from what is known, also after a restart; a target names a winner."""

import math
import random
from itertools import pairwise

import pytest
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweep.search.proposals import Point, Proposals
from sweep.spec.target import Target, objectives

LMBDAS = (0.001, 0.003, 0.01)
GAMMAS = (0.1, 10.0)


def measured(point: Point) -> dict[str, float]:
    """A smooth surface: more bits for a larger lambda, better reading and lower PSNR for a larger gamma."""
    bpp = 0.05 + 20 * point.lmbda + 0.01 * math.log(point.gamma) + 0.01 * point.lmbda_share
    accuracy = 1 - math.exp(-(3 + math.log(1 + point.gamma)) * 4 * bpp)
    return {
        "bpp": bpp,
        "accuracy": accuracy,
        "psnr_db": 30 + 10 * bpp - (1 - point.lmbda_share) * math.log(1 + point.gamma),
    }


def chance(count: int, seed: int = 0) -> list[Point]:
    rng = random.Random(seed)
    return [Point(rng.choice(LMBDAS), float(f"{rng.uniform(*GAMMAS):.3g}"), 0.0) for _ in range(count)]


def asked(proposals: Proposals) -> Point:
    point = proposals.propose()
    assert point is not None
    return point


def test_every_proposal_is_new_and_within_the_space() -> None:
    proposals = Proposals(LMBDAS, GAMMAS, (0.0, 0.5))
    grid = {Point(lmbda, gamma, share) for lmbda in LMBDAS for gamma in GAMMAS for share in (0.0, 0.5)}
    for point in grid:
        proposals.tell(point, measured(point))
    found: list[Point] = []
    for _ in range(20):
        found.append(asked(proposals))
        proposals.tell(found[-1], measured(found[-1]))
    assert len(set(found)) == 20
    assert not grid & set(found)
    assert all(point.lmbda in LMBDAS and 0.1 <= point.gamma <= 10 and 0 <= point.lmbda_share <= 0.5 for point in found)
    assert all(point.gamma == float(f"{point.gamma:.3g}") for point in found)


def test_one_share_is_no_axis_and_several_are_a_range() -> None:
    assert {asked(Proposals(LMBDAS, GAMMAS, (0.2,), seed)).lmbda_share for seed in range(5)} == {0.2}
    shares = {asked(Proposals(LMBDAS, GAMMAS, (0.0, 1.0), seed)).lmbda_share for seed in range(5)}
    assert shares - {0.0, 1.0}


def test_without_a_pretrained_lambda_there_is_nothing_to_propose_until_one_comes() -> None:
    proposals = Proposals((), GAMMAS)
    assert proposals.propose() is None
    proposals.pretrained(0.003)
    assert asked(proposals).lmbda == 0.003


def test_the_pretrained_lambdas_may_grow_between_proposals() -> None:
    proposals = Proposals(LMBDAS[:1], GAMMAS)
    for point in chance(12):
        proposals.tell(point, measured(point))
    assert asked(proposals).lmbda == LMBDAS[0]
    proposals.pretrained(LMBDAS[2])
    proposals.pretrained(LMBDAS[1])
    assert len({asked(proposals).lmbda for _ in range(12)}) > 1


def test_the_same_knowledge_and_seed_propose_the_same_after_a_restart() -> None:
    def proposed(seed: int) -> Point:
        proposals = Proposals(LMBDAS, GAMMAS, seed=seed)
        for point in chance(8):
            proposals.tell(point, measured(point))
        return asked(proposals)

    assert proposed(3) == proposed(3)
    assert proposed(3) != proposed(4)


def test_a_restart_that_knows_more_does_not_repeat_the_first_draw() -> None:
    first = Proposals(LMBDAS, GAMMAS)
    point = asked(first)
    second = Proposals(LMBDAS, GAMMAS)
    second.tell(point, {"accuracy": math.nan})
    assert asked(second) != point


def test_several_open_proposals_are_spread() -> None:
    proposals = Proposals((0.003,), GAMMAS)
    for point in (Point(0.003, gamma) for gamma in (0.1, 0.3, 1.0, 3.0, 10.0)):
        proposals.tell(point, measured(point))
    logs = sorted(math.log(asked(proposals).gamma) for _ in range(8))
    assert len(set(logs)) == 8
    assert logs[-1] - logs[0] > 0.5 * math.log(100), "eight slots would all train the same spot"


@pytest.mark.parametrize("metrics", [{}, {"bpp": math.nan, "accuracy": 0.5, "psnr_db": 30.0}, {"bpp": 0.1}])
def test_a_result_without_finite_objectives_teaches_nothing_and_is_not_proposed_again(
    metrics: dict[str, float],
) -> None:
    proposals = Proposals(LMBDAS, GAMMAS)
    for point in chance(6):
        proposals.tell(point, measured(point))
    point = asked(proposals)
    proposals.tell(point, metrics)
    assert not proposals.open
    assert point not in {asked(proposals) for _ in range(10)}


def test_a_failed_point_is_not_proposed_again() -> None:
    proposals = Proposals((0.003,), (1.0, 1.02))
    point = asked(proposals)
    proposals.fail(point)
    assert not proposals.open
    found = set()
    while (other := proposals.propose()) is not None:
        found.add(other)
    assert point not in found


def test_an_exhausted_range_ends_the_search() -> None:
    proposals = Proposals((0.003,), (1.0, 1.02))
    found = []
    while (point := proposals.propose()) is not None:
        found.append(point.gamma)
    assert sorted(found) == [1.0, 1.01, 1.02]


def test_points_outside_the_space_are_known_but_teach_nothing() -> None:
    proposals = Proposals((0.003,), GAMMAS)
    for point in (Point(0.5, 1.0), Point(0.003, 100.0), Point(0.003, 1.0, 0.7)):
        proposals.mark_running(point)
        assert asked(proposals).lmbda == 0.003
        proposals.tell(point, measured(point))
        assert asked(proposals).lmbda == 0.003


def test_of_too_many_results_a_study_begins_with_some_from_the_best_to_the_worst() -> None:
    proposals = Proposals(LMBDAS, GAMMAS, max_observations=20)
    points = [Point(LMBDAS[i % 3], 0.1 + 0.01 * i) for i in range(200)]
    for i, point in enumerate(points):  # each beats all after it
        proposals.tell(point, {"bpp": 0.1 + i / 1000, "accuracy": 0.9 - i / 1000, "psnr_db": 30.0})
    shown = proposals.training_subset()
    assert len(shown) == 20
    assert {points[0], points[-1]} < set(shown)
    steps = [points.index(after) - points.index(before) for before, after in pairwise(shown)]
    assert max(steps) - min(steps) <= 1


def test_a_study_that_grew_too_large_is_made_anew_and_nothing_is_proposed_twice() -> None:
    proposals = Proposals(LMBDAS, GAMMAS, max_observations=5)
    found = []
    for _ in range(30):
        found.append(asked(proposals))
        proposals.tell(found[-1], measured(found[-1]))
    assert len(set(found)) == 30
    assert len(proposals.training_subset()) == 5


def test_no_point_stays_running_in_the_study_once_it_has_ended() -> None:
    running: list[int] = []

    class Witness(RandomSampler):
        def before_trial(self, study: Study, trial: FrozenTrial) -> None:
            running.append(len(study.get_trials(states=(TrialState.RUNNING,))) - 1)

    proposals = Proposals(LMBDAS, GAMMAS, sampler=lambda seed: Witness(seed=seed))
    for end in (lambda point: proposals.tell(point, measured(point)), lambda point: proposals.tell(point, {})):
        end(asked(proposals))
    proposals.fail(asked(proposals))
    held = Point(LMBDAS[0], 1.23)
    proposals.mark_running(held)
    asked(proposals)
    proposals.tell(held, {"bpp": math.inf})
    asked(proposals)
    assert running == [0, 0, 0, 1, 1]


def test_a_proposal_is_rounded_but_never_out_of_the_range() -> None:
    low, high = 0.12345, 0.12349
    point = asked(Proposals((0.003,), (low, high), (0.333, 0.334)))
    assert low <= point.gamma <= high
    assert 0.333 <= point.lmbda_share <= 0.334


def test_what_is_under_way_ends_however_the_study_changed_meanwhile() -> None:
    proposals = Proposals(LMBDAS[:2], GAMMAS)
    first, second = asked(proposals), asked(proposals)
    proposals.pretrained(LMBDAS[2])
    third = asked(proposals)
    proposals.tell(first, measured(first))
    proposals.fail(second)
    proposals.tell(third, {})
    assert not proposals.open
    assert asked(proposals) not in {first, second, third}


@pytest.mark.parametrize(
    ("text", "metrics", "holds"),
    [
        ("accuracy>=0.95", {"accuracy": 0.95}, True),
        ("accuracy >= .95", {"accuracy": 0.949}, False),
        ("psnr_db>=30", {"psnr_db": 31.0}, True),
        ("bpp<=0.3", {"bpp": 0.31}, False),
        ("bpp<=0.3", {}, False),
        ("bpp<=0.3", {"bpp": math.nan}, False),
    ],
)
def test_a_target_holds_or_not(text: str, metrics: dict[str, float], holds: bool) -> None:
    assert Target.parse(text).holds(metrics) is holds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy", "must be of the form accuracy>=0.95, psnr_db>=30 or bpp<=0.3"),
        ("accuracy>0.95", "must be of the form"),
        ("acuracy>=0.95", "names 'acuracy'"),
        ("accuracy<=0.95", "better high; write accuracy>=0.95"),
        ("bpp>=0.3", "better low; write bpp<=0.3"),
        ("accuracy>=95", "cannot be held; accuracy must be above 0, at most 1"),
        ("bpp<=0", "cannot be held"),
        ("psnr_db>=inf", "cannot be held"),
        ("psnr_db>=30dB", "'30dB' is not a number"),
    ],
)
def test_a_bad_target_says_what_is_wanted(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Target.parse(text)


def test_a_target_is_written_as_it_is_read() -> None:
    for text in ("accuracy>=0.95", "psnr_db>=30", "bpp<=0.3"):
        assert str(Target.parse(text)) == text


def test_the_best_is_the_cheapest_that_holds_or_the_best_reader_within_the_bits() -> None:
    results = {
        "cheap": {"bpp": 0.1, "accuracy": 0.8, "psnr_db": 25.0},
        "middle": {"bpp": 0.2, "accuracy": 0.95, "psnr_db": 28.0},
        "dear": {"bpp": 0.4, "accuracy": 0.97, "psnr_db": 31.0},
        "broken": {"bpp": math.nan, "accuracy": 0.99},
    }
    assert Target.parse("accuracy>=0.9").best(results) == "middle"
    assert Target.parse("psnr_db>=30").best(results) == "dear"
    assert Target.parse("bpp<=0.3").best(results) == "middle"
    assert Target.parse("accuracy>=0.98").best(results) is None


@pytest.mark.parametrize("text", ["accuracy>=0.9", "psnr_db>=31", "bpp<=0.3"])
def test_with_a_target_the_search_comes_nearer_to_it_than_chance(text: str) -> None:
    target = Target.parse(text)
    lmbdas = [0.001 * 1.3**i for i in range(12)]
    rng = random.Random(1)
    start = [Point(lmbda, gamma) for lmbda in (lmbdas[0], lmbdas[-1]) for gamma in GAMMAS]

    def cost(points: list[Point]) -> float:
        best = target.best({str(point): measured(point) for point in points})
        return math.inf if best is None else target.cost(measured(next(each for each in points if str(each) == best)))

    costs: list[float] = []
    for seed in range(4):
        proposals = Proposals(lmbdas, GAMMAS, seed=1000 * seed, target=target)
        for point in start:
            proposals.tell(point, measured(point))
        for _ in range(20):
            point = asked(proposals)
            proposals.tell(point, measured(point))
        costs.append(cost(list(proposals.results)))
    by_chance = [
        cost(start + [Point(rng.choice(lmbdas), float(math.exp(rng.uniform(-2.3, 2.3)))) for _ in range(20)])
        for _ in range(40)
    ]
    assert sum(costs) / len(costs) <= sum(by_chance) / len(by_chance)


def test_with_a_target_a_study_begins_with_results_on_both_sides_of_the_bound() -> None:
    proposals = Proposals(LMBDAS, GAMMAS, target=Target.parse("accuracy>=0.9"), max_observations=10)
    for i in range(100):
        gamma = 0.1 + 0.01 * i
        proposals.tell(Point(LMBDAS[0], gamma), {"bpp": gamma, "accuracy": 0.5 + 0.005 * i, "psnr_db": math.nan})
    held = [0.5 + 0.005 * round((point.gamma - 0.1) / 0.01) for point in proposals.training_subset()]
    assert 0 < sum(accuracy >= 0.9 for accuracy in held) < 10
    assert min(abs(accuracy - 0.9) for accuracy in held) < 0.006, "the cheapest that holds it is the first"


def test_the_objectives_are_those_of_the_front() -> None:
    assert objectives() == {"bpp": "minimize", "accuracy": "maximize", "psnr_db": "maximize"}
    assert list(objectives("detection_f1")) == ["bpp", "detection_f1", "psnr_db"]
