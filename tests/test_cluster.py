"""cluster.yaml and its kin are what Ray, AWS and Kubernetes take, and none of Ray's harmful defaults come back.

Ray's own AWS code runs on an account of moto's: what it makes there is looked at.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator
from moto import mock_aws
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parent.parent
LAUNCHED = ("cluster.yaml", "deploy/local.yaml")
"""Ray's launcher files."""
PROVIDER = {
    "aws": {"type", "region", "availability_zone", "cache_stopped_nodes", "use_internal_ips", "security_group"},
    "local": {"type", "head_ip", "worker_ips", "external_head_ip"},
}
"""What Ray reads inside `provider`; its schema lets any name pass."""


def prepared(name: str) -> dict[str, Any]:
    """A launcher file with Ray's defaults filled in."""
    config: dict[str, Any] = prepare_config(yaml.safe_load((ROOT / name).read_text()))
    return config


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return prepared("cluster.yaml")


def wrong_settings(node_config: dict[str, Any]) -> str:
    """What EC2 would refuse in a node_config, by its own description of RunInstances; "" when nothing."""
    shape = botocore.session.Session().get_service_model("ec2").operation_model("RunInstances").input_shape
    given = {"MinCount": 1, "MaxCount": 1} | node_config
    report = str(ParamValidator().validate(given, shape).generate_report())
    if node_config["InstanceType"] not in shape.members["InstanceType"].enum:
        report += f"no such InstanceType {node_config['InstanceType']!r}"
    return report


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_takes_the_file(name: str) -> None:
    validate_config(prepared(name))
    with pytest.raises(Exception, match="max_worker_count"):  # so the check does check
        validate_config(prepared(name) | {"max_worker_count": 1})


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_knows_every_setting_of_the_provider(name: str) -> None:
    provider = yaml.safe_load((ROOT / name).read_text())["provider"]
    assert set(provider) <= PROVIDER[provider["type"]]
    if provider["type"] == "aws":
        assert provider["region"] in boto3.Session().get_available_regions("ec2")


def test_ec2_knows_every_setting_of_a_node_at_every_depth(config: dict[str, Any]) -> None:
    for node in config["available_node_types"].values():
        assert wrong_settings(node["node_config"]) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"InstanceTypes": "g6.xlarge"}, 'unknown parameter in input: "InstanceTypes"'),
        ({"InstanceType": "g6.xlarg"}, "no such InstanceType 'g6.xlarg'"),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSze": 1}}]}, 'BlockDeviceMappings[0].Ebs: "VolumeSze"'),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": "100 GB"}}]}, "VolumeSize, value: 100 GB"),
        ({"SecurityGroupIds": "sg-0"}, "SecurityGroupIds, value: sg-0"),
    ],
)
def test_a_setting_that_ec2_does_not_know_is_found(config: dict[str, Any], change: dict[str, Any], words: str) -> None:
    assert words.lower() in wrong_settings(config["available_node_types"]["gpu"]["node_config"] | change).lower()


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, Any]]:
    """An account after `ray up` has started the head and the head has started a worker, with what is in it then."""
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    with mock_aws(), pytest.MonkeyPatch.context() as patch:  # each has to undo its own
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "made-up")
        text = (ROOT / "cluster.yaml").read_text()
        region = yaml.safe_load(text)["provider"]["region"]
        ec2, iam = boto3.client("ec2", region_name=region), boto3.client("iam", region_name=region)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="tfic-sweep", Description="made", VpcId=vpc)["GroupId"]
        ec2.create_key_pair(KeyName="tfic-sweep")
        iam.create_instance_profile(InstanceProfileName="tfic-sweep-head")
        config = prepare_config(yaml.safe_load(text.replace("sg-00000000000000000", group)))
        AWSNodeProvider.fillout_available_node_types_resources(config)
        config = bootstrap_aws(config)
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        for kind, node in config["available_node_types"].items():
            tags = {"ray-node-kind": kind, "ray-node-name": kind, "ray-launch-config": "1"}
            provider.create_node(node["node_config"], tags, 1)
        machines = [each for found in ec2.describe_instances()["Reservations"] for each in found["Instances"]]
        yield {
            "machines": {tag["Value"]: each for each in machines for tag in each["Tags"] if tag["Key"] == "Name"},
            "groups": {each["GroupName"]: each for each in ec2.describe_security_groups()["SecurityGroups"]},
            "keys": [each["KeyName"] for each in ec2.describe_key_pairs()["KeyPairs"]],
            "roles": iam.list_roles()["Roles"],
            "profiles": [each["InstanceProfileName"] for each in iam.list_instance_profiles()["InstanceProfiles"]],
            "disks": ec2.describe_volumes()["Volumes"],
        }


@pytest.mark.slow
def test_ray_up_makes_no_group_key_or_rights_of_its_own(account: dict[str, Any]) -> None:
    assert set(account["groups"]) == {"default", "tfic-sweep"}
    assert not account["groups"]["tfic-sweep"]["IpPermissions"], "Ray opened the group"
    assert (account["keys"], account["roles"], account["profiles"]) == (["tfic-sweep"], [], ["tfic-sweep-head"])


@pytest.mark.slow
def test_ray_up_starts_a_head_on_demand_and_spot_workers_without_rights(account: dict[str, Any]) -> None:
    head, gpu = account["machines"]["head"], account["machines"]["gpu"]
    assert (head["InstanceType"], head.get("InstanceLifecycle")) == ("m7i.xlarge", None)
    assert (gpu["InstanceType"], gpu.get("InstanceLifecycle")) == ("g6.xlarge", "spot")
    assert head["IamInstanceProfile"]["Arn"].endswith("/tfic-sweep-head")
    assert "IamInstanceProfile" not in gpu
    for machine in (head, gpu):
        assert [each["GroupName"] for each in machine["SecurityGroups"]] == ["tfic-sweep"]
        assert machine["KeyName"] == "tfic-sweep"
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert {"Key": "ray-cluster-name", "Value": "tfic-sweep"} in machine["Tags"]  # the head's rights hold for these
    assert [(disk["Size"], disk["VolumeType"], disk["Encrypted"]) for disk in account["disks"]] == [
        (100, "gp3", True)
    ] * 2


def test_the_head_runs_no_trials_and_workers_start_from_none_up(config: dict[str, Any]) -> None:
    head, gpu = (config["available_node_types"][name] for name in ("head", "gpu"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert (gpu["min_workers"], gpu["resources"]["GPU"]) == (0, 1)
    assert 0 < gpu["max_workers"] <= config["max_workers"]
    local = yaml.safe_load((ROOT / "deploy" / "local.yaml").read_text())
    assert "--num-cpus=0 --num-gpus=0" in local["head_start_ray_commands"][-1]


def test_every_node_has_the_same_image_and_the_pinned_packages_and_no_nightly_ray(config: dict[str, Any]) -> None:
    images = {node["node_config"]["ImageId"] for node in config["available_node_types"].values()}
    assert len(images) == 1
    for name in LAUNCHED:
        launched = prepared(name)
        commands = launched["setup_commands"]
        assert any("-c ~/tfic-sweep/constraints.txt -e ~/tfic-sweep" in command for command in commands)
        assert not any("wheel" in command or "whl" in command for command in commands)
        started = launched["head_start_ray_commands"] + launched["worker_start_ray_commands"]
        assert all("~/venv/bin/ray" in each for each in started if "deploy/mlflow.sh" not in each)


@pytest.mark.parametrize("name", LAUNCHED)
def test_the_token_is_on_every_node_and_asked_for(name: str) -> None:
    launched = prepared(name)
    assert "~/.ray/auth_token" in launched["file_mounts"].values()
    assert "chmod 600 ~/.ray/auth_token" in launched["setup_commands"]
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert "export RAY_AUTH_MODE=token" in launched[commands][-1]


@pytest.mark.parametrize("name", LAUNCHED)
def test_commands_are_text_and_shell(name: str) -> None:
    """A bare `true` would be a truth value to YAML; a quote too few would show on the machine only."""
    launched = yaml.safe_load((ROOT / name).read_text())
    for commands in [value for key, value in launched.items() if key.endswith("_commands")]:
        for command in commands:
            assert isinstance(command, str)
            subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("name", ["head.sh", "mlflow.sh"])
def test_scripts_of_the_head_are_shell_and_may_be_run(name: str) -> None:
    script = ROOT / "deploy" / name
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_nothing_listens_to_the_world(config: dict[str, Any]) -> None:
    for name in ("cluster.yaml", "deploy/local.yaml", "deploy/mlflow.sh", "deploy/head.sh"):
        assert "0.0.0.0" not in (ROOT / name).read_text()
    for name in LAUNCHED:
        assert "--dashboard-host=127.0.0.1" in prepared(name)["head_start_ray_commands"][-1]
    for node in config["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"], "without one Ray makes a group that opens ssh to all"


def test_stopped_nodes_do_not_stay_on_the_bill(config: dict[str, Any]) -> None:
    assert config["provider"]["cache_stopped_nodes"] is False
    assert 0 < config["idle_timeout_minutes"] <= 30


@pytest.mark.parametrize("name", LAUNCHED)
def test_results_and_environments_of_this_machine_are_not_copied(name: str) -> None:
    assert {".git", ".venv", "runs", "mlartifacts", "mlruns", "mlflow.db*"} <= set(prepared(name)["rsync_exclude"])


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms, such as `!Ref Vpc`, as {"Ref": "Vpc"}."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    assert isinstance(node, yaml.ScalarNode)
    return {tag: loader.construct_scalar(node)}


Template.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    template = yaml.load((ROOT / "deploy" / "aws.yaml").read_text(), Loader=Template)
    found: dict[str, Any] = template["Resources"]
    return found


def test_the_group_lets_nobody_in_but_one_address_and_its_members(resources: dict[str, Any]) -> None:
    rules = resources["Group"]["Properties"]["SecurityGroupIngress"] + [
        each["Properties"] for each in resources.values() if each["Type"] == "AWS::EC2::SecurityGroupIngress"
    ]
    you, members = rules
    assert (you["FromPort"], you["ToPort"], you["CidrIp"]) == (22, 22, {"Ref": "MyAddress"})
    assert members["SourceSecurityGroupId"] == {"Ref": "Group"}
    assert "CidrIp" not in members
    template = yaml.load((ROOT / "deploy" / "aws.yaml").read_text(), Loader=Template)
    allowed = re.compile(template["Parameters"]["MyAddress"]["AllowedPattern"])
    assert allowed.fullmatch("203.0.113.7/32")
    assert not allowed.fullmatch("0.0.0.0/0")


def test_the_head_s_rights_end_at_its_workers_and_one_bucket(resources: dict[str, Any], config: dict[str, Any]) -> None:
    (policy,) = resources["HeadRole"]["Properties"]["Policies"]
    assert "ManagedPolicyArns" not in resources["HeadRole"]["Properties"]
    actions: dict[str, list[dict[str, Any]]] = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        given = statement["Action"]
        for action in [given] if isinstance(given, str) else given:
            actions.setdefault(action, []).append(statement)
    assert not [action for action in actions if "*" in action or action.startswith("iam:")]
    (ending,) = actions["ec2:TerminateInstances"]
    assert ending["Condition"]["StringEquals"] == {"aws:ResourceTag/ray-cluster-name": config["cluster_name"]}
    for action, (statement, *_) in actions.items():
        if action.startswith("s3:"):
            assert "Bucket" in json.dumps(statement["Resource"])
    known = botocore.session.Session()
    for service in ("ec2", "ssm"):
        operations = set(known.get_service_model(service).operation_names)
        assert {each.partition(":")[2] for each in actions if each.startswith(f"{service}:")} <= operations
    assert resources["HeadProfile"]["Properties"]["InstanceProfileName"] == "tfic-sweep-head"


def test_the_bucket_is_private_keeps_older_dumps_and_outlives_the_stack(resources: dict[str, Any]) -> None:
    bucket = resources["Bucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert "ExpirationInDays" not in rule, "the newest dump must stay"


def test_the_job_on_kubernetes_asks_for_a_token_and_runs_trials_on_gpus_from_none_up() -> None:
    objects = {each["kind"]: each for each in yaml.safe_load_all((ROOT / "deploy" / "rayjob.yaml").read_text())}
    assert set(objects) == {"Deployment", "Service", "NetworkPolicy", "RayJob"}
    cluster = objects["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert f"ray=={cluster['rayVersion']}\n" in (ROOT / "constraints.txt").read_text()
    assert f"rayproject/ray:{cluster['rayVersion']}-py312\n" in (ROOT / "deploy" / "Dockerfile").read_text()
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["replicas"]) == (0, 0)
    (worker,) = group["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    images = {worker["image"], cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["image"]}
    (server,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert images == {server["image"]}
    labels = {part["template"]["metadata"]["labels"]["app"] for part in (cluster["headGroupSpec"], group)}
    (rule,) = objects["NetworkPolicy"]["spec"]["ingress"]
    assert labels == {rule["from"][0]["podSelector"]["matchLabels"]["app"]}
    port = objects["Service"]["spec"]["ports"][0]["port"]
    name = objects["Service"]["metadata"]["name"]
    assert f"--tracking-uri http://{name}:{port}" in objects["RayJob"]["spec"]["entrypoint"]
