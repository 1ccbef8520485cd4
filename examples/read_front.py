"""Read a sweep from its tracking store, and print the codecs on the front of rate and OCR accuracy.

python examples/read_front.py                           # the newest sweep of ./mlflow.db
python examples/read_front.py sqlite:///mlflow.db demo  # a store, and a sweep in it
"""

import sys

from analysis import runs
from analysis.front import front_of


def main(uri: str = "sqlite:///mlflow.db", name: str | None = None) -> None:
    # One row per finished trial: what it is, and the means of its measures over the test images.
    sweep = runs.load(uri, name)
    points = sweep.points

    # -1: less is better; 1: more is better. The uncompressed images are a reference, not a codec.
    codecs = points[points["kind"] != "uncompressed"]
    front = codecs[front_of([codecs["bpp"], codecs["accuracy"]], [-1, 1])]

    print(f"{sweep.name}: {len(front)} of {len(codecs)} codecs are on the front")
    for point in front.itertuples():
        print(f"{point.bpp:.3f} bpp  accuracy {point.accuracy:.3f}  {point.label}  {point.trial_key}")

    # The codec of a learned point is an artifact of its run: tfic.load("runs:/" + point.run_id) loads it.


if __name__ == "__main__":
    main(*sys.argv[1:])
