"""CompressAI's models under our interface: what is decoded is what was encoded, and a damaged file is told."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import decoded_elsewhere
from PIL import Image
from torch import nn

from tfic.checkpoints import checkpoint
from tfic.codec import build, names
from tfic.codec.bitstream import OVERHEAD_BYTES, BitstreamError, Coded, pack, unpack
from tfic.codec.compressai_models import CompressAIModel
from tfic.codec.compressai_widths import WIDTHS
from tfic.codec.image_codec import ImageCodec
from tfic.config import DataConfig
from tfic.recipes import tiny
from tfic.synth import draw
from tfic.training.train import fit

PAGE = torch.from_numpy(draw(0, "test", 0).image).permute(2, 0, 1).float() / 255


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same models with few channels, on one thread: the code is the same, and the tests take seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, widths in WIDTHS.items():
        narrow = (16, 144) if name.startswith("elic") else (16, 24)
        monkeypatch.setitem(WIDTHS, name, narrow[: len(widths)])
    yield
    torch.set_num_threads(threads)


def usable(name: str) -> ImageCodec:
    """An untrained codec whose latents are some units wide."""
    torch.manual_seed(0)
    codec = build(name).eval()
    with torch.no_grad():
        y = codec.g_a(PAGE[None, :, :128, :128])
        last(codec.g_a).weight.mul_(5 / y.std())
        if hasattr(codec, "h_a"):
            last(codec.h_a).weight.mul_(1 / codec.h_a(y).std())
    codec.update()
    return codec


def last(transform: nn.Module) -> nn.Conv2d:
    return [each for each in transform.modules() if isinstance(each, nn.Conv2d)][-1]


def test_every_image_model_that_compressai_knows_has_its_name_here() -> None:
    from compressai.registry import MODELS  # not above: tfic imports CompressAI without its warnings
    from compressai.zoo import image_models

    known = set(image_models) | {name for name, each in MODELS.items() if each.__module__.endswith("sensetime")}
    assert known == set(WIDTHS)
    others = {each.__module__.split(".")[2] for name, each in MODELS.items() if name not in WIDTHS}
    assert others == {"pointcloud", "video"}
    assert known < set(names())


@pytest.mark.parametrize("name", WIDTHS)
def test_a_model_trains_and_what_is_decoded_is_its_evaluation_forward_pass(name: str) -> None:
    codec = usable(name).train()
    with torch.enable_grad():
        x = PAGE[None, :, :40, :60]
        result = codec(x)
        assert result.x_hat.shape == x.shape
        (result.bits() / 1e4 + (result.x_hat - x).square().mean()).backward()
    without = {each for each, p in codec.named_parameters() if p.requires_grad and p.grad is None}
    assert without <= {"model.Gain"}, "only the gain of the variable-rate models is no matter of training here"
    codec.eval()
    before = {key: value.clone() for key, value in codec.state_dict().items()}
    data, threads = codec.encode(x[0]), torch.get_num_threads()
    torch.set_num_threads(3)
    decoded = codec.decode_tensor(data)
    torch.set_num_threads(threads)
    with torch.no_grad():
        expected = codec(x).x_hat[0].clamp(0, 1)
    assert torch.equal(decoded, expected)
    after = codec.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before), "the fingerprint would be another"


@torch.no_grad()
def test_company_changes_no_bit() -> None:
    codec = usable("mbt2018-mean")
    images = torch.stack([PAGE[:, :100, :131], PAGE[:, 100:200, 100:231]])
    for alone, image in zip(codec(images).x_hat, images, strict=True):
        assert torch.equal(codec.decode_tensor(codec.encode(image)), alone.clamp(0, 1))


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "bmshj2018-hyperprior"])
def test_straight_through_shows_the_decoder_rounded_latents_and_passes_gradients(name: str) -> None:
    codec = usable(name).train()
    x = PAGE[None, :, :64, :64]
    assert not torch.equal(codec(x).x_hat, codec(x).x_hat), "training is noisy"
    once, twice = (codec(x, straight_through=True) for _ in range(2))
    assert torch.equal(once.x_hat, twice.x_hat)
    assert not torch.equal(once.likelihoods[0], twice.likelihoods[0]), "a rate needs a density"
    once.x_hat.sum().backward()
    assert float(last(codec.g_a).weight.grad.abs().sum()) > 0
    noisy = codec(x).x_hat
    with torch.no_grad():
        assert torch.allclose(once.x_hat, codec.eval()(x).x_hat, atol=1e-4)
    assert not torch.allclose(noisy, once.x_hat, atol=1e-4)


def fitting() -> ImageCodec:
    """A codec whose Gaussians are as wide as its latents."""
    codec = usable("mbt2018-mean")
    with torch.no_grad():
        y = codec.g_a(PAGE[None])
        last(codec.h_s).bias.copy_(torch.cat([y.std((0, 2, 3)), y.mean((0, 2, 3))]))
    codec.update()
    return codec


@torch.no_grad()
def test_coded_bits_of_a_page_are_the_estimate_within_one_percent_and_the_header() -> None:
    codec, page = fitting(), Image.fromarray(draw(0, "test", 0).image)
    estimated, coded = codec.estimated_bits(page), 8 * (len(codec.encode(page)) - OVERHEAD_BYTES)
    assert estimated > 15_000, "too few bits to say anything about one percent"
    assert 0.99 * estimated <= coded <= 1.01 * estimated + 64


def test_a_machine_that_computes_other_scales_is_told() -> None:
    codec = fitting()
    data = codec.encode(PAGE)
    hook = last(codec.h_s).register_forward_hook(lambda _, __, out: out + 1e-3 * torch.randn_like(out))
    with pytest.raises(BitstreamError, match="computes other scales"):
        codec.decode(data)
    hook.remove()
    assert codec.encode(PAGE) == data


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "mbt2018-mean", "cheng2020-anchor-checkerboard"])
def test_a_damaged_stream_is_refused_or_is_the_stream_of_another_image(name: str) -> None:
    """Only with a checksum made anew does a damaged stream get so far; what then ends where it should is a real one."""
    codec = usable(name)
    coded, header = unpack(codec.encode(PAGE[:, :33, :47]))
    chance, refused = random.Random(0), 0
    for trial in range(40):
        stream = bytearray(coded.stream)
        match trial % 4:
            case 0:
                stream[chance.randrange(len(stream))] ^= chance.randrange(1, 256)
            case 1:
                stream = stream[: chance.randrange(len(stream))]
            case 2:
                stream = bytearray(chance.randbytes(4 * chance.randrange(0, len(stream) // 2)))
            case 3:
                stream += chance.randbytes(4)
        try:
            decoded = codec.decode_tensor(pack(Coded(bytes(stream), coded.check), header))
        except BitstreamError:
            refused += 1
        else:
            assert decoded.isfinite().all()
    assert refused > 20


def test_coding_before_the_tables_are_made_is_refused() -> None:
    with pytest.raises(ValueError, match="call update"):
        build("mbt2018-mean").eval().encode(PAGE)


@pytest.mark.parametrize("name", ["ssf2020", "mbt2018_mean"])
def test_what_is_no_image_model_is_refused_and_the_nearest_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"no codec '{name}'; did you mean"):
        build(name)


@pytest.mark.slow
def test_a_trained_model_codes_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the other process has the widths of CompressAI
    config = tiny()
    train = replace(
        config.train, klt_start=False, pretrain_steps=2, finetune_steps=2, batch=1, finetune_batch=1, log_every=1,
        crop_height_px=64, crop_width_px=64, read_width_px=200,
    )  # fmt: skip
    data = DataConfig(train_count=2, test_count=1)
    config = replace(config, codec="bmshj2018-hyperprior", gamma=1.0, train=train, data=data)
    path = fit(config, tmp_path, lambda progress: None)
    codec = checkpoint.load(path)
    assert isinstance(codec, CompressAIModel)
    data = codec.encode(PAGE)
    assert np.array_equal(decoded_elsewhere(path, data, tmp_path), np.asarray(codec.decode(data)))
