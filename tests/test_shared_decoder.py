"""Stage 2 that leaves the decoder as it was: one decoder reads the files of all, and no other codec's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from made_files import ready_codec
from PIL import Image
from safetensors import safe_open
from test_train import StoppedError, config, ignore, same, stop_at, weights

from tfic.__main__ import main
from tfic.checkpoints import checkpoint
from tfic.codec.bitstream import BitstreamError
from tfic.codec.image_codec import fingerprint_of
from tfic.synth import draw
from tfic.training.intermediate import Keep, kept
from tfic.training.train import fit

pytestmark = pytest.mark.slow

PAGE = Image.fromarray(draw(0, "test", 0).image[:64, :96])
STAGE_2 = {"learns": "encoder", "reading": "features", "finetune_steps": 5, "read_width_px": 300}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints: stage 1, its fine-tunings of the encoder with two gammas, and one in which all learnt."""
    folder = tmp_path_factory.mktemp("runs")
    start = fit(config(), folder / "start", ignore)
    made = {"start": start, "all": fit(config(1.0, finetune_steps=1), folder / "all", ignore, start)}
    for gamma in (1.0, 3.0):
        settings = config(gamma, **STAGE_2)
        made[f"gamma{gamma:g}"] = fit(settings, folder / f"g{gamma:g}", ignore, start, keep=Keep(2))
    return made


def test_only_the_encoder_moves_and_the_decoder_is_that_of_stage_1_to_the_bit(runs: dict[str, Path]) -> None:
    start, tuned = (checkpoint.load(runs[name]) for name in ("start", "gamma1"))
    assert fingerprint_of(tuned.decoder_state()) == fingerprint_of(start.decoder_state())
    moved = {name for name, tensor in tuned.state_dict().items() if not torch.equal(tensor, start.state_dict()[name])}
    assert {name.split(".")[0] for name in moved} == {"g_a", "h_a"}
    assert set(start.decoder_state()) == {n for n in start.state_dict() if n.split(".")[0] not in ("g_a", "h_a")}


def test_the_command_line_decodes_every_file_with_the_model_of_any(runs: dict[str, Path], tmp_path: Path) -> None:
    PAGE.save(tmp_path / "page.png")
    pictures = {}
    for writer in ("start", "gamma1", "gamma3"):
        coded = tmp_path / f"{writer}.tfic"
        assert main(["encode", str(tmp_path / "page.png"), str(coded), "--model", str(runs[writer])]) == 0
        for reader in ("start", "gamma1", "gamma3"):
            back = tmp_path / f"{writer}-{reader}.png"
            assert main(["decode", str(coded), str(back), "--model", str(runs[reader])]) == 0
            pictures[writer, reader] = np.asarray(Image.open(back))
            assert np.array_equal(pictures[writer, reader], pictures[writer, "start"])
    assert not np.array_equal(pictures["gamma1", "start"], pictures["start", "start"]), "the encoder has learnt"


def test_codecs_kept_on_the_way_and_resumed_ones_share_the_decoder_too(runs: dict[str, Path], tmp_path: Path) -> None:
    start = checkpoint.load(runs["start"])
    for path in kept(runs["gamma1"].parent).values():
        assert checkpoint.load(path).fingerprint == start.fingerprint
    with pytest.raises(StoppedError):
        fit(config(1.0, **STAGE_2), tmp_path, stop_at(5, "finetune"), runs["start"])
    resumed = fit(config(1.0, **STAGE_2), tmp_path, ignore, runs["start"])
    assert same(weights(resumed), weights(runs["gamma1"]))
    assert checkpoint.load(resumed).fingerprint == start.fingerprint


def test_a_codec_whose_decoder_learnt_reads_its_own_files_alone(runs: dict[str, Path]) -> None:
    codecs = {name: checkpoint.load(path) for name, path in runs.items()}
    for writer, reader in (("all", "start"), ("all", "gamma1"), ("start", "all"), ("gamma3", "all")):
        with pytest.raises(BitstreamError, match="decode it with the checkpoint that encoded it"):
            codecs[reader].decode(codecs[writer].encode(PAGE))


def test_files_and_fingerprints_of_codecs_with_a_decoder_of_their_own_are_as_before(runs: dict[str, Path]) -> None:
    for name in ("start", "all"):
        codec = checkpoint.load(runs[name])
        assert codec.fingerprint == fingerprint_of(codec.state_dict())
        assert codec.shared_decoder == b""
        with safe_open(runs[name], "pt") as file:
            assert set(file.metadata()) - {"start"} == {"config", "fingerprint"}, "no decoder of another"


def test_a_decoder_that_changes_is_another_s_no_more(runs: dict[str, Path], tmp_path: Path) -> None:
    codec, start = checkpoint.load(runs["gamma1"]), checkpoint.load(runs["start"])
    assert codec.fingerprint == start.fingerprint
    with torch.no_grad():
        codec.g_s[-1].bias.add_(0.25)
    codec.update()
    assert codec.fingerprint == fingerprint_of(codec.state_dict())
    again = checkpoint.load(runs["gamma1"])
    checkpoint.halve(again)
    assert again.fingerprint not in (start.fingerprint, codec.fingerprint), "rounding changes the decoder"
    with pytest.raises(ValueError, match="this codec's decoder is not that of model"):
        again.share_decoder(start)
    checkpoint.halve(start)
    again.share_decoder(start)
    settings = checkpoint.config_of(runs["gamma1"])
    checkpoint.save(again, settings, tmp_path / "half.safetensors")
    loaded = checkpoint.load(tmp_path / "half.safetensors")
    assert loaded.fingerprint == start.fingerprint
    checkpoint.halve(loaded)
    assert loaded.fingerprint == start.fingerprint, "what is rounded already stays"


@pytest.mark.parametrize("decoder", ["00" * 16, "other words"])
def test_a_checkpoint_that_names_another_decoder_is_damaged(
    runs: dict[str, Path], tmp_path: Path, decoder: str
) -> None:
    with safe_open(runs["gamma1"], "pt") as file:
        metadata = file.metadata() | {"decoder": decoder}
    safetensors.torch.save_file(safetensors.torch.load_file(runs["gamma1"]), tmp_path / "codec.safetensors", metadata)
    with pytest.raises(ValueError, match="its decoder is not the one that it names"):
        checkpoint.load(tmp_path / "codec.safetensors")


@pytest.mark.parametrize("name", ["lite", "tic-small", "mbt2018-mean", "elic2022-chandelier"])
def test_every_codec_can_freeze_its_decoder(name: str) -> None:
    codec = ready_codec(name)
    codec.freeze_decoder()
    learning = {parameter for parameter, tensor in codec.named_parameters() if tensor.requires_grad}
    assert learning
    assert all({"g_a", "h_a"} & set(parameter.split(".")) for parameter in learning)
    assert any("g_s" in parameter.split(".") for parameter in codec.decoder_state())


def test_other_settings_of_stage_2_are_another_training(runs: dict[str, Path]) -> None:
    for changed in ({"learns": "all"}, {"reading": "ctc"}, {"text_distortion": 2.0}):
        with pytest.raises(ValueError, match="trained with other settings"):
            fit(config(1.0, **(STAGE_2 | changed)), runs["gamma1"].parent, ignore, runs["start"])


def test_settings_from_before_the_family_are_those_of_the_slides() -> None:
    from dataclasses import asdict

    from tfic.config import LATER, Config
    from tfic.strict import from_mapping

    values = asdict(config(1.0))
    del values["control"]
    for name in LATER:
        del values["train"][name]
    assert from_mapping(Config(), values, "old") == replace(config(1.0), control=False)
