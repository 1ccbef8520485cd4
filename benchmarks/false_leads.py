"""How often the best of many codecs that gain nothing leads significantly, where 2.5 % is meant: `analysis.stats`.

    python benchmarks/false_leads.py --sweeps 1000 --codecs 10 100 300 1000 --images 32 140

Each codec's differences image by image are drawn around 0: from a normal distribution, and from a skewed one with many
ties, as accuracies have. A sweep has a false lead where the interval of any of its codecs, widened for the choice of
the best, lies above 0.
"""

import argparse

import numpy as np

from analysis import stats

SURELY_NONE = 2.0
"""A codec whose mean is fewer standard errors above 0 leads at no confidence from 95 % on, and is not resampled."""


def normal(rng: np.random.Generator, codecs: int, images: int) -> np.ndarray:
    """Differences of codecs by image."""
    return rng.normal(0.0, 1.0, (codecs, images))


def skewed(rng: np.random.Generator, codecs: int, images: int) -> np.ndarray:
    """The same where half of the images differ in nothing and the others mostly little, with mean 0."""
    return (rng.random((codecs, images)) < 0.5) * (1.0 - rng.exponential(1.0, (codecs, images)))


def leads(differences: np.ndarray, confidence: float) -> bool:
    """Any of the codecs has an interval above 0."""
    error = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
    maybe = differences[differences.mean(axis=1) > SURELY_NONE * error]
    return any(stats.mean(each, confidence).low > 0 for each in maybe)


def main() -> None:
    """Print the share of sweeps with a false lead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--codecs", type=int, nargs="+", default=[10, 100, 300, 1000])
    parser.add_argument("--images", type=int, nargs="+", default=[32, 140])
    options = parser.parse_args()
    for draw in (normal, skewed):
        for images in options.images:
            for codecs in options.codecs:
                rng = np.random.default_rng(1)
                confidence = stats.confidence_of_best(codecs)
                false = sum(leads(draw(rng, codecs, images), confidence) for _ in range(options.sweeps))
                print(f"{draw.__name__}, {images} images, {codecs} codecs: {false / options.sweeps:.1%}", flush=True)


if __name__ == "__main__":
    main()
