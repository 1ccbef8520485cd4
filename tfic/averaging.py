"""The mean of a codec's weights over the last steps of a stage.

With few lines a step the gradients of reading are noisy, and the mean forgets the noise (Izmailov et al.,
arXiv 1803.05407; figures in LOG.md).
"""

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim.swa_utils import AveragedModel


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
    if count:
        steps = list(torch._foreach_sub(present, means))
        torch._foreach_div_(steps, float(count + 1))
        torch._foreach_add_(means, steps)
    else:
        torch._foreach_copy_(means, present)
    average.n_averaged += 1
