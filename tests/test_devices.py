"""A training is told its device: a GPU that cannot be used is an error with versions and remedy."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sweep.on_ray.driver import _fit_in
from sweep.on_ray.resources import Slot
from tfic.__main__ import main
from tfic.system import devices
from tfic.system.devices import Device
from tfic.training import distributed


@pytest.mark.parametrize("given", [Device("cpu"), Device()])
def test_on_a_machine_without_gpus_a_training_that_was_given_none_is_on_the_cpu(given: Device) -> None:
    if given.kind or not torch.cuda.is_available():
        assert given.here() == torch.device("cpu")
    assert devices.name(torch.device("cpu")) == f"cpu, {os.cpu_count()} cores"


def test_a_worker_takes_no_memory_of_a_gpu_before_it_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = {
        "is_available": True,
        "current_device": 3,
        "set_device": None,
        "mem_get_info": (6 * 2**30, 8 * 2**30),
        "set_per_process_memory_fraction": None,
    }
    for name, answer in answers.items():

        def called(*given: object, name: str = name, answer: object = answer) -> object:
            asked.append(f"{name}{given}")
            return answer

        monkeypatch.setattr(torch.cuda, name, called)
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, name, lambda *given, **more: None)
    for name, value in (("RANK", "3"), ("LOCAL_RANK", "3"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    with distributed.join(Device("cuda")):
        assert asked == ["is_available()", "set_device(3,)"]
        assert Device("cuda", 0.5).here() == torch.device("cuda", 3)
    gpu = "device(type='cuda', index=3)"
    assert asked[2:4] == ["is_available()", "current_device()"]
    assert asked[4:] == [f"mem_get_info({gpu},)", f"set_per_process_memory_fraction(0.4375, {gpu})"]


def test_shares_of_a_gpu_leave_room_for_cuda_s_own_memory_in_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processes of a quarter each, on 80 GiB; what CUDA takes for a process is not PyTorch's to count."""
    set_to: list[float] = []
    total = 80 * 2**30
    for name, answer in (("is_available", True), ("current_device", 0), ("mem_get_info", (total, total))):
        monkeypatch.setattr(torch.cuda, name, lambda *given, answer=answer: answer)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, device: set_to.append(share))
    device = _fit_in(Slot(1, 0.25)).keywords["device"]
    device.here()
    assert 4 * (set_to[0] * total + devices.CONTEXT_BYTES) == pytest.approx(total)
    for whole in (Slot(1, 1), Slot(1, 2, 2)):
        assert _fit_in(whole).keywords["device"] == Device("cuda")
    assert _fit_in(Slot(4)).keywords["device"] == Device("cpu")
    with pytest.raises(
        ValueError, match=r"^0.005 of a GPU of 80.0 GiB is no more than CUDA itself takes \(0.5 GiB for"
    ):
        Device("cuda", 0.005).here()


def test_of_a_gpu_there_is_room_for_what_is_free_and_within_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, gib = torch.device("cuda", 0), 2**30
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (30 * gib, 80 * gib))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 4 * gib)
    for share, room in ((0.25, 16), (1.0, 30)):
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device, share=share: share)
        assert devices.room_bytes(gpu) == room * gib
    assert devices.room_bytes(torch.device("cpu")) == math.inf


@pytest.mark.slow
def test_a_training_that_was_given_a_gpu_never_goes_on_on_the_cpu(tmp_path: Path) -> None:
    command = ["tfic", "train", str(tmp_path / "run"), "--recipe", "tiny", "--lmbda", "0.01", "--device", "cuda"]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}  # so also on a machine with GPUs
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=hidden, timeout=500)
    assert done.returncode == 2
    assert "error: this training was given a GPU, and PyTorch cannot use one (" in done.stderr
    assert f"PyTorch {torch.__version__} is built " in done.stderr
    assert "CUDA_VISIBLE_DEVICES is ''" in done.stderr
    assert "Install a driver for this CUDA" in done.stderr
    assert "`--gpus-per-trial 0` in a sweep, `--device cpu` for one codec" in done.stderr
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_training_on_the_cpu_beside_a_driver_that_cuda_cannot_use_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Wed Oct 27 21:21:55 UTC 2021\n")
    monkeypatch.setattr(devices, "DRIVER_FILE", driver)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def said(*more: str) -> list[str]:
        command = ["train", str(tmp_path / "run"), "--recipe", "tiny", "--lmbda", "0.01", "--train-data", "/nowhere"]
        assert main([*command, *more]) == 2
        *warnings, error = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ")
        return warnings

    (warning,) = said()
    assert warning.startswith(
        "warning: this training is on the CPU: a driver for a GPU is loaded, and PyTorch cannot use"
    )
    assert "NVIDIA driver 470.82.01; CUDA_VISIBLE_DEVICES is not set. Install a driver for this CUDA" in warning
    assert said("--device", "cpu") == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert said() == [], "who hides it knows"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    driver.unlink()
    assert said() == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n", "550.54.15"),
        ("something else\n", "of an unknown version"),
    ],
)
def test_the_driver_s_version_is_read_from_its_own_file(tmp_path: Path, text: str, version: str) -> None:
    file = tmp_path / "version"
    assert devices.driver_version(file) == ""
    file.write_text(text)
    assert devices.driver_version(file) == version


@pytest.mark.parametrize(
    ("kind", "share", "words"),
    [("gpu", 1.0, "device is 'gpu'; it must be cpu or cuda"), ("cuda", 0.0, "memory_share is 0.0; it must be above 0")],
)
def test_what_is_no_device_is_refused(kind: str, share: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Device(kind, share)
