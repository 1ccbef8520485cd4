"""Encode every image of a folder with a codec that ships, and look at the rate and the loss.

python examples/encode_folder.py scans coded
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import tfic
from tfic.pages.images import SUFFIXES, open_image, pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of images")
    parser.add_argument("out", type=Path, help="folder for .tfic files")
    parser.add_argument("--model", default="zoo/lite-vbr-reading", help="a codec, as tfic.load takes it")
    args = parser.parse_args()

    # A codec is loaded once and may be used for any number of images of any size.
    codec = tfic.load(args.model)
    args.out.mkdir(exist_ok=True)

    for path in sorted(args.images.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        # open_image turns every kind of file into 8 bits, RGB or grey, upright; docs/files.md says how.
        image: Image.Image = open_image(path)
        data = codec.encode(image)
        (args.out / path.with_suffix(".tfic").name).write_bytes(data)

        # decode takes the bytes alone: the file holds the size, and the fingerprint of the codec that wrote it.
        # It raises tfic.BitstreamError for a damaged file, and for one that another codec wrote.
        decoded = codec.decode(data)
        mse = np.square(pixels(image).astype(float) - pixels(decoded)).mean()
        bpp = 8 * len(data) / (image.width * image.height)
        print(f"{path.name}: {len(data):,} bytes, {bpp:.3f} bpp, {10 * np.log10(255**2 / mse):.2f} dB")


if __name__ == "__main__":
    main()
