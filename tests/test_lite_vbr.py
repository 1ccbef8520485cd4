"""One codec codes at any quality: what a file states is enough to decode it, to the bit."""

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import decoded_elsewhere, ready_codec, signed
from PIL import Image

from tfic.__main__ import main
from tfic.checkpoints import checkpoint
from tfic.checkpoints.export import export
from tfic.codec import build
from tfic.codec.bitstream import OVERHEAD_BYTES, BitstreamError, unpack
from tfic.codec.conditioned import ConditionedBlock, Shift
from tfic.codec.entropy import Part
from tfic.codec.image_codec import fingerprint_of
from tfic.codec.quality import knot_weights
from tfic.codec.variable_rate import VariableRate
from tfic.config import Config
from tfic.synth import draw

PAGE = Image.fromarray(draw(0, "test", 0, height_px=96, width_px=128).image)
QUALITY = OVERHEAD_BYTES - 4
"""Where a file keeps its quality."""


@pytest.fixture(scope="module")
def codec() -> VariableRate:
    """An untrained codec in which everything counts: no addend is zero, and half of y is coded."""
    torch.manual_seed(0)
    codec = build("lite-vbr").eval()
    assert isinstance(codec, VariableRate)
    with torch.no_grad():
        for module in codec.modules():
            if isinstance(module, ConditionedBlock):
                for weight in (module.narrow.weight, module.stretch, module.shift):
                    weight.normal_(std=0.02)
            elif isinstance(module, Shift):
                module.table.normal_(std=0.1)
        codec.context.out.weight.normal_(std=0.1)
        codec.head.bias[: codec.head.out_features // 4].fill_(1.5)
        knots = knot_weights(torch.tensor([50.0]))
        for layer in (codec.g_a[3].conv.weight, codec.g_a[3].conv.bias):
            layer.mul_(1 / codec.g_a(tensor(PAGE), knots).std())
    codec.update()
    return codec


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (128, 32), (100, 131)])
@pytest.mark.parametrize("quality", [0, 37.5, 100])
@torch.no_grad()
def test_any_size_at_any_quality_is_decoded_to_the_evaluation_forward_pass(
    codec: VariableRate, size: tuple[int, int], quality: float
) -> None:
    x = torch.rand(1, 3, *size)
    data = codec.encode(x[0], quality)
    assert torch.equal(codec.decode_tensor(data), codec.at(quality)(x).x_hat[0].clamp(0, 1))


def test_the_fixture_codes_a_part_of_y_and_other_symbols_at_another_quality(codec: VariableRate) -> None:
    streams = {quality: unpack(codec.encode(PAGE, quality))[0].stream for quality in (0, 10, 50, 90, 100)}
    lengths = [len(stream) for stream in streams.values()]
    assert lengths == sorted(lengths)
    assert len(set(streams.values())) == len(streams)
    elements = 6 * 8 * 128
    assert 0.2 * elements < sum(int(part.gaussians.uncertain().sum()) for part in _parts(codec)) < 0.8 * elements


@torch.no_grad()
def _parts(codec: VariableRate) -> tuple[Part, Part]:
    return codec._latents(tensor(PAGE)).parts


def test_a_file_states_its_quality_in_steps_of_a_half_and_another_process_needs_nothing_else(
    codec: VariableRate, tmp_path: Path
) -> None:
    data = codec.encode(PAGE, 71.3)
    assert unpack(data)[1].level == 143
    assert data == codec.encode(PAGE, 71.5) != codec.encode(PAGE, 72)
    assert codec.overhead_bytes(PAGE) == OVERHEAD_BYTES + 1 == len(data) - len(unpack(data)[0].stream)
    model = tmp_path / "codec.safetensors"
    checkpoint.save(codec, Config(codec="lite-vbr"), model)
    assert np.array_equal(decoded_elsewhere(model, data, tmp_path), np.asarray(codec.decode(data)))


def test_without_a_quality_a_codec_takes_its_own_which_is_that_of_the_lambda_it_was_trained_for(
    codec: VariableRate,
) -> None:
    own = copy.deepcopy(codec)
    assert own.encode(PAGE) == own.encode(PAGE, 50)
    own.settle(0.0016)
    own.update()
    assert own.encode(PAGE) == own.encode(PAGE, 25)
    assert own.fingerprint != codec.fingerprint
    loaded = build("lite-vbr")
    assert isinstance(loaded, VariableRate)
    loaded.load_state_dict(own.state_dict())
    assert loaded.level == 50


def test_the_codec_at_a_quality_shares_the_weights(codec: VariableRate) -> None:
    finer = codec.at(80)
    assert (finer.level, codec.level) == (160, 100)
    assert finer.fingerprint == codec.fingerprint
    assert all(a is b for a, b in zip(finer.parameters(), codec.parameters(), strict=True))
    assert finer.encode(PAGE) == codec.encode(PAGE, 80)


def test_a_damaged_quality_is_refused(codec: VariableRate) -> None:
    data = codec.encode(PAGE, 40)
    for level, words in ((201, "quality 100.5; qualities are 0 to 100"), (255, "quality 127.5")):
        with pytest.raises(BitstreamError, match=f"the file states {words}"):
            codec.decode(signed(data[:QUALITY] + bytes([level]) + data[QUALITY + 1 : -4]))
    with pytest.raises(BitstreamError, match="ends before its quality"):
        codec.decode(signed(data[:QUALITY]))
    with pytest.raises(BitstreamError, match="damaged"):
        codec.decode(data[:QUALITY] + b"\x51" + data[QUALITY + 1 :])
    without = signed(data[:17] + b"\0" + data[18:QUALITY] + data[QUALITY + 1 : -4])
    with pytest.raises(BitstreamError, match="states no quality, which its model never does"):
        codec.decode(without)


def test_a_codec_of_one_quality_refuses_any(codec: VariableRate) -> None:
    lite = ready_codec("lite")
    with pytest.raises(ValueError, match="quality 30 was asked of a codec that has one quality only"):
        lite.encode(PAGE, 30)
    stated = lite.encode(PAGE)
    with pytest.raises(BitstreamError, match="states quality 20, which its model never does"):
        lite.decode(signed(stated[:17] + b"\2" + stated[18:QUALITY] + b"\x28" + stated[QUALITY:-4]))
    with pytest.raises(ValueError, match="quality is 101"):
        codec.encode(PAGE, 101)


@torch.no_grad()
def test_a_machine_with_other_scales_is_told_and_one_that_sums_in_another_order_decodes_the_same(
    codec: VariableRate,
) -> None:
    data = codec.encode(PAGE)
    here = codec.decode_tensor(data)
    for by, same in ((1e-13, True), (1e-3, False)):
        hooks = [
            module.register_forward_hook(lambda _, __, out, by=by: out + by * torch.randn_like(out))
            for module in (codec.head, codec.context)
        ]
        try:
            if same:
                assert torch.equal(codec.decode_tensor(data), here)
            else:
                with pytest.raises(BitstreamError, match="computes other scales"):
                    codec.decode(data)
        finally:
            for hook in hooks:
                hook.remove()


@torch.no_grad()
def test_training_bits_are_at_least_evaluation_bits_and_coded_bits_hardly_more_than_these(
    codec: VariableRate,
) -> None:
    estimated = codec.estimated_bits(PAGE)
    coded = 8 * len(unpack(codec.encode(PAGE))[0].stream)
    assert 0.9 * estimated < coded < 1.01 * estimated + 64, "values rarer than 2^-16 cost less than the estimate says"
    training = copy.deepcopy(codec).train()
    noisy = np.mean([float(training(tensor(PAGE)).bits()) for _ in range(4)])
    assert noisy >= estimated


@torch.no_grad()
@pytest.mark.parametrize("quality", [0, 70.5])
def test_estimated_bits_are_those_of_the_forward_pass_and_need_no_decoder(codec: VariableRate, quality: float) -> None:
    expected = float(codec.at(quality)(tensor(PAGE)).bits())
    decoded: list[object] = []
    hook = codec.g_s.register_forward_hook(lambda *_: decoded.append(1))
    try:
        assert codec.at(quality).estimated_bits(PAGE) == expected
        codec.at(quality).bits_by_block(PAGE)
    finally:
        hook.remove()
    assert not decoded


@torch.no_grad()
def test_in_training_each_image_has_a_quality_of_its_own(codec: VariableRate) -> None:
    training = copy.deepcopy(codec).train()
    x = tensor(PAGE)
    together = training.at_qualities(torch.cat([x, x]), torch.tensor([10.0, 90.0])).x_hat
    for image, quality in zip(together, (10, 90), strict=True):
        alone = codec.at(quality)(x).x_hat[0]
        assert (alone - image).abs().mean() < 0.05 * alone.std(), "but for ties and the grid of means"


def test_every_weight_learns(codec: VariableRate) -> None:
    training = copy.deepcopy(codec).train()
    result = training.at_qualities(torch.rand(5, 3, 64, 64), torch.tensor([0.0, 25.0, 50.0, 75.0, 100.0]))
    (result.bits() / 8192 + result.x_hat.square().mean()).backward()
    trained = {name: each for name, each in training.named_parameters() if each.requires_grad}
    assert not [name for name, each in trained.items() if each.grad is None or not each.grad.abs().sum()]


def test_an_encoder_in_two_passes_is_not_exported(codec: VariableRate, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"several qualities codes y in two passes.*export lite"):
        export(codec, 64, 64, tmp_path / "encoder.onnx")


def test_the_command_line_encodes_at_a_quality_and_tells_it(
    codec: VariableRate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint.save(codec, Config(codec="lite-vbr"), Path("m.safetensors"))
    PAGE.save("page.png")
    assert main(["encode", "page.png", "a.tfic", "--model", "m.safetensors", "--quality", "12.5"]) == 0
    assert Path("a.tfic").read_bytes() == codec.encode(PAGE, 12.5)
    assert main(["decode", "a.tfic", "back.png", "--model", "m.safetensors"]) == 0
    assert np.array_equal(np.asarray(Image.open("back.png")), np.asarray(codec.decode(codec.encode(PAGE, 12.5))))
    assert main(["info", "a.tfic"]) == main(["info", "m.safetensors"]) == 0
    told = capsys.readouterr().out
    assert "quality      12.5 of 100" in told
    assert "quality      0 to 100; 50 where none is asked for" in told
    assert main(["encode", "page.png", "b.tfic", "--model", "m.safetensors", "--quality", "120"]) == 2
    assert "quality is 120.0; it must be between 0" in capsys.readouterr().err


def test_z_counts_from_where_it_did_in_training_whose_rounded_values_are_all_that_the_decoder_knows(
    codec: VariableRate,
) -> None:
    trained = copy.deepcopy(codec)
    with torch.no_grad():
        for name, bias in trained.latents.entropy_bottleneck.named_parameters():
            if "bias" in name:
                bias += 0.7  # the density moves, as in training
    shown = trained.train()(tensor(PAGE), quality=torch.tensor([50.0])).x_hat.detach().clamp(0, 1)
    trained.eval().update()
    assert torch.equal(trained.latents.medians(), codec.latents.medians())
    assert not torch.equal(trained.latents.entropy_bottleneck.quantiles, codec.latents.entropy_bottleneck.quantiles)
    decoded = torch.from_numpy(np.array(trained.decode(trained.encode(PAGE, quality=50)))).permute(2, 0, 1)[None] / 255
    assert (decoded - shown).abs().mean() < 0.5 / 255, (
        "rounding to bytes, and floats that a decoder must repeat exactly"
    )


def test_weights_are_hashed_once_and_not_for_every_image(codec: VariableRate, monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.encode(PAGE, 30)
    hashed: list[int] = []

    def counted(tensors: Mapping[str, torch.Tensor]) -> bytes:
        hashed.append(len(tensors))
        return fingerprint_of(tensors)

    monkeypatch.setattr("tfic.codec.image_codec.fingerprint_of", counted)
    assert codec.encode(PAGE, 30) == data
    assert codec.decode(data).size == PAGE.size
    assert not hashed
