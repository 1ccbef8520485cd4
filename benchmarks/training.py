"""What a training step costs, ours beside the same networks as plain convolutions, on one thread.

    python benchmarks/training.py --rounds 9

Both sides start from the same weights (zoo/lite-cpu-0.003) and see the same pages and noise; both steps are run in
turn, so that ratios hold on a noisy machine. Their first losses and gradients must agree within rounding, or it fails.
"""

import argparse
import copy

import numpy as np
import torch
from plain_lite import gradients, largest_difference, made_plain
from timing import medians_ms, table

import tfic
from tfic.codec.exact import one_thread
from tfic.synth import draw


def main() -> None:
    """Print a table for each number of pages in a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of which medians are taken (9)")
    parser.add_argument("--pages", type=int, nargs="+", default=[4], help="pages of 256 x 256 pixels in a step (4)")
    args = parser.parse_args()
    rows = []
    with one_thread():
        for pages in args.pages:
            x = torch.stack([torch.from_numpy(draw(0, "train", i).image) for i in range(pages)])
            x = (x.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)
            ours = tfic.load("zoo/lite-cpu-0.003").train()
            plain = made_plain(copy.deepcopy(ours)).train()
            (loss, found), (expected, wanted) = gradients(ours, x), gradients(plain, x)
            difference = largest_difference(found, wanted)
            assert np.isclose(loss, expected, rtol=1e-5), (loss, expected)
            assert difference < 1e-3, difference

            def step(codec: torch.nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor = x) -> None:
                gradients(codec, x)
                torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
                optimiser.step()

            sides = {
                name: (codec, torch.optim.Adam([p for p in codec.parameters() if p.requires_grad], lr=0.0, fused=fused))
                for name, codec, fused in (("plain", plain, False), ("ours", ours, True))
            }
            ms = medians_ms({name: lambda side=side: step(*side) for name, side in sides.items()}, args.rounds)
            rows.append(
                [
                    f"{pages}",
                    f"{ms['plain']:.0f}",
                    f"{ms['ours']:.0f}",
                    f"{ms['plain'] / ms['ours']:.2f}",
                    f"{difference:.0e}",
                ]
            )
    print(table(["pages", "plain ms", "ours ms", "plain / ours", "largest difference of gradients"], rows))


if __name__ == "__main__":
    main()
