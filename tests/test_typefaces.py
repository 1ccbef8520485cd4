"""Typefaces ship with their licences, draw all printable ASCII, and never cross between training and test."""

import shutil
from pathlib import Path

import pytest

from tfic.synth import draw, typefaces

FONTS = Path(typefaces.__file__).parent / "fonts"


def test_at_least_twenty_families_ship_each_with_its_licence() -> None:
    families = [family for style in typefaces.SHIPPED.values() for side in style.values() for family in side]
    assert len(families) == len(set(families)) >= 20
    assert sorted(families) == sorted(path.name for path in FONTS.iterdir() if path.is_dir())
    for family in families:
        licence = (FONTS / family / "LICENSE.txt").read_text(encoding="utf-8-sig")
        assert "SIL OPEN FONT LICENSE" in licence.upper() or "Apache License" in licence, family
    assert sum(path.stat().st_size for path in FONTS.rglob("*") if path.is_file()) < 6_000_000


def test_every_style_is_on_both_sides_and_no_family_is() -> None:
    for style, sides in typefaces.SHIPPED.items():
        assert sides["train"], style
        assert sides["test"], style
    train, test = ({face.family for face in typefaces.shipped(split)} for split in ("train", "test"))
    assert not train & test
    assert 0.2 <= len(test) / len(train | test) <= 0.3


@pytest.mark.parametrize(
    "face", typefaces.shipped("train") + typefaces.shipped("test"), ids=lambda face: face.path.stem
)
def test_a_shipped_typeface_draws_all_printable_ascii(face: typefaces.Face) -> None:
    assert typefaces.missing_characters(face) == ""


def test_a_users_folder_is_split_by_family_whatever_else_is_there(tmp_path: Path) -> None:
    for family in ("lato", "karla", "oxygen", "lora", "oswald", "arvo", "cabin", "nunito"):
        shutil.copytree(FONTS / family, tmp_path / "mine" / family)
    train, test = (typefaces.folder(tmp_path, split) for split in ("train", "test"))
    assert {face.path for face in train + test} == set(tmp_path.rglob("*.ttf"))
    assert not {face.family for face in train} & {face.family for face in test}
    assert len({face.family for face in test}) == 2
    page = draw(0, "train", 0, fonts=train)
    assert page.lines


def test_unusable_font_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; give a folder"):
        typefaces.folder(tmp_path / "nowhere", "train")
    with pytest.raises(ValueError, match=r"holds no \.ttf or \.otf file"):
        typefaces.folder(tmp_path, "train")
    shutil.copytree(FONTS / "lato", tmp_path / "lato")
    with pytest.raises(ValueError, match="holds one family, 'Lato'; add another"):
        typefaces.folder(tmp_path, "test")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ValueError, match=r"font .*broken.ttf cannot be read"):
        typefaces.folder(tmp_path, "train")
