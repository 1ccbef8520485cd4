"""A user's own photographs as backgrounds of drawn pages."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfic.synth import backgrounds, draw


def test_photographs_become_backgrounds(tmp_path: Path) -> None:
    red = np.zeros((50, 80, 3), dtype=np.uint8) + np.array([200, 0, 0], dtype=np.uint8)
    (tmp_path / "deep").mkdir()
    Image.fromarray(red).save(tmp_path / "deep" / "red.png")
    found = backgrounds.photographs(tmp_path)
    assert [path.name for path in found] == ["red.png"]
    reds = [np.median(draw(0, "train", i, photographs=found).image.reshape(-1, 3), axis=0) for i in range(20)]
    share = np.mean([median[0] > 90 and median[1] < 40 and median[2] < 40 for median in reds])
    assert 0.2 < share < 0.8


def test_photographs_are_read_as_all_other_images(tmp_path: Path) -> None:
    def cut(name: str) -> np.ndarray:
        return backgrounds.photograph(np.random.default_rng(0), 40, 40, tmp_path / name)

    Image.fromarray(np.full((60, 60), 0x8080, np.uint16)).save(tmp_path / "grey16.png")
    assert (cut("grey16.png") == 128).all()
    Image.new("RGBA", (60, 60), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (cut("clear.png") == 255).all()
    turned = Image.new("RGB", (60, 40))
    exif = Image.Exif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert backgrounds._decoded(tmp_path / "turned.jpg").shape == (60, 40, 3)


def test_unusable_background_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; give a folder of photographs"):
        backgrounds.photographs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no image"):
        backgrounds.photographs(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"background .*broken.jpg cannot be read"):
        backgrounds.photograph(np.random.default_rng(0), 64, 64, tmp_path / "broken.jpg")
