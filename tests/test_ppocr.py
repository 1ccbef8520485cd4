"""The training reader is the one its users run, it is differentiable, and nothing changes it."""

import numpy as np
import onnxruntime
import pytest
import torch

from tfic.ocr.ppocr import HEIGHT_PX, STRIDE_PX, Alphabet, LineReader, weights_path
from tfic.ocr.rectify import rectify
from tfic.synth import draw


@pytest.fixture(scope="module")
def reader() -> LineReader:
    return LineReader()


def line_images(count: int, width: int = 320) -> tuple[torch.Tensor, list[str]]:
    page = next(page for i in range(100) if len((page := draw(1, "train", i)).lines) >= count)
    pixels = torch.from_numpy(page.image.copy()).permute(2, 0, 1)[None].float() / 255
    lines = page.lines[:count]
    return rectify(pixels, [line.quad for line in lines], [0] * count, HEIGHT_PX, width), [line.text for line in lines]


def test_its_probabilities_are_those_of_onnxruntime_on_the_same_weights(reader: LineReader) -> None:
    x, _ = line_images(3)
    session = onnxruntime.InferenceSession(str(weights_path()))
    (expected,) = session.run(None, {session.get_inputs()[0].name: (x.flip(1) * 2 - 1).numpy()})
    with torch.no_grad():
        probabilities = reader(x).exp().numpy()
    assert probabilities.shape == (3, 320 // STRIDE_PX, len(reader.alphabet))
    assert np.abs(probabilities - expected).max() < 1e-5


def test_it_reads_clean_lines(reader: LineReader) -> None:
    x, texts = line_images(3, width=640)
    with torch.no_grad():
        read = reader.alphabet.decode(reader(x).argmax(-1).numpy())
    assert sum(a == b for a, b in zip(read, texts, strict=True)) >= 2, (read, texts)


def test_gradients_reach_the_pixels_and_no_weight_ever_changes(reader: LineReader) -> None:
    before = {name: tensor.clone() for name, tensor in reader.state_dict().items()}
    assert before
    x, _ = line_images(2)
    x.requires_grad_(True)
    reader.train()
    loss = -reader(x).max(-1).values.mean()
    loss.backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in reader.parameters())
    assert not any(module.training for module in reader.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in reader.state_dict().items())


def test_the_alphabet_merges_repeats_then_drops_blanks() -> None:
    alphabet = Alphabet("a\nb")
    assert len(alphabet) == 4
    assert alphabet.decode(np.array([[1, 1, 0, 1, 3, 2], [0, 0, 0, 0, 0, 0]])) == ["aa b", ""]
    assert alphabet.encode("ab a") == [1, 2, 3, 1]


def test_a_character_the_reader_does_not_know_is_named() -> None:
    alphabet = Alphabet("a\nb")
    assert not alphabet.knows("aé")
    with pytest.raises(ValueError, match="characters that the reader does not know: 'é'"):
        alphabet.encode("aé")
