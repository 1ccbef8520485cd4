"""Networks of ONNX files as PyTorch modules, so that a loss flows back through them to the pixels."""

import warnings
from collections.abc import Sequence

import onnx
from torch import fx

from tfic.ocr.fewer_operations import with_fewer_operations
from tfic.ocr.shapes_as_numbers import shapes_as_numbers


def converted(model: onnx.ModelProto) -> fx.GraphModule:
    """The network of an ONNX file, whose graph is changed, to be used with weights that do not learn.

    Its shapes and places are numbers, and it has fewer operations than the file.

    Raises:
        ValueError: for a graph that computes shapes in a way that is not known here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx2torch imports deprecated corners of torch
        from onnx2torch import convert
    return with_fewer_operations(shapes_as_numbers(convert(_with_explicit_pads(model))))


def _with_explicit_pads(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with `auto_pad=SAME_UPPER` (which onnx2torch refuses) written out as pads; stride 1 only."""
    for node in model.graph.node:
        attributes = {each.name: each for each in node.attribute}
        if "auto_pad" not in attributes or attributes["auto_pad"].s != b"SAME_UPPER":
            continue
        kernel = list(attributes["kernel_shape"].ints)
        assert set(attributes["strides"].ints) == {1}, "SAME_UPPER depends on the input size unless the stride is 1"
        before = [(k - 1) // 2 for k in kernel]
        after = [k - 1 - b for k, b in zip(kernel, before, strict=True)]
        kept = [each for each in node.attribute if each.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute("pads", before + after)])
    return model


def cut(network: fx.GraphModule, ends: Sequence[fx.Node]) -> fx.GraphModule:
    """The part of a network that computes `ends`, with the same weights."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    graph.graph_copy(network.graph, copies)
    graph.output(tuple(copies[end] for end in ends))
    part = fx.GraphModule(network, graph)
    part.graph.eliminate_dead_code()
    part.delete_all_unused_submodules()
    part.recompile()
    return part
