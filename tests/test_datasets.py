"""The images of a run are dataset inputs in MLflow, told apart by what they hold."""

from dataclasses import replace

from made_runs import small
from mlflow import MlflowClient

from sweep.store.datasets import dataset
from sweep.store.tracking import Tracker


def test_a_run_names_its_images_with_digest_and_split_once(tracker: Tracker) -> None:
    sweep = small()
    client = MlflowClient(tracking_uri=tracker.uri)
    for trial, splits in ((sweep.reference(), ["testing"]), (sweep.pretrain(0.003), ["testing", "training"])):
        for _ in range(2):  # a trial that is started again
            run = client.get_run(tracker.start(trial))
        found = sorted(run.inputs.dataset_inputs, key=lambda each: each.tags[0].value)
        assert [each.tags[0].value for each in found] == splits
        assert {each.dataset.name for each in found} == {"drawn"}
        assert found[0].dataset.digest == dataset(sweep.data, "test").digest


def test_other_images_have_another_digest() -> None:
    data = small().data
    digests = {
        dataset(data, "test").digest,
        dataset(data, "train").digest,
        dataset(replace(data, seed=1), "test").digest,
    }
    assert len(digests) == 3
