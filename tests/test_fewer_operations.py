"""A network in fewer operations computes what the file says, and only what is the same is replaced."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx

from tfic.ocr.fewer_operations import Pointwise
from tfic.ocr.graph_nodes import module_of
from tfic.ocr.onnx_networks import converted
from tfic.ocr.ppocr import weights_path


def model(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """A network from `x`, (1, 3, 4, 4), to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 4, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, None, 4, 4))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def kinds(network: fx.GraphModule) -> list[str]:
    """What the nodes do that compute something, in order."""
    names = []
    for node in network.graph.nodes:
        if node.op == "call_module":
            names.append(type(module_of(network, node)).__name__)
        elif node.op == "call_function":
            names.append(node.target.__name__)
    return names


def check(found: onnx.ModelProto) -> list[str]:
    """The operations of the converted network, which must compute what onnxruntime does."""
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(found.SerializeToString()).run(None, {"x": x})
    network = converted(found)
    with torch.no_grad():
        y = network(torch.from_numpy(x)).numpy()
    assert y == pytest.approx(expected, rel=1e-5, abs=1e-6)
    return kinds(network)


W = np.random.default_rng(1).normal(size=(5, 3, 1, 1))
BIAS = np.arange(5).reshape(1, 5, 1, 1)


def gelu(half: float = 0.5) -> onnx.ModelProto:
    return model(
        helper.make_node("Identity", ["x"], ["i"]),
        helper.make_node("Div", ["i", "root"], ["a"]),
        helper.make_node("Erf", ["a"], ["b"]),
        helper.make_node("Add", ["b", "one"], ["c"]),
        helper.make_node("Mul", ["i", "c"], ["d"]),
        helper.make_node("Mul", ["d", "half"], ["y"]),
        root=np.array(2**0.5), one=np.array(1), half=np.array(half),
    )  # fmt: skip


def test_a_gelu_of_five_operations_and_a_copy_is_one() -> None:
    assert check(gelu()) == ["gelu"]


def test_what_looks_like_a_gelu_with_another_constant_stays() -> None:
    assert check(gelu(half=0.7)) == ["OnnxBinaryMathOperation", "OnnxErf", *3 * ["OnnxBinaryMathOperation"]]


def test_a_silu_is_one_operation_and_a_gate_of_another_map_stays() -> None:
    gate = helper.make_node("Sigmoid", ["x"], ["s"])
    assert check(model(gate, helper.make_node("Mul", ["x", "s"], ["y"]))) == ["silu"]
    other = (helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Mul", ["r", "s"], ["y"]))
    assert check(model(gate, *other)) == ["Sigmoid", "ReLU", "OnnxBinaryMathOperation"]


def test_a_bias_goes_into_its_convolution_and_a_pointwise_one_is_a_matrix_product() -> None:
    convolution, plus = (
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["c", "bias"], ["y"]),
    )
    assert check(model(convolution, plus, w=W, bias=BIAS)) == [Pointwise.__name__]


def test_a_sum_stays_where_its_map_is_needed_without_it_or_is_no_bias() -> None:
    convolution = helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[1, 1])
    both = (helper.make_node("Add", ["c", "bias"], ["b"]), helper.make_node("Mul", ["b", "c"], ["y"]))
    assert check(model(convolution, *both, w=W, bias=BIAS)) == [Pointwise.__name__, *2 * ["OnnxBinaryMathOperation"]]
    plus = helper.make_node("Add", ["c", "bias"], ["y"])
    assert check(model(convolution, plus, w=W, bias=np.ones((1, 5, 4, 4)))) == ["Pointwise", "OnnxBinaryMathOperation"]


def test_the_reader_has_less_than_half_the_operations_of_its_file() -> None:
    file = onnx.load(str(weights_path()))
    computing = [node for node in file.graph.node if node.op_type != "Constant"]
    found = kinds(converted(file))
    assert "OnnxCopyIdentity" not in found
    assert len(found) < 0.5 * len(computing), (len(found), len(computing))
