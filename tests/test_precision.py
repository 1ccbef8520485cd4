"""Precision: bf16 for transforms and readers, float32 for what is counted; on the CPU float32 stays what it was."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sweep.spec.presets import preset
from tfic.codec import build
from tfic.codec.image_codec import ImageCodec
from tfic.config import TrainConfig
from tfic.ocr.ppocr import alphabet
from tfic.ocr.training_reader import AtPrecision, Sight
from tfic.system.precision import in_float32, matrix_products, networks
from tfic.training import losses
from tfic.training.steps import compile_transforms

CPU = torch.device("cpu")


def seen_by(codec: ImageCodec, x: Tensor, precision: str) -> tuple[float, float, list[Tensor]]:
    """Estimated bits per pixel, distortion, and gradients, with the same noise at each precision."""
    torch.manual_seed(3)
    codec.zero_grad()
    with networks(precision, CPU):
        result = codec(x)
    assert {each.dtype for each in result.likelihoods} == {torch.float32}
    rate, distortion = losses.rate(result.bits(), x), losses.distortion(x, result.x_hat.float())
    (rate + 0.01 * distortion).backward()
    return rate.item(), distortion.item(), [p.grad for p in codec.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", ["tic-tiny", "lite", "lite-vbr"])
def test_bf16_gives_the_loss_and_the_gradients_of_float32_within_its_digits(name: str) -> None:
    torch.manual_seed(2)
    codec, x = build(name).train(), torch.rand(2, 3, 64, 64)
    rate, distortion, gradients = seen_by(codec, x, "float32")
    rough_rate, rough_distortion, rough = seen_by(codec, x, "bf16")
    assert rough_rate == pytest.approx(rate, rel=0.02)
    assert rough_distortion == pytest.approx(distortion, rel=0.02)
    assert (rough_rate, rough_distortion) != (rate, distortion), "it was computed otherwise"
    assert {each.dtype for each in rough} == {torch.float32}
    ours, theirs = (torch.cat([each.flatten() for each in some]) for some in (rough, gradients))
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.99


def test_what_is_counted_is_computed_in_float32_inside_networks_of_bf16() -> None:
    x = torch.rand(4, 4)
    with networks("bf16", CPU):
        assert (x @ x).dtype == torch.bfloat16
        with in_float32(CPU):
            assert (x @ x).dtype == torch.float32
    with networks("float32", CPU):
        assert (x @ x).dtype == torch.float32


def test_a_reader_at_bf16_gives_float32() -> None:
    class Blank:
        height_px, stride_px, alphabet = 8, 8, alphabet()

        def look(self, x: Tensor, features: bool, text: bool) -> Sight:
            return Sight((x @ x,), (x @ x).log_softmax(-1) if text else None)

        def to(self, device: torch.device) -> None:
            assert device == CPU

    seen = AtPrecision(Blank(), "bf16").look(torch.eye(3), True, True)
    assert seen.log_probabilities is not None
    assert (seen.features[0].dtype, seen.log_probabilities.dtype) == (torch.float32, torch.float32)


def test_matrix_products_are_as_before_after_a_training() -> None:
    before = torch.get_float32_matmul_precision()
    with matrix_products("bf16", torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
    with matrix_products("float32", torch.device("cuda")), matrix_products("tf32", CPU):
        assert torch.get_float32_matmul_precision() == before
    assert torch.get_float32_matmul_precision() == before


def test_the_precision_is_part_of_a_key_where_it_is_not_the_default_alone() -> None:
    sweep = preset("tiny")

    def keys(**train: object) -> tuple[str, str]:
        other = replace(sweep, train=replace(sweep.train, **train))
        return other.pretrain(0.003).key, other.finetune(0.003, 1.0).key

    plain = keys()
    assert keys(precision="float32", compiled=True, checkpoint_minutes=3.0) == plain
    assert all(a != b for a, b in zip(keys(precision="bf16"), plain, strict=True))
    with pytest.raises(ValueError, match="precision is 'fp8'; it must be float32 or tf32 or bf16"):
        TrainConfig(precision="fp8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # Dynamo's own
def test_each_transform_of_a_tic_is_one_graph() -> None:
    torch.manual_seed(2)
    codec, x = build("tic-small").train(), torch.rand(2, 3, 64, 64)
    plain = seen_by(codec, x, "float32")[:2]
    names = set(codec.state_dict())
    compile_transforms(codec, backend="eager")
    assert seen_by(codec, x, "float32")[:2] == plain
    assert set(codec.state_dict()) == names
