"""The lowest rates that classical codecs reach on drawn pages, with what is read there: the left end of their curves.

python benchmarks/lowest_rates.py --pages 16 --qualities 0 1 3 5 10
python benchmarks/lowest_rates.py --pages 4 --ends       # rates alone, at both ends of the qualities that sweeps take
"""

import argparse

import numpy as np
from PIL import Image

from tfic.measuring.classical import SETTINGS, classical, installed
from tfic.measuring.scoring import score
from tfic.ocr.page import PPOCRPageReader
from tfic.synth import draw


def main() -> None:
    """Print mean bpp, payload bpp and page accuracy of each classical codec at its lowest qualities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=16)
    parser.add_argument("--qualities", type=int, nargs="+", default=[0, 1, 3, 5, 10])
    parser.add_argument("--ends", action="store_true", help="encode alone, at each codec's least and greatest quality")
    args = parser.parse_args()
    if args.ends:
        ends([Image.fromarray(draw(0, "test", i).image) for i in range(args.pages)])
        return
    reader = PPOCRPageReader(256, threads=1)
    pages = [draw(0, "test", i) for i in range(args.pages)]
    print("| codec | quality | bpp | payload bpp | page accuracy |")
    print("| --- " * 5 + "|")
    for name in filter(installed, SETTINGS):
        for quality in args.qualities:
            codec, values = classical(name, quality), []
            for page in pages:
                image = Image.fromarray(page.image)
                data = codec.encode(image)
                pixels, payload = image.width * image.height, len(data) - codec.overhead_bytes(image)
                read = score(page, reader.read(np.asarray(codec.decode(data)))).accuracy
                values.append((8 * len(data) / pixels, 8 * payload / pixels, read))
            bpp, alone, accuracy = np.mean(values, axis=0)
            print(f"| {name} | {quality} | {bpp:.3f} | {alone:.3f} | {accuracy:.3f} |", flush=True)


def ends(images: list[Image.Image]) -> None:
    """Print the mean rate of each classical codec at the least and the greatest quality of its curve in a sweep."""
    print("| codec | qualities | bpp at the least | bpp at the greatest |")
    print("| --- " * 4 + "|")
    for name in filter(installed, SETTINGS):
        qualities = SETTINGS[name].qualities
        rates = []
        for quality in (min(qualities), max(qualities)):
            codec = classical(name, quality)
            rates.append(np.mean([8 * len(codec.encode(image)) / (image.width * image.height) for image in images]))
        print(f"| {name} | {min(qualities)} to {max(qualities)} | {rates[0]:.3f} | {rates[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
