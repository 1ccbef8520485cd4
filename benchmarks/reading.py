"""What the frozen reader of stage 2 costs in a step, as its file says and in fewer operations.

    python benchmarks/reading.py --rounds 5

CPU time on one thread of looking at the original lines, looking at the reconstructed ones, and the way back to their
pixels, for the loss `features`; both must give the same gradient. Candidates take turns, medians are printed.
"""

import argparse
import itertools
import statistics
import time

import torch
from timing import table
from torch import Tensor, fx

from tfic.ocr import onnx_networks, ppocr
from tfic.ocr.ppocr import LineReader


def as_its_file_says() -> LineReader:
    """The reader with every operation that onnx2torch makes of its file."""
    fewer = onnx_networks.with_fewer_operations
    onnx_networks.with_fewer_operations = _unchanged
    try:
        return LineReader()
    finally:
        onnx_networks.with_fewer_operations = fewer


def _unchanged(network: fx.GraphModule) -> fx.GraphModule:
    return network


def look(reader: LineReader, x: Tensor, x_hat: Tensor) -> tuple[list[float], Tensor]:
    """CPU seconds of the three parts, and the gradient of the reconstructed lines."""
    x_hat = x_hat.clone().requires_grad_()
    times = [time.process_time()]
    with torch.no_grad():
        wanted = reader.look(x, True, False).features
    times.append(time.process_time())
    found = reader.look(x_hat, True, False).features
    times.append(time.process_time())
    torch.stack([(a - b).square().mean() / b.var() for a, b in zip(found, wanted, strict=True)]).mean().backward()
    times.append(time.process_time())
    assert x_hat.grad is not None
    return [after - before for before, after in itertools.pairwise(times)], x_hat.grad


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are counted (5)")
    parser.add_argument("--lines", type=int, default=10, help="lines of a step (10)")
    parser.add_argument("--width", type=int, default=304, help="their width in pixels (304)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.rand(args.lines, 3, ppocr.HEIGHT_PX, args.width)
    x_hat = (x + 0.05 * torch.randn_like(x)).clamp(0, 1)
    readers = {"as its file says": as_its_file_says(), "fewer operations": LineReader()}
    times: dict[str, list[list[float]]] = {name: [] for name in readers}
    gradients = {}
    for counted in [False, *[True] * args.rounds]:
        for name, reader in readers.items():
            seconds, gradients[name] = look(reader, x, x_hat)
            times[name] += [seconds] if counted else []
    one, other = gradients.values()
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(one.abs().max()))
    medians = {
        name: [statistics.median(part) for part in (*zip(*each, strict=True), map(sum, each))]
        for name, each in times.items()
    }
    rows = [[name, *(f"{1000 * each:.0f} ms" for each in found)] for name, found in medians.items()]
    first, second = (found[-1] for found in medians.values())
    print(table(["reader", "original", "forwards", "backwards", "sum"], rows))
    print(f"\nratio {second / first:.2f}")


if __name__ == "__main__":
    main()
