"""docs/cluster.md names files that exist and commands that Ray, AWS and this program take, by their own word."""

import re
from pathlib import Path

import botocore.session
from botocore import xform_name
from made_help import help_of

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for language, text in BLOCKS
    if language == "sh"
    for line in text.replace("\\\n", " ").splitlines()
    if line.strip() and not line.lstrip().startswith("#")
]


def test_files_that_the_document_names_exist() -> None:
    files = set(re.findall(r"(?<![~/\w-])(?:deploy|scripts|docs|tests|sweep|tfic)/[\w./-]*\w", DOC)) | {"cluster.yaml"}
    assert {"deploy/aws.yaml", "deploy/local.yaml", "deploy/rayjob.yaml", "scripts/try_cluster.py"} <= files
    assert [each for each in files if not (ROOT / each).exists()] == []


def test_every_command_of_this_program_in_the_document_has_flags_that_exist() -> None:
    lines = {line: re.search(r"python -m ([\w.]+)(.*)", line) for line in COMMANDS}
    said: dict[str, str] = {}
    for line, found in lines.items():
        if found:
            module = found[1]
            if module not in said:
                said[module] = help_of(module)
            assert set(re.findall(r"--[\w-]+", found[2])) <= set(re.findall(r"--[\w-]+", said[module])), line
    assert {"sweep.run", "sweep.status", "analysis.report"} <= set(said)
    assert any("ray job submit" in line and "sweep.run" in line for line in COMMANDS)


def test_every_command_of_ray_in_the_document_is_one_with_its_flags() -> None:
    from ray.scripts.scripts import cli

    seen = set()
    for line in COMMANDS:
        found = re.search(r"(?:^|&& )(?:\w+=\S+ )*ray (.+)", line)
        if not found:
            continue
        words = re.sub(r"'.*?'", "QUOTED", found[1].partition(" -- ")[0]).split()
        command = cli.commands[words[0]]
        if words[0] == "job":
            command = command.commands[words[1]]
        known = {flag for option in command.params for flag in option.opts + option.secondary_opts}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, line
        seen.add(words[0])
    assert {"up", "down", "dashboard", "attach", "exec", "job", "get-auth-token"} <= seen


def test_every_command_of_aws_in_the_document_is_one_with_its_options() -> None:
    """By the names that botocore has for the same operations and parameters."""
    session = botocore.session.Session()
    seen = set()
    for line in COMMANDS:
        for service, command, rest in re.findall(r"\baws ([\w-]+) ([\w-]+)([^|)]*)", line):
            seen.add(f"{service} {command}")
            if (service, command) in {("cloudformation", "deploy"), ("s3", "ls"), ("s3", "rm")}:  # the tool's own
                continue
            model = session.get_service_model(service)
            operations = {xform_name(name, "-"): name for name in model.operation_names}
            assert command in operations, line
            known = {xform_name(name, "-") for name in model.operation_model(operations[command]).input_shape.members}
            assert set(re.findall(r"--([\w-]+)", rest)) - {"query", "output", "region", "max-items"} <= known, line
    assert {"cloudformation deploy", "ec2 import-key-pair", "iam create-service-linked-role"} <= seen
