"""Files of before: a .tfic file and a checkpoint that older code wrote are read as ever."""

import base64

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import tfic
from tfic.checkpoints import models
from tfic.codec import build
from tfic.codec.entropy import STORED_NAMES
from tfic.codec.image_codec import ImageCodec
from tfic.measuring import metrics

CODED = (
    "VEZJQwI8la3P2JqzdygAOAAA3nBI2j/mjnwQQfZTbGTGOAPr+PJPyMmwCnp4BSes2YqqhA0hvke2uH+BFcd5iqIMzP/PYPXjR8//9AT0upy3XOunO+sf"
    "b/67arjIuEtZQPr/Q/H8/2VBpaZQ9tX8SSzwnZMr8f9DgsWTolOB1K0/3XF+4ME1OZYMPVxXRCWlbxh99Em2D+myL/jxe6YZLm+z4ueDtTB9e5lMvMci"
    "8e1BnSx03Four8BCufw7yAEWWw1S2vhBfwokwsQHRwMAK9E1YB1mNQEGK8L/VFocAHV4BSnEe3b7znba/5hY6P8h8g0zAIYoHz4="
)
"""`image()` as tfic 0.1.0 coded it with zoo/lite-cpu-0.003, when the models of its latents had other names."""


def image() -> np.ndarray:
    y, x = np.mgrid[:40, :56]
    return np.stack([255 * (x // 8 % 2), 4 * x, 5 * y], 2).astype(np.uint8)


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    return tfic.load("zoo/lite-cpu-0.003")


def test_an_older_file_is_decoded_by_the_checkpoint_of_then(codec: ImageCodec) -> None:
    decoded = codec.decode(base64.b64decode(CODED))
    assert metrics.psnr_db(image(), np.asarray(decoded)) == pytest.approx(18.1172, abs=1e-2)


def test_a_codec_is_called_and_stored_as_before(codec: ImageCodec) -> None:
    assert codec.fingerprint.hex() == "3c95adcfd89ab377"
    with safe_open(models.find("zoo/lite-cpu-0.003"), "pt") as file:
        stored = set(file.keys())
    assert set(codec.state_dict()) == stored
    assert {f"latents.{name}." in " ".join(stored) for name in STORED_NAMES.values()} == {True}
    assert {f"latents.{name}." in " ".join(stored) for name in STORED_NAMES} == {False}


def test_the_names_of_the_models_of_latents_are_those_of_the_field(codec: ImageCodec) -> None:
    names = {name for name, _ in codec.named_buffers()}
    assert {"latents.entropy_bottleneck._quantized_cdf", "latents.gaussian_conditional._offset"} <= names
    other = build("lite")
    other.load_state_dict(codec.state_dict())
    assert other.eval().fingerprint == codec.fingerprint
    assert other.encode(Image.fromarray(image())) == codec.encode(Image.fromarray(image()))
