"""A frozen network that onnx2torch made, in fewer operations: the same values within rounding, in less time.

A file of ONNX has a sum for every bias, five operations for a GELU and two for a SiLU, and onnx2torch copies wherever
the file renames. Each of them passes over the whole map, forwards and backwards. Pointwise convolutions become matrix
products: on one thread torch computes them, for fewer than 16 images, in a slow path.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, fx, nn

from tfic.ocr.graph_nodes import constant_of, module_of


class Pointwise(nn.Module):
    """A convolution with a kernel of 1 x 1, as a matrix product: of channels-last memory it copies nothing."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take the weights of a convolution."""
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """The convolution of x."""
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def with_fewer_operations(network: fx.GraphModule) -> fx.GraphModule:
    """Change a network whose weights do not learn, and return it with its weights in channels-last memory."""
    for change in (_without_copy, _with_bias, _as_gelu, _as_silu):
        for node in list(network.graph.nodes):
            other = change(network, node)
            if other is not None:
                node.replace_all_uses_with(other)
                network.graph.erase_node(node)
        network.graph.eliminate_dead_code()
    for node in network.graph.nodes:
        module = module_of(network, node)
        if isinstance(module, nn.Conv2d) and _is_pointwise(module):
            network.set_submodule(str(node.target), Pointwise(module))
    network.delete_all_unused_submodules()
    network.recompile()
    return network.to(memory_format=torch.channels_last)


def _without_copy(network: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """What a node copies, if that is all it does; the network writes into no tensor."""
    return _inputs(node)[0] if _kind(network, node) == "OnnxCopyIdentity" else None


def _with_bias(network: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """The convolution whose bias a node adds, after it has taken the bias."""
    if _kind(network, node) != "add":
        return None
    before, added = _inputs(node)
    module, bias = module_of(network, before), constant_of(network, added)
    last = module[-1] if isinstance(module, nn.Sequential) else module  # after its padding
    if not isinstance(last, nn.Conv2d) or last.bias is not None or bias is None or len(before.users) > 1:
        return None
    if bias.shape != (1, last.out_channels, 1, 1):
        return None
    last.bias = nn.Parameter(bias.detach().flatten(), requires_grad=False)
    return before


def _as_gelu(network: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """A GELU in place of the last node of `x * (erf(x / sqrt(2)) + 1) * 0.5`."""
    path, at = [], node
    for kind in ("mul", "mul", "add", "OnnxErf", "div"):
        if _kind(network, at) != kind:
            return None
        path.append(at)
        at = _inputs(at)[1 if len(path) == 2 else 0]
    halved, product, plus, _, quotient = path
    constants = [constant_of(network, _inputs(each)[1]) for each in (halved, plus, quotient)]
    if _inputs(product)[0] is not at or not _are(constants, (0.5, 1.0, math.sqrt(2))):
        return None
    with network.graph.inserting_before(node):
        return network.graph.call_function(F.gelu, (at,))


def _as_silu(network: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """A SiLU in place of `x * sigmoid(x)`."""
    if _kind(network, node) != "mul":
        return None
    x, gate = _inputs(node)
    if _kind(network, gate) != "Sigmoid" or _inputs(gate)[0] is not x:
        return None
    with network.graph.inserting_before(node):
        return network.graph.call_function(F.silu, (x,))


def _is_pointwise(module: nn.Conv2d) -> bool:
    return (module.kernel_size, module.stride, module.groups) == ((1, 1), (1, 1), 1) and module.padding in (0, (0, 0))


def _kind(network: fx.GraphModule, node: fx.Node) -> str:
    """`add`, `mul` or `div` for those of two inputs, else the name of the module's class; "" without a module."""
    module = module_of(network, node)
    operation = getattr(module, "math_op_function", None)
    return "" if module is None else type(module).__name__ if operation is None else operation.__name__.split("_")[-1]


def _inputs(node: fx.Node) -> list[fx.Node]:
    """The nodes that a node takes, in order."""
    return [each for each in node.args if isinstance(each, fx.Node)]


def _are(constants: Sequence[Tensor | None], values: Sequence[float]) -> bool:
    """Return True when the constants are single numbers with these values."""
    return all(
        each is not None and each.numel() == 1 and math.isclose(float(each), value, rel_tol=1e-6)
        for each, value in zip(constants, values, strict=True)
    )
