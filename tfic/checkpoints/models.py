"""Trained codecs by name: a file, a run directory, a run or a registered model in MLflow, one that ships.

| name                                     | means                                                                     |
| ---------------------------------------- | --------------------------------------------------------------------------|
| run/codec.safetensors                    | that file                                                                 |
| run                                      | the codec.safetensors in that directory                                   |
| runs:/RUN_ID                             | the codec of an MLflow run (`mlflow_models`)                             |
| models:/NAME/VERSION, models:/NAME@ALIAS | a version of an MLflow registered model                                   |
| zoo/NAME                                 | a codec that ships with the package; ./zoo/NAME is a path again           |
| any of them, @ and 16 hexadecimal digits | the same, but only with these weights (`pinned`)                          |
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tfic.checkpoints import header, mlflow_models
from tfic.config import CODEC_FILE
from tfic.strict import unknown_name
from tfic.system.extras import explained
from tfic.system.store_uri import CHECKPOINT

if TYPE_CHECKING:
    from tfic.codec.image_codec import ImageCodec

FORMS = "a codec.safetensors, a run directory that has one, runs:/RUN_ID, models:/NAME/VERSION or zoo/NAME"
"""The forms of names that `find` takes, for help and errors."""
_ZOO = "zoo/"
_PINNED = re.compile(r"(.+)@([0-9a-f]{16})")
_ZOO_DIR = Path(__file__).parents[1] / "zoo"


def load(model: str | Path, tracking_uri: str = "") -> "ImageCodec":
    """A trained codec, in evaluation mode on the CPU, ready to code.

    Args:
        model: see the table above.
        tracking_uri: the MLflow store for `runs:/` and `models:/`; see `tfic.system.store_uri.resolve`.

    Raises:
        ValueError: when there is no such model, or its file is damaged.
        ModuleNotFoundError: without the extra `codec`.
    """
    with explained():
        from tfic.checkpoints import checkpoint

    return checkpoint.load(find(model, tracking_uri))


def find(model: str | Path, tracking_uri: str = "") -> Path:
    """The file of a trained codec; for MLflow a copy that is gone when this process ends.

    Raises:
        ValueError: when there is none, or it has other weights than a pinned name says.
    """
    name = str(model)
    if isinstance(model, str) and (parts := _PINNED.fullmatch(model)):
        path = find(parts[1], tracking_uri)
        if _weights(path) != parts[2]:
            raise ValueError(
                f"{parts[1]} has weights {_weights(path)} now, where {parts[2]} are asked for; get that model, or "
                "begin anew with this one"
            )
        return path
    if isinstance(model, str) and name.startswith(mlflow_models.SCHEMES):
        return mlflow_models.download(name, tracking_uri)
    if isinstance(model, str) and name.startswith(_ZOO) and not name.endswith(".safetensors"):
        return _in_zoo(name)
    path = Path(model)
    if name and path.is_file():
        return path
    for inside in (CODEC_FILE, CHECKPOINT):
        if name and (path / inside).is_file():
            return path / inside
    if name and path.is_dir():
        raise ValueError(f"directory {path} has no {CODEC_FILE}; a training that finished leaves one in its directory")
    raise ValueError(f"no model {name!r}; give {FORMS}")


def pinned(model: str, tracking_uri: str = "") -> str:
    """A model's name with `@` and the fingerprint of its weights, so that `find` takes no other in its place."""
    return model if _PINNED.fullmatch(model) else f"{model}@{_weights(find(model, tracking_uri))}"


def weights_of(pinned: str) -> str:
    """The fingerprint of weights in a pinned name."""
    parts = _PINNED.fullmatch(pinned)
    assert parts
    return parts[2]


def codec_of(model: str, tracking_uri: str = "") -> str:
    """Name of the codec that a model is, from its file's header."""
    return header.read(find(model, tracking_uri)).codec


def zoo() -> list[str]:
    """Names of the codecs that ship, as `find` takes them."""
    return sorted(f"{_ZOO}{path.stem}" for path in _ZOO_DIR.glob("*.safetensors"))


def _weights(path: Path) -> str:
    """Fingerprint of all weights and tables of a checkpoint."""
    return header.read(path).fingerprint


def _in_zoo(name: str) -> Path:
    known = zoo()
    if not known:
        raise ValueError(f"no model {name!r}: no codec ships with this installation; give {FORMS}")
    if name not in known:
        raise unknown_name(name, known, "model")
    return _ZOO_DIR / f"{name.removeprefix(_ZOO)}.safetensors"
