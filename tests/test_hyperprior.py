"""What is decoded is what was coded, bit for bit, wherever it is decoded, and costs what it was said to cost."""

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_files import decoded_elsewhere, ready_codec
from PIL import Image

from tfic.checkpoints import checkpoint
from tfic.codec import build
from tfic.codec.bitstream import BitstreamError
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.config import Config
from tfic.synth import draw

PAGE = Image.fromarray(draw(0, "test", 0).image)


@pytest.fixture(scope="module")
def codec() -> MeanScaleHyperprior:
    """An untrained codec whose latents are some units wide and whose Gaussians are as wide as they."""
    torch.manual_seed(0)
    codec = build("tic-tiny").eval()
    assert isinstance(codec, MeanScaleHyperprior)
    with torch.no_grad():
        codec.g_a[-2].weight.mul_(10)
        codec.h_s[-1].bias[: codec.g_a[-2].out_channels] = codec.g_a(tensor(PAGE)).std((0, 2, 3))
    codec.update()
    return codec


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def tensor(*images: Image.Image) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1).float() / 255 for each in images])


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
        assert torch.get_num_threads() == count, "coding must leave the number of threads as it found it"
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["tic-tiny", "tic-small", "lite"])
@torch.no_grad()
def test_latents_do_not_depend_on_the_memory_layout_of_an_image(name: str) -> None:
    """Pixels of an array lie together, those of a tensor do not, and convolutions take another kernel for either."""
    torch.manual_seed(0)
    codec = build(name).eval()
    assert isinstance(codec, MeanScaleHyperprior)
    for seed in range(5):
        x = tensor(noise(37, 50, seed))
        as_array = x[0].permute(1, 2, 0).contiguous().permute(2, 0, 1)[None]
        assert as_array.stride() != x.stride()
        assert torch.equal(codec._analyse(as_array), codec._analyse(x))
        z_hat = torch.randn(1, codec.z_channels, 3, 4)
        other = z_hat.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        assert torch.equal(codec._gaussians(other, 9, 13).scales, codec._gaussians(z_hat, 9, 13).scales)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (128, 32), (100, 131)])
@torch.no_grad()
def test_decoding_gives_the_evaluation_forward_pass_exactly(codec: MeanScaleHyperprior, size: tuple[int, int]) -> None:
    image = noise(*size)
    expected = codec(tensor(image)).x_hat[0].clamp(0, 1)
    data = codec.encode(image)
    assert torch.equal(codec.decode_tensor(data), expected)
    assert np.array_equal(np.asarray(codec.decode(data)), (expected * 255).round().byte().permute(1, 2, 0).numpy())


@torch.no_grad()
def test_neither_threads_nor_company_nor_memory_layout_change_a_bit(codec: MeanScaleHyperprior) -> None:
    images = [PAGE, *(noise(256, 256, seed) for seed in range(2))]
    with threads(1):
        alone = [codec(tensor(image)).x_hat for image in images]
        files = [codec.encode(image) for image in images]
    for count in (2, 3, 4):
        with threads(count):
            batch = codec(tensor(*images)).x_hat
            shuffled = codec(tensor(*images).contiguous(memory_format=torch.channels_last)).x_hat
            for i, image in enumerate(images):
                assert torch.equal(batch[i], alone[i][0])
                assert torch.equal(shuffled[i], alone[i][0])
                assert codec.encode(image) == files[i]
                assert torch.equal(codec.decode_tensor(files[i]), alone[i][0].clamp(0, 1))


def test_every_network_runs_on_one_thread_while_coding(codec: MeanScaleHyperprior) -> None:
    """On some processors the test above passes without it, on others the same network gives other floats."""
    seen: list[int] = []
    hooks = [
        getattr(codec, name).register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
        for name in ("g_a", "g_s", "h_a", "h_s")
    ]
    with threads(3):
        codec.decode(codec.encode(PAGE))
        codec(tensor(PAGE, PAGE))
    for hook in hooks:
        hook.remove()
    assert seen == [1] * (3 + 2 + 2 * 4)


@torch.no_grad()
def test_the_estimate_of_an_image_is_that_of_the_evaluation_forward_pass(codec: MeanScaleHyperprior) -> None:
    assert codec.estimated_bits(PAGE) == pytest.approx(float(codec(tensor(PAGE)).bits()))


@pytest.mark.slow
def test_another_process_with_other_threads_decodes_the_same_pixels(codec: MeanScaleHyperprior, tmp_path: Path) -> None:
    model, data = tmp_path / "codec.safetensors", codec.encode(PAGE)
    checkpoint.save(codec, Config(codec="tic-tiny"), model)
    assert np.array_equal(decoded_elsewhere(model, data, tmp_path), np.asarray(codec.decode(data)))


@contextmanager
def perturbed(codec: MeanScaleHyperprior, part: str, by: float) -> Iterator[None]:
    """Another machine, whose arithmetic errs by as much: on the scales or on the means."""
    bias = codec.h_s[-1].bias
    M = len(bias) // 2
    before, fingerprint = bias.detach().clone(), codec.fingerprint  # the weights are the same: only the sums differ
    hook = codec.h_s.register_forward_hook(
        lambda _, __, out: (
            out + by * torch.randn_like(out) * (torch.arange(2 * M) < M).eq(part == "scales").view(1, -1, 1, 1)
        )
    )
    try:
        yield
    finally:
        hook.remove()
    assert torch.equal(bias, before)
    assert codec.fingerprint == fingerprint


def test_a_machine_that_sums_in_another_order_decodes_the_same(codec: MeanScaleHyperprior) -> None:
    data = codec.encode(PAGE)
    here = codec.decode_tensor(data)
    for part in ("scales", "means"):
        for seed in range(5):
            torch.manual_seed(seed)
            with perturbed(codec, part, 1e-13):
                assert torch.equal(codec.decode_tensor(data), here)


def test_means_that_differ_move_pixels_a_little_and_scales_that_differ_are_named(codec: MeanScaleHyperprior) -> None:
    data = codec.encode(PAGE)
    here = codec.decode_tensor(data)
    with perturbed(codec, "means", 1e-4):
        assert 0 < (codec.decode_tensor(data) - here).abs().max() < 0.01
    with perturbed(codec, "scales", 1e-3), pytest.raises(BitstreamError, match="computes other scales"):
        codec.decode(data)


def test_a_file_encoded_in_bfloat16_is_decoded_in_float32_and_the_other_way_round(codec: MeanScaleHyperprior) -> None:
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        rough = codec.encode(PAGE)
        assert torch.equal(codec.decode_tensor(rough), codec(tensor(PAGE)).x_hat[0].clamp(0, 1))
    exact = codec.encode(PAGE)
    assert rough != exact, "bfloat16 rounds to other symbols, or the test tests nothing"
    difference = np.asarray(codec.decode(rough), np.float32) - np.asarray(codec.decode(exact), np.float32)
    assert np.abs(difference).mean() < 3
    with torch.autocast("cpu", torch.bfloat16):
        again = np.asarray(codec.decode(exact), np.float32)
    assert np.abs(again - np.asarray(codec.decode(exact), np.float32)).mean() < 3


def test_grey_images_come_back_grey_and_tensors_as_tensors(codec: MeanScaleHyperprior) -> None:
    grey = codec.decode(codec.encode(PAGE.convert("L")))
    assert (grey.mode, grey.size) == ("L", PAGE.size)
    assert codec.encode(tensor(PAGE)[0]) == codec.encode(PAGE) == codec.encode(np.asarray(PAGE))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.zeros(1, 8, 8), r"tensor of shape \(1, 8, 8\); an image is \(3, H, W\)"),
        (torch.full((3, 8, 8), 255.0), r"outside \[0, 1\]; divide 8-bit values by 255"),
        (torch.full((3, 8, 8), torch.nan), r"outside \[0, 1\]"),
        (torch.zeros((3, 8, 8), dtype=torch.uint8), "uint8 tensor"),
        (torch.zeros(3, 0, 5), r"tensor of shape \(3, 0, 5\)"),
        ("page.png", r"a str; an image is a Pillow image \(Image.open\)"),
        (np.zeros((8, 8), np.uint8), r"array of shape \(8, 8\); an image is \(H, W, 3\) of uint8"),
        (np.zeros((8, 8, 3), np.float32), "float32 array"),
        (np.zeros((1, 70_000, 3), np.uint8), "1 x 70000 pixels cannot be coded"),
    ],
)
def test_what_is_no_image_is_refused(codec: MeanScaleHyperprior, image: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        codec.encode(image)


def test_a_codec_that_has_coded_can_be_copied_and_pickled(codec: MeanScaleHyperprior) -> None:
    data = codec.encode(PAGE)
    for other in (copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):
        assert other.encode(PAGE) == data


@pytest.mark.parametrize("name", ["tic-tiny", "mbt2018-mean"])
def test_several_threads_may_share_a_codec(name: str) -> None:
    codec = ready_codec(name)
    images = [noise(64, 64, seed) for seed in range(8)]
    alone = [codec.encode(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(codec.encode, images))
        decoded = list(pool.map(codec.decode_tensor, together))
    assert together == alone
    assert all(torch.equal(there, codec.decode_tensor(data)) for there, data in zip(decoded, alone, strict=True))
    assert next(codec.parameters()).dtype == torch.float32


def test_a_codec_that_cannot_code_now_says_what_to_call(codec: MeanScaleHyperprior) -> None:
    data = codec.encode(PAGE)
    other = copy.deepcopy(codec)
    with pytest.raises(ValueError, match="in training, where results depend on chance; call eval"):
        other.train().encode(PAGE)
    with pytest.raises(ValueError, match="in training"):
        other.decode(data)
    with pytest.raises(ValueError, match=r"weights are torch.float16; .* call float"):
        other.eval().half().encode(PAGE)


def test_the_fingerprint_follows_the_weights(codec: MeanScaleHyperprior) -> None:
    other = copy.deepcopy(codec)
    assert other.fingerprint == codec.fingerprint
    assert other.half().float().fingerprint != codec.fingerprint
    other.load_state_dict(codec.state_dict())
    assert other.fingerprint == codec.fingerprint


def test_coding_before_the_tables_are_made_is_refused() -> None:
    with pytest.raises(ValueError, match="call update"):
        build("tic-tiny").eval().encode(noise(16, 16))
