"""The facts that a `.tfic` file and a model state of themselves; those of a file need no torch."""

from pathlib import Path

from tfic.codec import bitstream
from tfic.config import Config


def about(file: str, model: str, tracking_uri: str) -> dict[str, str]:
    """Facts by name about a `.tfic` file, or else about a model.

    Args:
        file: a path, or a model in any of its forms.
        model: a model that may have written the file; "" to leave it out.
        tracking_uri: the MLflow store of models; "" for the default.

    Raises:
        ValueError: for a model with a `model`, or a file that is none of ours.
        ModuleNotFoundError: where a model needs the extra `codec`.
    """
    path = Path(file)
    if path.is_file() and path.suffix != ".safetensors":
        return _of_coded(path, model, tracking_uri)
    if model:
        raise ValueError(f"--model tells who wrote a .tfic file, and {file} is none; leave it out")
    return _of_model(file, tracking_uri)


def _of_coded(path: Path, model: str, tracking_uri: str) -> dict[str, str]:
    data = path.read_bytes()
    try:
        coded, header = bitstream.unpack(data)
    except bitstream.BitstreamError as error:
        raise bitstream.BitstreamError(f"{path}: {error}") from error
    found = {
        "format": f"TFIC version {bitstream.VERSION}",
        "model": header.fingerprint.hex(),
        "size": f"{header.width_px} x {header.height_px} pixels",
        "grey": "yes" if header.grey else "no",
        **({} if header.level is None else {"quality": f"{bitstream.quality_of_level(header.level):g} of 100"}),
        "stream": f"{len(coded.stream):,} bytes",
        "file": f"{len(data):,} bytes",
        "bpp": f"{8 * len(data) / (header.width_px * header.height_px):.4f}",
    }
    if model:
        from tfic.checkpoints import models

        own = models.load(model, tracking_uri).fingerprint
        found["written by"] = model if own == header.fingerprint else f"another model than {model}"
    return found


def _of_model(model: str, tracking_uri: str) -> dict[str, str]:
    from tfic.checkpoints import checkpoint, header, models

    path = models.find(model, tracking_uri)
    config, codec, start = checkpoint.config_of(path), checkpoint.load(path), header.read(path).start
    return {
        "codec": config.codec,
        "lambda": str(config.lmbda),
        "gamma": str(config.gamma),
        "steps": _steps(config),
        **({"start": f"weights {start}"} if start else {}),
        **(
            {}
            if codec.level is None
            else {"quality": f"0 to 100; {bitstream.quality_of_level(codec.level):g} where none is asked for"}
        ),
        "fingerprint": codec.fingerprint.hex(),
        "parameters": f"{sum(each.numel() for each in codec.parameters()):,}",
        "file": f"{path.stat().st_size:,} bytes",
    }


def _steps(config: Config) -> str:
    pretrain = f"{config.train.pretrain_steps:,}"
    return f"{pretrain} + {config.train.finetune_steps:,}" if config.from_stage_1 else pretrain
