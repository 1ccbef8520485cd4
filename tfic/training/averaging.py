"""The mean of a codec's weights over the last steps of a stage.

With few lines a step the gradients of reading are noisy, and the mean forgets the noise (Izmailov et al.,
arXiv 1803.05407; figures in LOG.md).
"""

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn


@torch.no_grad()
def add(average: AveragedModel, codec: Module) -> None:
    """Take the present weights of `codec` into the mean, as `AveragedModel.update_parameters` does.

    That copies every buffer in every step, none of which training changes, and takes the count to the device and back,
    for which a GPU has to wait. What does not learn stays as it is to the bit: the mean of weights of -0.0 is 0.0.
    """
    count = int(average.n_averaged)
    pairs = zip(average.module.parameters(), codec.parameters(), strict=True)
    learning = [(mean, weight) for mean, weight in pairs if weight.requires_grad]
    means: list[Tensor] = [mean for mean, _ in learning]
    present: list[Tensor] = [weight.detach() for _, weight in learning]
    if count and means[0].device.type != "cpu":
        get_swa_multi_avg_fn()(means, present, count)  # all weights at once
    else:
        for mean, weight in zip(means, present, strict=True):
            mean.copy_(mean + (weight - mean) / (count + 1) if count else weight)
    average.n_averaged += 1
