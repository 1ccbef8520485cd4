"""An exported encoder writes what the codec decodes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from tfic.checkpoints.export import export
from tfic.codec import build
from tfic.codec.image_codec import ImageCodec
from tfic.codec.klt import start_from_klt
from tfic.onnx_encoder import OnnxEncoder
from tfic.synth import draw

pytestmark = pytest.mark.slow

SIZE = (120, 200)  # neither side is a whole number of patches at every scale


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    torch.manual_seed(0)
    codec = build("lite").eval()
    pages = [torch.from_numpy(np.array(draw(0, "train", i).image)) for i in range(8)]
    start_from_klt(codec, torch.stack(pages).permute(0, 3, 1, 2).float() / 255, 0.004)
    for module in codec.h_s.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.02)  # scales that depend on z, as in a trained codec
    codec.update()
    return codec


@pytest.fixture(scope="module")
def encoder(codec: ImageCodec, tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    path = tmp_path_factory.mktemp("export") / "encoder.onnx"
    export(codec, *SIZE, path)
    return OnnxEncoder(path)


def test_onnx_runtime_and_pytorch_write_files_of_the_same_scales_and_symbols_but_for_ties(
    codec: ImageCodec, encoder: OnnxEncoder
) -> None:
    """float32 sums differ in the last digits, so that a symbol may be rounded to the other side; no scale may."""
    same = 0
    for i in range(6):
        image = Image.fromarray(draw(0, "test", i, height_px=SIZE[0], width_px=SIZE[1]).image)
        ours, theirs = codec.encode(image), encoder.encode(image)
        same += ours == theirs
        difference = (codec.decode_tensor(ours) - codec.decode_tensor(theirs)).abs()
        assert difference.mean() < 1e-4
    assert same >= 5


def test_grey_stays_grey_and_other_sizes_are_refused(codec: ImageCodec, encoder: OnnxEncoder) -> None:
    grey = Image.fromarray(draw(0, "test", 0, height_px=SIZE[0], width_px=SIZE[1]).image).convert("L")
    assert codec.decode(encoder.encode(grey)).mode == "L"
    with pytest.raises(ValueError, match="64 x 64 pixels; this encoder was exported for 200 x 120"):
        encoder.encode(grey.resize((64, 64)))


def test_what_cannot_be_exported_or_run_is_refused(tmp_path: Path) -> None:
    codec = build("tic-tiny").eval()
    codec.update()
    with pytest.raises(ValueError, match="not made of convolutions and ReLU alone"):
        export(codec, 64, 64, tmp_path / "encoder.onnx")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="no encoder at"):
        OnnxEncoder(tmp_path / "encoder.onnx")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "other", values[:1], values[1:])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9),
        str(tmp_path / "other.onnx"),
    )
    with pytest.raises(ValueError, match="no encoder of a TFIC codec"):
        OnnxEncoder(tmp_path / "other.onnx")


def test_an_encoder_runs_where_there_is_no_pytorch(codec: ImageCodec, tmp_path: Path) -> None:
    export(codec, 40, 60, tmp_path / "encoder.onnx")
    image = Image.fromarray(draw(0, "test", 0, height_px=40, width_px=60).image)
    image.save(tmp_path / "x.png")
    program = (
        "import sys; sys.modules['torch'] = None\n"  # importing it is an error from here on
        "from pathlib import Path; from PIL import Image; from tfic.onnx_encoder import OnnxEncoder\n"
        "encoder = OnnxEncoder(Path('encoder.onnx'))\n"
        "Path('x.tfic').write_bytes(encoder.encode(Image.open('x.png')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert codec.decode((tmp_path / "x.tfic").read_bytes()).size == image.size
    assert {path.name for path in tmp_path.iterdir()} == {"encoder.onnx", "x.png", "x.tfic"}
