"""Reading a database of runs at once gives what MLflow gives run by run."""

from mlflow import MlflowClient

from analysis import records


def test_a_database_and_a_server_are_read_alike(tracking_uri):
    client = MlflowClient(tracking_uri=tracking_uri)
    experiment = client.get_experiment_by_name("demo").experiment_id
    (deleted, *_) = [run for run in client.search_runs([experiment]) if run.info.status == "FAILED"]
    client.delete_run(deleted.info.run_id)
    at_once = {run.run_id: run for run in records.read(client, tracking_uri, experiment)}
    paged = {run.run_id: run for run in records.read(client, "http://server:5000", experiment)}
    client.restore_run(deleted.info.run_id)
    assert at_once == paged
    assert deleted.info.run_id not in at_once
    assert len(at_once) == 19
