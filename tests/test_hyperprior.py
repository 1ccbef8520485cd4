"""What is decoded is what was coded, bit for bit, and costs what it was said to cost."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tfic import checkpoint
from tfic.codec import build
from tfic.codec.hyperprior import MeanScaleHyperprior, to_image, to_tensor
from tfic.config import Config
from tfic.synth import draw


@pytest.fixture(scope="module")
def codec() -> MeanScaleHyperprior:
    """An untrained codec whose latents are some units wide and whose Gaussians are as wide as they."""
    torch.manual_seed(0)
    codec = build("tic-tiny").eval()
    with torch.no_grad():
        codec.g_a[-2].weight.mul_(10)
        codec.h_a[-2].weight.mul_(3)
        codec.h_s[-1].bias[: codec.g_a[-2].out_channels] = codec.g_a(to_tensor(draw(0, "test", 0).image)).std((0, 2, 3))
    codec.update()
    return codec


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (128, 32), (100, 131)])
def test_decoding_gives_the_evaluation_forward_pass_exactly(codec: MeanScaleHyperprior, size: tuple[int, int]) -> None:
    x = image(*size)
    with torch.no_grad():
        expected = to_image(codec(to_tensor(x)).x_hat)
    assert np.array_equal(codec.decode(codec.encode(x)), expected)


def test_the_estimate_of_an_image_is_that_of_the_evaluation_forward_pass(codec: MeanScaleHyperprior) -> None:
    x = draw(0, "test", 0).image
    with torch.no_grad():
        assert codec.estimated_bits(x) == pytest.approx(float(codec(to_tensor(x)).bits()))


def test_another_process_decodes_the_same_pixels(codec: MeanScaleHyperprior, tmp_path: Path) -> None:
    x = draw(0, "test", 2).image
    checkpoint.save(codec, Config(codec="tic-tiny"), tmp_path / "codec.safetensors")
    (tmp_path / "x.tfic").write_bytes(codec.encode(x))
    Image.fromarray(codec.decode(codec.encode(x))).save(tmp_path / "here.png")
    program = (
        "import sys; from pathlib import Path; from PIL import Image; from tfic import checkpoint\n"
        "here = Path(sys.argv[1]); codec = checkpoint.load(here / 'codec.safetensors')\n"
        "Image.fromarray(codec.decode((here / 'x.tfic').read_bytes())).save(here / 'there.png')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    there, here = (np.asarray(Image.open(tmp_path / name)) for name in ("there.png", "here.png"))
    assert np.array_equal(there, here)


def test_other_scales_than_the_encoder_s_are_named_and_never_decoded(codec: MeanScaleHyperprior) -> None:
    x = image(64, 64)
    coded = codec.compress(to_tensor(x))
    with torch.no_grad():
        codec.h_s[-1].bias[: codec.g_a[-2].out_channels].add_(0.3)
    with pytest.raises(ValueError, match="computes other scales"):
        codec.decompress(coded, 64, 64)
    with torch.no_grad():
        codec.h_s[-1].bias[: codec.g_a[-2].out_channels].sub_(0.3)


def test_coding_before_the_tables_are_made_is_refused() -> None:
    with pytest.raises(ValueError, match="call update"):
        build("tic-tiny").eval().encode(image(16, 16))
