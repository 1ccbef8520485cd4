"""The pretend GPU counts what makes the CPU wait for a real one, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from pretend_gpu import counted, pretend_gpu
from torch import Tensor

pytestmark = pytest.mark.slow
WAIT: dict[str, Callable[[Tensor, Tensor], object]] = {
    "a value": lambda x, mask: x.sum().item(),
    "back to the host": lambda x, mask: x.cpu(),
    "values under a mask": lambda x, mask: x[mask],
    "their gradient": lambda x, mask: x.clone().requires_grad_()[mask].sum().backward(),
    "values put under a mask": lambda x, mask: x.clone().index_put_((mask,), x[:3]),
    "values added under a mask": lambda x, mask: x.index_put((mask,), x[:3], accumulate=True),
    "assigned under a mask": lambda x, mask: x.clone().__setitem__(mask, x[:3]),
    "repeats": lambda x, mask: x.repeat_interleave(mask.long()),
    "selected": lambda x, mask: x.masked_select(mask),
    "places": lambda x, mask: mask.nonzero(),
    "different values": lambda x, mask: x.unique(),
    "different neighbours": lambda x, mask: x.unique_consecutive(),
    "places of the host": lambda x, mask: x[torch.tensor([0, 1])],
}
WAIT_NOT: dict[str, Callable[[Tensor, Tensor], object]] = {
    "values at places": lambda x, mask: x[mask.long()],
    "put at places": lambda x, mask: x.clone().index_put_((mask.long(),), x),
    "a number under a mask": lambda x, mask: x.clone().__setitem__(mask, 0.0),
    "filled": lambda x, mask: x.masked_fill(mask, 0.0),
    "chosen": lambda x, mask: torch.where(mask, x, -x),
    "repeats of known sum": lambda x, mask: x.repeat_interleave(mask.long(), output_size=3),
    "as often each": lambda x, mask: x.repeat_interleave(3),
}


@pytest.fixture(scope="module")
def waits() -> dict[str, int]:
    """How often each of them waits, found in a process of its own, since that changes torch."""
    done = subprocess.run([sys.executable, "-W", "ignore", __file__], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", WAIT)
def test_what_waits_is_counted(waits: dict[str, int], name: str) -> None:
    assert waits[name] > 0


@pytest.mark.parametrize("name", WAIT_NOT)
def test_what_does_not_wait_is_not_counted(waits: dict[str, int], name: str) -> None:
    assert waits[name] == 0


if __name__ == "__main__":
    found = {}
    with pretend_gpu() as device:
        x = torch.arange(6.0).to(device)
        mask = x > 2
        for what, run in (WAIT | WAIT_NOT).items():
            with counted() as each:
                run(x, mask)
            found[what] = sum(each.found.values())
    print(json.dumps(found))
