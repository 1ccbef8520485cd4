"""cluster.yaml is what Ray's launcher takes, and none of its harmful defaults come back."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).parent.parent / "cluster.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    """The file with Ray's defaults filled in."""
    prepared: dict[str, Any] = prepare_config(yaml.safe_load(FILE.read_text()))
    return prepared


def test_ray_takes_the_file(config: dict[str, Any]) -> None:
    validate_config(config)
    with pytest.raises(Exception, match="max_worker_count"):  # so the check does check
        validate_config(config | {"max_worker_count": 1})


def test_the_head_runs_no_trials_and_gpu_workers_are_spot_from_none_up(config: dict[str, Any]) -> None:
    head, gpu = (config["available_node_types"][name] for name in ("head", "gpu"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert (gpu["min_workers"], gpu["resources"]["GPU"]) == (0, 1)
    assert 0 < gpu["max_workers"] <= config["max_workers"]
    assert gpu["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_every_node_has_the_same_image_and_the_pinned_packages_and_no_nightly_ray(config: dict[str, Any]) -> None:
    images = {node["node_config"]["ImageId"] for node in config["available_node_types"].values()}
    assert len(images) == 1
    commands = config["setup_commands"]
    assert any("-c ~/tfic-sweep/constraints.txt" in command for command in commands)
    assert not any("wheel" in command or "whl" in command for command in commands)
    started = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    assert all("~/venv/bin/ray" in command for command in started)


def test_nothing_listens_to_the_world(config: dict[str, Any]) -> None:
    assert "0.0.0.0" not in yaml.safe_dump(config)
    assert any("--dashboard-host=127.0.0.1" in command for command in config["head_start_ray_commands"])
    for node in config["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"], "without one Ray makes a group that opens ssh to all"


def test_stopped_nodes_do_not_stay_on_the_bill(config: dict[str, Any]) -> None:
    assert config["provider"]["cache_stopped_nodes"] is False


def test_settings_of_aws_are_names_that_aws_knows(config: dict[str, Any]) -> None:
    """Ray checks nothing inside `provider` and `node_config`."""
    assert set(config["provider"]) <= {"type", "region", "availability_zone", "cache_stopped_nodes"}
    known = {"InstanceType", "ImageId", "SecurityGroupIds", "InstanceMarketOptions", "BlockDeviceMappings"}
    for node in config["available_node_types"].values():
        assert set(node["node_config"]) <= known
        for disk in node["node_config"]["BlockDeviceMappings"]:
            assert disk["Ebs"]["VolumeSize"] >= 100


def test_results_and_environments_of_this_machine_are_not_copied(config: dict[str, Any]) -> None:
    assert {".git", ".venv", "runs", "mlartifacts", "mlflow.db"} <= set(config["rsync_exclude"])
