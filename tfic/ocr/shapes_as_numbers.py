"""Shapes and places as numbers in a network that onnx2torch made, which has tensors for them.

A tensor on a GPU must be waited for before anything can have its shape, and `torch.compile` cannot look into it. The
values that the network computes stay the same.
"""

import operator
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, fx


def shapes_as_numbers(network: fx.GraphModule) -> fx.GraphModule:
    """Make the shapes of reshaping and the places of slicing numbers, and return the network.

    Raises:
        ValueError: for a graph that computes shapes by other operations than those that are known here.
    """
    numbers: dict[fx.Node, fx.Node] = {}  # what has taken the place of a node that held a shape
    for node in list(network.graph.nodes):
        if node.op != "call_module":
            continue
        kind = type(network.get_submodule(node.target)).__name__
        with network.graph.inserting_before(node):
            if kind == "OnnxResize":
                _enlarging(network, node)
            elif kind == "OnnxShape":
                numbers[node] = network.graph.call_function(list_of_sides, (node.args[0],))
            elif any(each in numbers for each in node.all_input_nodes if each is not node.args[0]) or (
                kind in ("OnnxReshape", "OnnxSlice") and node.args[0] not in numbers
            ):
                _numbered(network, node, kind, numbers)
            elif node.args[0] in numbers:
                numbers[node] = _computed(network, node, kind, numbers)
    network.graph.eliminate_dead_code()
    network.recompile()
    return network


def list_of_sides(x: Tensor) -> list[int]:
    """The shape of x."""
    return list(x.shape)


def in_list(side: int) -> list[int]:
    """A side alone."""
    return [side]


def reshaped(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x in another shape, in which 0 stands for the side that x has there."""
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def enlarged(x: Tensor, height: int, width: int) -> Tensor:
    """x with each pixel as many times, below and beside each other."""
    return F.interpolate(x, scale_factor=(float(height), float(width)), mode="nearest")


def sliced(x: Tensor, places: Sequence[tuple[int, int, int]]) -> Tensor:
    """x cut along axes, each given with the first place and the one after the last."""
    for axis, start, end in places:
        x = x[(slice(None),) * axis + (slice(start, end),)]
    return x


def _constant(network: fx.GraphModule, node: fx.Node) -> list[int]:
    """The numbers of an integer tensor of the graph."""
    if node.op != "get_attr":
        raise ValueError(f"{node.name} of the reader's graph is no constant; its shapes cannot be made numbers")
    value = operator.attrgetter(str(node.target))(network)
    return [int(each) for each in value.flatten()]


def _enlarging(network: fx.GraphModule, node: fx.Node) -> None:
    """Replace a resizing by factors that are constants."""
    x, factors = node.args[0], node.args[-1]
    if not isinstance(factors, fx.Node) or len(node.args) != 3:
        raise ValueError(f"{node.name} resizes to a size, not by factors; its shape cannot be made a number")
    assert network.get_submodule(str(node.target)).onnx_mode == "nearest"
    height, width = _constant(network, factors)[2:]
    node.replace_all_uses_with(network.graph.call_function(enlarged, (x, height, width)))


def _numbered(network: fx.GraphModule, node: fx.Node, kind: str, numbers: dict[fx.Node, fx.Node]) -> None:
    """Replace an operation on a tensor that takes shapes or places; or begin a shape with constants."""
    first, *others = (each for each in node.args if isinstance(each, fx.Node))
    if kind == "OnnxReshape":
        shape = numbers[others[0]] if others[0] in numbers else _constant(network, others[0])
        new = network.graph.call_function(reshaped, (first, shape))
    elif kind == "OnnxSlice":
        new = network.graph.call_function(sliced, (first, _places(network, others)))
    elif kind == "OnnxConcat":
        numbers[node] = _joined(network, node, numbers)
        return
    else:
        raise ValueError(f"{kind} of the reader's graph takes a shape; only reshaping, slicing and joining are known")
    node.replace_all_uses_with(new)


def _computed(network: fx.GraphModule, node: fx.Node, kind: str, numbers: dict[fx.Node, fx.Node]) -> fx.Node:
    """An operation on a shape."""
    graph, (first, *others) = network.graph, (each for each in node.args if isinstance(each, fx.Node))
    match kind:
        case "OnnxCopyIdentity":
            return numbers[first]
        case "OnnxSlice":
            ((_, start, end),) = _places(network, others)
            return graph.call_function(operator.getitem, (numbers[first], slice(start, end)))
        case "OnnxSqueezeStaticAxes":
            return graph.call_function(operator.getitem, (numbers[first], 0))
        case "OnnxReshape" if not _constant(network, others[0]):  # a single side stays one
            return numbers[first]
        case "OnnxUnsqueezeStaticAxes":
            return graph.call_function(in_list, (numbers[first],))
        case "OnnxConcat":
            return _joined(network, node, numbers)
    raise ValueError(f"{kind} of the reader's graph computes a shape in a way that is not known here")


def _joined(network: fx.GraphModule, node: fx.Node, numbers: dict[fx.Node, fx.Node]) -> fx.Node:
    parts = [numbers[each] if each in numbers else _constant(network, each) for each in node.all_input_nodes]
    whole = network.graph.call_function(operator.add, (parts[0], parts[1]))
    for part in parts[2:]:
        whole = network.graph.call_function(operator.add, (whole, part))
    return whole


def _places(network: fx.GraphModule, arguments: Sequence[fx.Node]) -> list[tuple[int, int, int]]:
    """Axis, start and end of each axis that a slice cuts."""
    starts, ends, axes, *steps = (_constant(network, each) for each in arguments)
    assert set(steps[0] if steps else [1]) == {1}, "no step but 1"
    assert min(axes) >= 0, "axes are counted from the first"
    return list(zip(axes, starts, ends, strict=True))
