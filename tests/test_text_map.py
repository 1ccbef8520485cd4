"""The detector of stage 2 is the one that finds lines in measuring, it is differentiable, and nothing changes it."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tfic.ocr.onnx_networks import converted
from tfic.ocr.rectify import as_batch
from tfic.ocr.text_map import TextMap, weights_path
from tfic.synth import draw


@pytest.fixture(scope="module")
def detector() -> TextMap:
    return TextMap()


@torch.no_grad()
def test_its_map_is_that_of_onnxruntime_on_the_same_weights_and_lies_on_the_text(detector: TextMap) -> None:
    page = draw(0, "test", 1)
    x = as_batch(page.image)
    session = onnxruntime.InferenceSession(str(weights_path()))
    (expected,) = session.run(None, {session.get_inputs()[0].name: (x.flip(1) * 2 - 1).numpy()})
    found = detector(x).sigmoid().numpy()
    assert np.abs(found - expected).max() < 1e-4
    middles = [np.mean(line.quad, axis=0) for line in page.lines]
    assert min(found[0, 0, int(y), int(x)] for x, y in middles) > 0.5
    assert found.mean() < 0.1


@torch.no_grad()
def test_pages_of_any_size_are_taken_at_the_nearest_that_the_network_can_take(detector: TextMap) -> None:
    assert detector(torch.rand(2, 3, 100, 10)).shape == (2, 1, 96, 32)


def test_gradients_reach_the_pixels_and_no_weight_ever_changes(detector: TextMap) -> None:
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    assert before
    x = torch.rand(1, 3, 64, 96, requires_grad=True)
    detector.train()
    detector(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all(dim=1).float().mean() > 0.99
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    assert not any(module.training for module in detector.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in detector.state_dict().items())


def test_what_is_enlarged_by_factors_needs_no_tensor_for_them(detector: TextMap) -> None:
    assert "OnnxResize" not in {type(module).__name__ for module in detector.modules()}
    assert not any(name.startswith("helper") for name, _ in detector.named_buffers())


def test_a_graph_that_resizes_to_a_size_is_refused() -> None:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 1, None, None]) for name in "xy")
    sizes = onnx.numpy_helper.from_array(np.array([1, 1, 8, 8]), "sizes")
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    node = onnx.helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **how)
    graph = onnx.helper.make_graph([node], "resizes", [x], [y], [sizes])
    with pytest.raises(ValueError, match="resizes to a size, not by factors"):
        converted(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]))
