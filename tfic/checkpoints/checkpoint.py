"""Codecs on disk: safetensors files, which hold numbers and no code, with fingerprint and settings in the header."""

import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from tfic.checkpoints import header
from tfic.codec import build
from tfic.codec.image_codec import ImageCodec, fingerprint_of
from tfic.codec.variable_rate import VariableRate
from tfic.config import Config
from tfic.system.files import write_whole


def save(codec: ImageCodec, config: Config, path: Path, start: str = "") -> None:
    """Write weights, coding tables, fingerprint and settings; the file appears whole or not at all.

    Tensors that lose nothing by it (see `halve`) are written in half precision. For `start` see `Header`.
    """
    tensors = {name: _compact(tensor.detach().cpu()) for name, tensor in codec.state_dict().items()}
    metadata = {"config": json.dumps(asdict(config)), "fingerprint": fingerprint_of(codec.state_dict()).hex()}
    metadata |= {"decoder": codec.shared_decoder.hex()} if codec.shared_decoder else {}
    metadata |= {"start": start} if start else {}
    write_whole(path, safetensors.torch.save(tensors, metadata))


def halve(codec: ImageCodec) -> None:
    """Round the weights of the networks to half precision, for a file of half the size, and update the codec.

    The codec is another one afterwards, with a fingerprint of its own: what is measured must be measured again. One
    whose decoder is another's, and is left as it was by rounding, still has that one's fingerprint.

    Raises:
        ValueError: when a weight is too large for half precision.
    """
    decoder = fingerprint_of(codec.decoder_state())
    with torch.no_grad():
        for name in ("g_a", "g_s", "h_a", "h_s", "head", "context"):
            transform = getattr(codec, name, None)
            for weight in transform.parameters() if transform else ():
                if weight.abs().max() > torch.finfo(torch.half).max:
                    raise ValueError(f"a weight of {name} is {float(weight.abs().max())}; half precision ends at 65504")
                weight.copy_(weight.half())
    if codec.shared_decoder and fingerprint_of(codec.decoder_state()) == decoder:
        codec.eval()
    else:
        codec.update()


def settle(trained: Path, config: Config, path: Path) -> None:
    """Write a codec of several qualities with that of `config.lmbda` as its own.

    Its files are those of the codec at `trained`, and either decodes them.
    """
    codec, owner = load(trained), load(trained)
    assert isinstance(codec, VariableRate)
    codec.settle(config.lmbda)
    codec.share_decoder(owner)
    save(codec, config, path)


def load(path: Path) -> ImageCodec:
    """A trained codec, in evaluation mode on the CPU, ready to code.

    Raises:
        ValueError: when the file is missing, damaged, or not one of ours.
    """
    found = header.read(path)
    codec = build(found.codec)
    try:
        codec.load_state_dict(safetensors.torch.load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged or was written by another version: {str(error).splitlines()[0]}"
        ) from error
    if fingerprint_of(codec.state_dict()).hex() != found.fingerprint:
        raise ValueError(
            f"{path} is damaged: its weights do not match its fingerprint; get a fresh copy or train again"
        )
    if found.decoder and not codec.take_decoder(found.decoder):
        raise ValueError(
            f"{path} is damaged: its decoder is not the one that it names; get a fresh copy or train again"
        )
    return codec.eval()


def config_of(path: Path) -> Config:
    """The settings that a checkpoint was trained with.

    Raises:
        ValueError: when the file is missing, damaged, or not one of ours.
    """
    return header.read(path).config


def _compact(tensor: Tensor) -> Tensor:
    half = tensor.half() if tensor.dtype == torch.float32 else tensor
    return (half if torch.equal(half.to(tensor.dtype), tensor) else tensor).contiguous()
