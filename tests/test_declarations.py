"""What a file declares about its own pixels is honoured, or the file is refused with a sentence."""

from pathlib import Path

import numpy as np
import pytest
from made_images import Kind
from made_kinds import kinds

from tfic.pages.images import open_image


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.comes)
def test_every_kind_of_file_becomes_what_the_table_says(kind: Kind, tmp_path: Path) -> None:
    pictures = kind.pictures * len(kind.files) if len(kind.pictures) == 1 else kind.pictures
    for i, (name, data) in enumerate(kind.files.items()):
        (tmp_path / name).write_bytes(data)
        if kind.refused:
            with pytest.raises(ValueError, match=rf"image .*{name} cannot be read \(.*\w+") as refusal:
                open_image(tmp_path / name)
            assert kind.refused in str(refusal.value), name
            continue
        image = open_image(tmp_path / name)
        got, wanted = np.asarray(image).astype(int), pictures[i]
        if got.ndim == 3 and wanted.ndim == 2:
            wanted = np.repeat(wanted[:, :, None], 3, 2)
        assert got.shape == wanted.shape, name
        assert np.abs(got - wanted).max() <= kind.within, f"{name}: off by {np.abs(got - wanted).max()}"
