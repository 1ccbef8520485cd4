"""One line per event, at a readable pace, and a time left that is honest about what is not known."""

import pytest

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.resources import Slot, Slots
from sweep.search.front import table
from sweep.search.progress import ProgressLines, duration
from sweep.search.search import Search
from sweep.spec.presets import preset
from sweep.spec.trials import Trial

POINT = {"bpp": 0.125, "accuracy": 0.7, "psnr_db": 15.0, "seconds": 60.0}


class Told:
    """A progress with a clock set by hand and the lines it wrote."""

    def __init__(self, slots: int = 1) -> None:
        self.now, self.lines = 0.0, list[str]()
        self.search = Search(preset("tiny"))
        capacity = Capacity(Slots(Slot(1), Slot(1), Slot(1)), slots, list)
        self.progress = ProgressLines(self.search, capacity, self.lines.append, lambda: self.now)

    def start(self) -> Trial:
        trial = self.search.ask()
        assert isinstance(trial, Trial)
        self.progress.asked(trial, waits=False)
        self.progress.started(trial)
        return trial

    def end(self, trial: Trial, seconds: float = 60.0) -> None:
        metrics = POINT | {"seconds": seconds}
        self.search.tell(trial.key, metrics)
        self.progress.finished(trial, metrics)


def step(number: int, seconds_left: float = 100.0) -> dict[str, object]:
    return {"stage": "pretrain", "step": number, "steps": 20, "bpp": 0.25, "loss": 3.5, "seconds_left": seconds_left}


def test_a_line_says_which_trial_of_how_many_what_and_how_far() -> None:
    told = Told()
    told.end(told.start())
    trial = told.start()
    told.progress.update(trial, step(4))
    assert told.lines[0].startswith("[1/6] uncompressed ")
    assert told.lines[1].split("  (")[0].endswith("done in 0 s: bpp 0.125  accuracy 0.700  PSNR 15.00 dB")
    assert told.lines[3].startswith("[2/6] pretrain lmbda 0.003 ")
    assert "pretrain step 4 of 20  bpp 0.250  loss 3.5" in told.lines[3]


def test_steps_are_not_told_more_often_than_one_can_read_but_the_last_is() -> None:
    told = Told()
    told.end(told.start())
    trial = told.start()
    before = len(told.lines)
    for number in range(1, 21):
        told.now += 1
        told.progress.update(trial, step(number))
    steps = [line.split("step ")[1].split(" of")[0] for line in told.lines[before:]]
    assert steps == ["1", "11", "20"]


def test_a_trial_that_waits_for_a_machine_has_not_started_and_its_waiting_is_no_work() -> None:
    told = Told()
    trial = told.search.ask()
    assert isinstance(trial, Trial)
    told.progress.asked(trial, waits=True)
    assert [line.split(" ", 2)[2].strip() for line in told.lines] == ["waits for a machine"]
    told.now = 7200.0
    told.progress.started(trial)
    assert told.lines[-1].endswith(" starts")
    told.now += 50
    told.progress.started(trial)  # in the slot in which it is measured
    assert len(told.lines) == 2
    told.end(trial)
    assert "done in 50 s: " in told.lines[-1]


def test_the_time_left_is_a_bound_until_every_kind_has_been_seen() -> None:
    told = Told()
    for _ in range(2):
        told.end(told.start())
    tuned = told.start()
    assert tuned.kind == "finetune"
    assert told.progress.left() == ""
    told.end(tuned, seconds=90)
    told.end(told.start(), seconds=30)
    assert told.progress.left() == "60 s"


def test_slots_share_the_work_but_the_longest_trial_decides_the_end() -> None:
    told = Told(slots=2)
    for _ in range(3):
        told.end(told.start(), seconds=10)
    told.end(told.start(), seconds=10)
    assert told.progress.left() == "10 s"
    told.start()
    told.now += 4
    assert told.progress.left() == "8 s"


def test_a_failure_is_told_with_its_reason_and_whether_it_is_tried_again() -> None:
    told = Told()
    for attempt in ("; tried again, 1 of 2", "; tried again, 2 of 2", ""):
        trial = told.start()
        again = told.search.fail(trial.key, "out of luck")
        told.progress.failed(trial, "out of luck", again)
        assert told.lines[-1].endswith(f"FAILED: out of luck{attempt}")
        assert told.lines[-1].startswith("[1/6]")


def test_the_table_shows_the_front_from_the_fewest_bits_up() -> None:
    told = Told()
    for accuracy in (0.95, 0.4, 0.8, 0.3, 0.2, 0.1):
        trial = told.start()
        bpp = 24.0 if trial.kind == "uncompressed" else 0.1 + accuracy
        told.search.tell(trial.key, {"bpp": bpp, "accuracy": accuracy} | ({"psnr_db": 20.0} if bpp < 24 else {}))
    lines = table(told.search)
    assert lines[0].split() == ["kind", "lmbda", "gamma", "bpp", "accuracy", "PSNR", "dB"]
    assert [line.split()[0] for line in lines[1:]] == ["avif", "webp", "jpeg", "pretrain", "finetune", "uncompressed"]
    assert lines[-1].split() == ["uncompressed", "-", "-", "24.000", "0.950", "-"]
    assert lines[-2].split() == ["finetune", "0.003", "1", "0.900", "0.800", "20.00"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (5940, "99 min"), (7500, "2 h 5 min")]
)
def test_a_duration_is_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
